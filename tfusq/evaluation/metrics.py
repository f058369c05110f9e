"""Quality of a decoded image, on 8-bit RGB as a user sees it."""

import numpy as np
import tensorflow as tf

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
  return float(tf.image.psnr(a, b, 255))


def ms_ssim(a: np.ndarray, b: np.ndarray) -> float:
  """Returns the multi-scale structural similarity of two images.

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
    return float('nan')
  return float(tf.image.ssim_multiscale(tf.constant(a), tf.constant(b), 255))
