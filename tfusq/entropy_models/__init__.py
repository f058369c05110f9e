"""Densities of the quantized latent, their bits, and their range coding (Eq. 23, 24, 34)."""

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
