import math

import numpy as np
import pytest
import tensorflow as tf

from tfusq.evaluation import metrics


def test_psnr_is_that_of_eight_bit_pixels():
  a = np.full([20, 20, 3], 100, np.uint8)
  assert metrics.psnr(a, a + np.uint8(5)) == pytest.approx(10 * math.log10(255**2 / 25), abs=1e-4)
  assert metrics.psnr(a, a) == math.inf


def test_ms_ssim_is_tensorflows_and_undefined_for_small_images(photograph):
  noisy = np.clip(photograph + np.random.default_rng(0).normal(0, 9, photograph.shape), 0, 255)
  noisy = noisy.astype(np.uint8)
  expected = tf.image.ssim_multiscale(
    tf.constant(photograph, tf.float32), tf.constant(noisy, tf.float32), 255
  )
  assert metrics.ms_ssim(photograph, noisy) == pytest.approx(float(expected), abs=1e-5)
  assert math.isnan(metrics.ms_ssim(photograph[:160], noisy[:160]))


@pytest.mark.parametrize('size', [(161, 161), (177, 202), (300, 163)])
def test_ms_ssim_is_tensorflows_at_any_size(photograph, size):
  image = photograph[: size[0], : size[1]]
  coarse = image // 32 * 32
  expected = float(tf.image.ssim_multiscale(tf.constant(image), tf.constant(coarse), 255))
  assert metrics.ms_ssim(image, coarse) == pytest.approx(expected, abs=1e-5)
  assert metrics.ms_ssim(image, image) == pytest.approx(1, abs=1e-12)


def test_ms_ssim_of_a_negative_is_zero(photograph):
  assert metrics.ms_ssim(photograph, 255 - photograph) == 0
