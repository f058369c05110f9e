"""Codecs for digits: gradients compared with differences and with samples."""

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from tfusq.analysis.studies.digit_codec import DigitCodec, possible_values

DIGITS = np.random.default_rng(0).uniform(size=[20, 784]).astype(np.float32)


@pytest.fixture(scope='module')
def codec():
  tf.keras.utils.set_random_seed(0)
  return DigitCodec(8, 8, [0, 0])


def expected_error(codec, surrogate, x, y):
  """Returns the expected squared error of each digit, by enumeration over both components."""
  values, probabilities = possible_values(surrogate, y)
  total = 0.0
  for first in range(values.shape[0]):
    for second in range(values.shape[0]):
      y_tilde = tf.stack([values[first, :, 0], values[second, :, 1]], -1)
      probability = probabilities[first, :, 0] * probabilities[second, :, 1]
      total += probability * codec.squared_errors(x, y_tilde)
  return total.numpy()


@pytest.mark.parametrize('surrogate', [tfusq.SR(), tfusq.SRA(4.0), tfusq.SGAHard(0.5)])
def test_the_expected_gradient_is_the_slope_of_the_expected_error(codec, surrogate):
  _, exact = codec.bias(surrogate, DIGITS)
  x = tf.constant(DIGITS)
  y = codec.latents(x).numpy()
  step = 1e-2
  for component in (0, 1):
    shift = step * np.eye(2, dtype=np.float32)[component]
    inside = np.abs(y[:, component] - np.round(y[:, component])) > 0.03
    slope = (
      expected_error(codec, surrogate, x, tf.constant(y + shift))
      - expected_error(codec, surrogate, x, tf.constant(y - shift))
    ) / (2 * step)
    assert inside.sum() > 5
    assert slope[inside] == pytest.approx(
      exact[inside, component], rel=0.02, abs=0.02 * np.abs(exact).max()
    )


@pytest.mark.parametrize('surrogate', [tfusq.SR(), tfusq.SUA(4.0)])
def test_the_bias_is_the_mean_of_samples(codec, surrogate):
  bias, exact = codec.bias(surrogate, DIGITS)
  x = tf.constant(DIGITS)
  y = codec.latents(x)
  batches, samples = 10, 400
  quantizer = tfusq.Quantizer(surrogate, tfusq.STE())
  tiled = tf.tile(y[None], [samples, 1, 1])
  gradients = []
  for batch in range(batches):
    u = quantizer.noise(tiled, tf.constant([1, batch]))
    with tf.GradientTape() as tape:
      tape.watch(tiled)
      errors = codec.squared_errors(x, quantizer(tiled, u))
    gradients.append(tape.gradient(errors, tiled))
  gradient = np.concatenate(gradients)
  z = (gradient.mean(0) - bias - exact) / (
    gradient.std(0) / len(gradient) ** 0.5 + 0.01 * np.abs(exact).mean()
  )
  assert np.abs(z).max() < 4


def test_additive_noise_is_unbiased(codec):
  bias, exact = codec.bias(tfusq.AUN(), DIGITS)
  assert np.abs(bias).mean() < 0.02 * np.abs(exact).mean()


def test_training_lowers_the_error(codec):
  digits = np.tile(DIGITS, [10, 1])
  before = codec.error(digits)
  codec.train(digits, 60)
  assert codec.error(digits) < before
