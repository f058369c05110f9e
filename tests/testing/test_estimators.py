"""Wrong estimators are refused by the check that is made for their fault."""

import pytest
import tensorflow as tf

import tfusq
from tfusq import testing
from tfusq.testing import NonConformance, estimators


class SlopelessEP(tfusq.EP):
  def evaluate(self, f, surrogate, y, u):
    secant = surrogate.secant(y)
    return tfusq.with_slope(
      f(surrogate(tf.stop_gradient(y), u)), y, f(secant.upper) - f(secant.lower)
    )


class AcceptsAll(tfusq.PGE):
  def check(self, surrogate):
    pass


class DropsWhatItCaptures(tfusq.STE):
  def evaluate(self, f, surrogate, y, u):
    @tf.custom_gradient
    def through(y):
      return f(surrogate(y, u)), lambda g: g

    return through(y)


class EagerOnly(tfusq.STE):
  def quantize(self, surrogate, y, u):
    return super().quantize(surrogate, tf.constant(y.numpy()), u) + 0 * y


class WrongValue(tfusq.STE):
  def quantize(self, surrogate, y, u):
    return super().quantize(surrogate, y, u) + 1e-3


class HalfGradient(tfusq.STE):
  def quantize(self, surrogate, y, u):
    return super().quantize(surrogate, 0.5 * y + 0.5 * tf.stop_gradient(y), u)


class StopsParameters(tfusq.EP):
  def evaluate(self, f, surrogate, y, u):
    return tfusq.with_slope(
      tf.stop_gradient(super().evaluate(f, surrogate, y, u)), y, tf.ones_like(y)
    )


@pytest.mark.parametrize(
  'subject, check, number',
  [
    (SlopelessEP(), estimators.is_exact_where_only_elementwise, r'with SUA .* z = -?\d'),
    (AcceptsAll(), estimators.moves_the_mean_over_a_period, 'with Round .* is 0.00'),
    (DropsWhatItCaptures(), estimators.keeps_the_gradient_of_parameters, r'off by \d'),
    (EagerOnly(), estimators.agrees_when_traced, '4 unknown dimensions'),
    (WrongValue(), estimators.leaves_the_forward_value, 'off by 0.001'),
    (HalfGradient(), estimators.moves_the_mean_over_a_period, 'is 0.5'),
    (StopsParameters(), estimators.keeps_the_gradient_of_parameters, r'off by \d'),
  ],
)
def test_faults_are_caught_by_the_right_check(subject, check, number):
  with pytest.raises(NonConformance, match=number):
    check(subject)
  assert check in [bound.check for bound in testing.checks_of(subject)]
