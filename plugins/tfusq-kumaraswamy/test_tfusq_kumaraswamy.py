"""Tests of tfusq-kumaraswamy."""

import numpy as np
import pytest
import tensorflow as tf

import tfusq
import tfusq.testing
from tfusq_kumaraswamy import Kumaraswamy


@tfusq.testing.conformance(
  Kumaraswamy(5.0, 1.5), Kumaraswamy(3.0, tfusq.Linear(1.0, 100, start=2.0))
)
def test_conformance(check):
  check()


@pytest.mark.parametrize('a', [1.0, 1.3, 2.0])
def test_noise_has_the_distribution_and_its_mode_in_the_middle(a):
  noise = Kumaraswamy(5.0, a).noise(tf.zeros([200_000]), [1, 2])
  k = np.sort(noise.numpy()) + 0.5
  b = (2**a * (a - 1) + 1) / a
  cdf = 1 - (1 - k**a) ** b
  uniform = (np.arange(k.size) + 0.5) / k.size

  # The test of Kolmogorov and Smirnov, at p = 0.001.
  assert np.abs(cdf - uniform).max() < 1.95 / np.sqrt(k.size)
  if a > 1:
    mode = ((a - 1) / (a * b - 1)) ** (1 / a)
    assert mode == pytest.approx(0.5)


def test_uniform_noise_is_sua():
  y = tf.constant([[0.3, -1.2, 2.5]])
  u = Kumaraswamy(5.0, 1.0).noise(y, [1, 2])
  np.testing.assert_allclose(Kumaraswamy(5.0, 1.0)(y, u), tfusq.SUA(5.0)(y, u))


def test_expected_gradient_is_refused_and_others_are_not():
  with pytest.raises(tfusq.Undefined, match='PGE or STE'):
    tfusq.Quantizer(Kumaraswamy(5.0, 2.0), tfusq.EP())
  tfusq.Quantizer(Kumaraswamy(5.0, 2.0), tfusq.PGE())


def test_a_shape_below_that_of_uniform_noise_is_refused():
  with pytest.raises(ValueError, match='a must be at least 1, not 0.5'):
    Kumaraswamy(5.0, 0.5)


def test_its_estimated_rate_is_that_of_sua_for_uniform_noise_only():
  """Mean bits of a Gaussian latent, estimated as in training."""
  y = tf.random.stateless_normal([1, 200_000], [1, 2])
  model = tfusq.Gaussian(bound=0.11)
  raw = tf.zeros([*y.shape, 2])
  parameters = model.parameters(raw)

  def rate(surrogate):
    y_tilde = surrogate(y, surrogate.noise(y, [3, 4]))
    return float(tf.reduce_mean(model.bits(y_tilde[..., None], parameters)))

  uniform = rate(Kumaraswamy(5.0, 1.0))
  assert uniform == pytest.approx(rate(tfusq.SUA(5.0)), abs=2e-3)
  assert abs(rate(Kumaraswamy(5.0, 2.0)) - uniform) > 0.01


def test_a_subclass_with_noise_of_its_own_has_not_the_density_of_sua():
  assert tfusq.SUA.has_density()
  assert not Kumaraswamy.has_density()
