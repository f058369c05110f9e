"""Tests of tfusq-gradscale."""

import numpy as np
import pytest
import tensorflow as tf

import tfusq
import tfusq.testing
from tfusq_gradscale import GradScale


@tfusq.testing.conformance(GradScale(), GradScale(0.0))
def test_conformance(check):
  check()


def gradient(estimator, weights):
  """Returns a latent and the gradient of a weighted sum of its rounded components."""
  y = tf.constant([[0.3, -0.4, 1.2, -2.45]])
  quantizer = tfusq.Quantizer(tfusq.Round(), estimator)
  with tf.GradientTape() as tape:
    tape.watch(y)
    loss = tf.reduce_sum(weights * quantizer(y, tf.zeros([1, 1])))
  return y, tape.gradient(loss, y)


def test_the_error_scales_the_gradient_by_its_sign():
  weights = tf.constant([[2.0, -3.0, 1.0, -1.0]])
  y, by_y = gradient(GradScale(0.5), weights)
  expected = weights * (1 + 0.5 * tf.sign(weights) * (y - tf.round(y)))
  np.testing.assert_allclose(by_y, expected, rtol=1e-6)


def test_no_scaling_is_straight_through():
  weights = tf.constant([[2.0, -3.0, 1.0, -1.0]])
  _, scaled = gradient(GradScale(0.0), weights)
  _, straight = gradient(tfusq.STE(), weights)
  np.testing.assert_array_equal(scaled, straight)


def test_a_negative_scale_is_refused():
  with pytest.raises(ValueError, match='delta'):
    GradScale(-1.0)


def test_its_difference_from_straight_through_is_proportional_to_the_scale():
  """The mean gradient of a Gaussian's bits, over the noise of SUA at each latent."""
  latents = tf.linspace(-1.5, 1.5, 31)[:, None]
  y = tf.repeat(latents, 2000, axis=1)
  model = tfusq.Gaussian(bound=0.11)
  parameters = model.parameters(tf.zeros([*y.shape, 2]))

  def mean_gradient(estimator):
    quantizer = tfusq.Quantizer(tfusq.SUA(5.0), estimator)
    u = quantizer.noise(y, [1, 2])
    with tf.GradientTape() as tape:
      tape.watch(y)
      bits = quantizer.evaluate(lambda v: model.bits(v[..., None], parameters), y, u)
    return tf.reduce_mean(tape.gradient(bits, y), axis=1).numpy()

  straight = mean_gradient(tfusq.STE())
  scaled = mean_gradient(GradScale(0.1)) - straight
  doubled = mean_gradient(GradScale(0.2)) - straight
  assert np.abs(scaled).max() > 0.001
  np.testing.assert_allclose(doubled, 2 * scaled, atol=1e-5)
