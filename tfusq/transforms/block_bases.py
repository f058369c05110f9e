"""Orthonormal bases of 16x16 blocks of colour pixels, and the step that their coefficients ask for.

The Karhunen-Loeve basis is the eigenvectors of the blocks' covariance: of all bases, its first M
coefficients leave the least squared error, for each M. Natural images have no preferred sides, so
the covariance is averaged over mirror images, which makes four blocks of each.

The step: a coefficient that is quantized in steps of `step` has the distortion `step^2 / 12` and,
at high rates, the rate `h - log2(step)`, with its differential entropy `h`. A block has 256 pixels
and 768 coefficients, and the basis is orthonormal, so that 256 times the loss
`R + lambda 255^2 MSE` is

    sum_k  h_k - log2(step) + lambda 255^2 step^2 / 36

which is least at `step^2 = 18 / (255^2 lambda ln 2)`.

#### References
Gish and Pierce, Asymptotically efficient quantizing, 1968.
https://doi.org/10.1109/TIT.1968.1054193
"""

import math
from typing import NamedTuple

import numpy as np
import scipy.fft

# Side of a block, in pixels.
SIDE = 16
COEFFICIENTS = 3 * SIDE**2
GREY = 0.5

# What puts the cosines in an order: the correlation of neighbouring pixels, and the energy of the
# colours: grey, red against blue, and green against both.
_CORRELATION = 0.95
_COLOURS = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
_COLOUR_ENERGIES = np.array([1.0, 0.05, 0.02])


class BlockBasis(NamedTuple):
  """The first vectors of an orthonormal basis of blocks.

  Attributes:
    vectors: `float64[16, 16, 3, count]`; each is of length 1, those of more energy are first.
    mean: Colour that is subtracted from pixels, `float64[3]`, 0 to 1.
  """

  vectors: np.ndarray
  mean: np.ndarray


def quantization_step(lmbda: float) -> float:
  """Returns the step with the least loss at high rates, of pixels from 0 to 1.

  Args:
    lmbda: Weight of the distortion, in bits per pixel for each 255^2 MSE; positive.
  """
  return math.sqrt(18 / (lmbda * math.log(2))) / 255


def cosine(count: int) -> BlockBasis:
  """Returns the two-dimensional DCT-II in rotated colours, in an order that suits most images.

  Args:
    count: Number of vectors, at most 768.
  """
  dct = scipy.fft.dct(np.eye(SIDE), axis=0, norm='ortho')
  vectors = np.einsum('ui,vj,ac->ijcuva', dct, dct, _COLOURS).reshape(SIDE, SIDE, 3, -1)

  # Variances of the coefficients of a first-order autoregressive field.
  distance = np.abs(np.subtract.outer(np.arange(SIDE), np.arange(SIDE)))
  variance = np.diag(dct @ _CORRELATION**distance @ dct.T)
  energy = np.einsum('u,v,a->uva', variance, variance, _COLOUR_ENERGIES).reshape(-1)
  order = np.argsort(-energy, kind='stable')
  return BlockBasis(vectors[..., order[:count]], np.full(3, GREY))


def karhunen_loeve(x: np.ndarray, count: int) -> BlockBasis:
  """Returns the Karhunen-Loeve basis of images' blocks.

  Args:
    x: Images, `[batch, height, width, 3]`, float, 0 to 1, with sides of at least 16.
    count: Number of vectors, at most 768.
  """
  mean = np.mean(x, (0, 1, 2), dtype=np.float64)
  covariance = np.zeros([COEFFICIENTS, COEFFICIENTS])
  number = 0
  for image in x:
    blocks = _blocks(image - mean)
    covariance += blocks.T @ blocks
    number += len(blocks)
  covariance = _over_mirror_images(covariance / number)

  _, vectors = np.linalg.eigh(covariance)
  vectors = vectors[:, ::-1][:, :count]
  # An eigenvector has no sign; its largest component is made positive.
  largest = np.argmax(np.abs(vectors), axis=0)
  vectors *= np.sign(vectors[largest, np.arange(count)])
  return BlockBasis(vectors.reshape(SIDE, SIDE, 3, count), mean)


def _blocks(image: np.ndarray) -> np.ndarray:
  """Returns an image's blocks as rows, `float64[blocks, 768]`; what is left over is left out."""
  rows, columns = image.shape[0] // SIDE, image.shape[1] // SIDE
  whole = image[: rows * SIDE, : columns * SIDE].astype(np.float64)
  blocks = whole.reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2)
  return blocks.reshape(-1, COEFFICIENTS)


def _over_mirror_images(covariance: np.ndarray) -> np.ndarray:
  """Returns the mean of the covariances of blocks and of their mirror images."""
  by_pixel = covariance.reshape([SIDE, SIDE, 3] * 2)
  by_pixel = (by_pixel + by_pixel[::-1, :, :, ::-1]) / 2
  by_pixel = (by_pixel + by_pixel[:, ::-1, :, :, ::-1]) / 2
  return by_pixel.reshape(COEFFICIENTS, COEFFICIENTS)
