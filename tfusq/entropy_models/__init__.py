"""Densities of the quantized latent and its bits, Eq. (23), (24), (34).

The integer tables of their range coders are made in `tfusq.coding`.
"""

from tfusq.entropy_models.base import EntropyModel
from tfusq.entropy_models.bits import gaussian_bits, laplacian_bits, mixture_bits, saturate
from tfusq.entropy_models.factorized import Factorized
from tfusq.entropy_models.location_scale import Gaussian, Laplacian
from tfusq.entropy_models.mixture import GaussianMixture

__all__ = [
  'EntropyModel',
  'Factorized',
  'Gaussian',
  'GaussianMixture',
  'Laplacian',
  'gaussian_bits',
  'laplacian_bits',
  'mixture_bits',
  'saturate',
]
