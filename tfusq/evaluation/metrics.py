"""Quality of a decoded image, on 8-bit RGB as a user sees it."""

import numpy as np
import tensorflow as tf

MS_SSIM_MIN_SIDE = 161  # five scales of an 11-pixel window


def psnr(a: np.ndarray, b: np.ndarray) -> float:
  """Peak signal-to-noise ratio of two uint8 images in dB; infinite where they are equal."""
  return float(tf.image.psnr(a, b, 255))


def ms_ssim(a: np.ndarray, b: np.ndarray) -> float:
  """MS-SSIM of two uint8 images, 0 to 1; NaN where a side is shorter than 161 pixels."""
  if min(a.shape[:2]) < MS_SSIM_MIN_SIDE:
    return float('nan')
  return float(tf.image.ssim_multiscale(tf.constant(a), tf.constant(b), 255))
