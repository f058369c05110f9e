"""Quality of a decoded image, on 8-bit RGB as a user sees it.

Nothing here is compiled for the size of an image, so that a folder of images of many sizes takes no
more memory than its largest one.
"""

import math

import numpy as np
from scipy import ndimage

_PEAK = 255

# The published weights of MS-SSIM's five scales, from the finest one.
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW = 11  # pixels
_SIGMA = 1.5  # pixels
_C1 = (0.01 * _PEAK) ** 2
_C2 = (0.03 * _PEAK) ** 2

# MS-SSIM halves the image four times and then needs a whole window of 11 pixels: with one side
# shorter than 16 * 10 + 1 the coarsest scale has no place for it.
MS_SSIM_MIN_SIDE = 161


def psnr(a: np.ndarray, b: np.ndarray) -> float:
  """Returns the peak signal-to-noise ratio of two images.

  Args:
    a: Image, `uint8[height, width, 3]`.
    b: Image of the same size.

  Returns:
    PSNR in dB; infinite if the images are equal.
  """
  differences = a.astype(np.int32) - b
  mean_squared_error = float(np.mean(differences**2))
  if not mean_squared_error:
    return math.inf
  return 10 * math.log10(_PEAK**2 / mean_squared_error)


def ms_ssim(a: np.ndarray, b: np.ndarray) -> float:
  """Returns the multi-scale structural similarity of two images, the mean over red, green and blue.

  It is what `tf.image.ssim_multiscale` computes, in float64.

  #### References

  - Z. Wang, E. P. Simoncelli and A. C. Bovik, "Multiscale structural similarity for image quality
    assessment," 2003. https://doi.org/10.1109/ACSSC.2003.1292216

  Args:
    a: Image, `uint8[height, width, 3]`.
    b: Image of the same size.

  Returns:
    MS-SSIM, 0 to 1; NaN if a side is shorter than 161 pixels, for which it is not defined.
  """
  if min(a.shape[:2]) < MS_SSIM_MIN_SIDE:
    return math.nan
  return float(np.mean([_ms_ssim_of_channel(a[..., index], b[..., index]) for index in range(3)]))


def _ms_ssim_of_channel(a: np.ndarray, b: np.ndarray) -> float:
  """Returns the MS-SSIM of two planes, `uint8[height, width]`."""
  a = a.astype(np.float64)
  b = b.astype(np.float64)
  product = 1.0

  for scale, weight in enumerate(_SCALE_WEIGHTS):
    if scale:
      a = _halved(a)
      b = _halved(b)
    is_coarsest = scale == len(_SCALE_WEIGHTS) - 1
    similarity = _similarity(a, b, with_luminance=is_coarsest)
    # Planes that are each other's negative have a negative similarity, and no power of it.
    product *= max(similarity, 0.0) ** weight

  return product


def _similarity(a: np.ndarray, b: np.ndarray, with_luminance: bool) -> float:
  """Returns the mean over positions of contrast times structure, and of luminance if so asked."""
  mean_a = _blurred(a)
  mean_b = _blurred(b)
  product = mean_a * mean_b
  squares = mean_a**2 + mean_b**2

  covariance = _blurred(a * b) - product
  variances = _blurred(a**2 + b**2) - squares
  similarity = (2 * covariance + _C2) / (variances + _C2)
  if with_luminance:
    similarity *= (2 * product + _C1) / (squares + _C1)
  return float(similarity.mean())


def _blurred(plane: np.ndarray) -> np.ndarray:
  """Returns the means in a Gaussian window, where the whole window lies in the plane."""
  margin = _WINDOW // 2
  offsets = np.arange(-margin, margin + 1)
  window = np.exp(-(offsets**2) / (2 * _SIGMA**2))
  window /= window.sum()

  rows = ndimage.correlate1d(plane, window, axis=0)[margin:-margin]
  return ndimage.correlate1d(rows, window, axis=1)[:, margin:-margin]


def _halved(plane: np.ndarray) -> np.ndarray:
  """Returns the means of squares of four pixels; a last line without a partner is doubled."""
  height, width = plane.shape
  even = np.pad(plane, [(0, height % 2), (0, width % 2)], 'symmetric')
  return even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2).mean((1, 3))
