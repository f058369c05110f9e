import numpy as np
import pytest
import tensorflow as tf

from tfusq import AUN, EP, PGE, STE, SUA, Quantizer, Round
from tfusq.entropy_models import gaussian_bits


def test_an_offset_centres_the_grid(mode):
  y, offset = tf.constant([0.2, 1.9, -3.3]), tf.constant([0.25, 0.5, -0.1])
  u = tf.zeros([1])
  y_tilde = mode(Quantizer(Round(), STE()))(y, u, offset)
  np.testing.assert_allclose(y_tilde, tf.round(y - offset) + offset)
  bits = mode(lambda y, u, offset: Quantizer(Round(), STE()).evaluate(tf.abs, y, u, offset))(
    y, u, offset
  )
  np.testing.assert_allclose(bits, tf.abs(y_tilde))


@pytest.mark.parametrize('estimator', [PGE(), STE()])
def test_a_stopped_offset_takes_no_gradient_of_the_distortion(estimator, gradients):
  surrogate = SUA(5.0)
  y, offset = tf.constant([0.2, 1.9]), tf.constant([0.25, 0.5])
  u = surrogate.noise(y, [1, 2])
  quantizer = Quantizer(surrogate, estimator)
  _, (by_y, by_offset) = gradients(
    lambda y, offset: quantizer(y, u, tf.stop_gradient(offset)), y, offset
  )
  _, (same_by_y, kept) = gradients(lambda y, offset: quantizer(y, u, offset), y, offset)
  assert by_offset is None
  np.testing.assert_allclose(by_y, same_by_y)
  np.testing.assert_allclose(kept, 1 - by_y, rtol=1e-5)  # dy_tilde/dmu = 1 - J


def test_both_readings_of_the_partial_stop_gradient_in_the_rate(gradients):
  """A: the centre gets the density's gradient at the sample; B: minus the expected gradient."""
  surrogate, scale = SUA(5.0), tf.constant(0.6, tf.float64)
  y = tf.constant(np.linspace(-1.9, 1.9, 20), tf.float64)
  mean = 0.3 * y + 0.1
  u = surrogate.noise(y, [1, 2])
  quantizer = Quantizer(surrogate, EP())

  def rate(stop):
    return lambda y, mean: quantizer.evaluate(
      lambda v: gaussian_bits(v, mean, scale), y, u, tf.stop_gradient(mean) if stop else mean
    )

  _, (by_y, by_mean_a) = gradients(rate(True), y, mean)
  _, (same_by_y, by_mean_b) = gradients(rate(False), y, mean)
  sample = surrogate(y - mean, u) + mean
  _, (at_sample, _) = gradients(lambda v, m: gaussian_bits(v, m, scale), sample, mean)
  np.testing.assert_allclose(by_mean_a, -at_sample, rtol=1e-9)
  np.testing.assert_allclose(by_mean_b, -by_y, rtol=1e-9, atol=1e-12)
  np.testing.assert_allclose(by_y, same_by_y, rtol=1e-12)
  assert np.abs(by_mean_a - by_mean_b).max() > 0.1


def test_arguments_of_the_wrong_kind_are_named():
  with pytest.raises(TypeError, match='surrogate'):
    Quantizer(EP(), EP())
  with pytest.raises(TypeError, match='estimator'):
    Quantizer(AUN(), AUN())


def test_equal_surrogates_share_a_sample_under_one_seed():
  y = tf.zeros([2, 3])
  first, second = Quantizer(SUA(3.0), EP()), Quantizer(SUA(3.0), STE())
  np.testing.assert_array_equal(first.noise(y, [5, 6]), second.noise(y, [5, 6]))
