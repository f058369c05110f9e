import numpy as np
import pytest
import tensorflow as tf

import tfusq
import tfusq.testing
from tfusq.analysis import risk, study
from tfusq_gradscale import GradScale


@tfusq.testing.conformance(GradScale(), GradScale(0.0))
def test_conformance(check):
  check()


def gradient(estimator, weights):
  y = tf.constant([[0.3, -0.4, 1.2, -2.45]])
  with tf.GradientTape() as tape:
    tape.watch(y)
    y_tilde = tfusq.Quantizer(tfusq.Round(), estimator)(y, tf.zeros([1, 1]))
    loss = tf.reduce_sum(weights * y_tilde)
  return y, tape.gradient(loss, y)


def test_the_error_scales_the_gradient_by_its_sign():
  weights = tf.constant([[2.0, -3.0, 1.0, -1.0]])
  y, by_y = gradient(GradScale(0.5), weights)
  expected = weights * (1 + 0.5 * tf.sign(weights) * (y - tf.round(y)))
  np.testing.assert_allclose(by_y, expected, rtol=1e-6)


def test_no_scaling_is_straight_through():
  weights = tf.constant([[2.0, -3.0, 1.0, -1.0]])
  np.testing.assert_array_equal(
    gradient(GradScale(0.0), weights)[1], gradient(tfusq.STE(), weights)[1]
  )


def test_a_negative_scale_is_refused():
  with pytest.raises(ValueError, match='delta'):
    GradScale(-1.0)


def test_its_risk_is_measured_beside_the_others(monkeypatch):
  monkeypatch.setattr(risk, 'BLOCK', 100)
  surrogate = tfusq.SUA(5.0)
  found = {type(each).__name__: each for each in study.estimators(surrogate)}
  assert found['GradScale'].delta == 0.1
  y = risk.latents(31)
  exact = risk.ExpectedGradient(surrogate)(y, 0.5, 100)
  straight, scaled, twice = (
    each.bias
    for each in risk.pointwise(
      risk.RateGradient(surrogate, [found['STE'], found['GradScale'], GradScale(0.2)]),
      exact,
      y,
      0.5,
      2000,
    )
  )
  assert np.abs(scaled - straight).max() > 0.001
  np.testing.assert_allclose(twice - straight, 2 * (scaled - straight), atol=1e-9)
