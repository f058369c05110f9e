"""Wrong surrogates are refused by the check that is made for their fault."""

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from tfusq import testing
from tfusq.testing import NonConformance, surrogates


class ForgetsTheSlope(tfusq.SUA):
  def secant(self, y):
    return super().secant(y)._replace(slope=tf.ones_like(y))


class GradientForgetsTheSlope(tfusq.SUA):
  def __call__(self, y, u):
    return y + tf.stop_gradient(super().__call__(y, u) - y)


class Scaled(tfusq.AUN):
  def __call__(self, y, u):
    return 1.01 * (y + u)


class BiasedSecant(tfusq.SR):
  def secant(self, y):
    secant = super().secant(y)
    return secant._replace(upper=secant.upper + 0.02)


class IgnoresItsSeed(tfusq.AUN):
  def noise(self, y, seed):
    return super().noise(y, [7, 7])


class DrawsItsOwn(tfusq.AUN):
  def __call__(self, y, u):
    return y + tf.random.uniform(tf.shape(y), -0.5, 0.5, y.dtype)


class NotFinite(tfusq.SGA):
  def __call__(self, y, u):
    fraction = y - tf.floor(y)
    return tf.floor(y) + tf.sigmoid(tf.atanh(fraction) - tf.atanh(1 - fraction) + u)


class DeadGradient(tfusq.SR):
  differentiable = True


class Mixing(tfusq.AUN):
  def __call__(self, y, u):
    return y + u - tf.reduce_mean(u)


class NeverAnneals(tfusq.AUN):
  def __init__(self, alpha: float | tfusq.Schedule):
    super().__init__()
    self.alpha = alpha


class NeedsItsShape(tfusq.AUN):
  def noise(self, y, seed):
    return tf.random.stateless_uniform(y.shape, seed, -0.5, 0.5, y.dtype)


class RoundsToTheNext(tfusq.Round):
  def __call__(self, y, u):
    return super().__call__(y, u) + 1


@pytest.mark.parametrize(
  'subject, check, number',
  [
    (ForgetsTheSlope(5.0), surrogates.secant_is_the_change_of_the_mean, r'z = -?\d'),
    (
      GradientForgetsTheSlope(5.0),
      surrogates.gradient_is_the_finite_difference,
      'relative',
    ),
    (Scaled(), surrogates.shifts_by_integers, 'by 0.01'),
    (BiasedSecant(), surrogates.secant_is_the_change_of_the_mean, r'z = -?\d'),
    (IgnoresItsSeed(), surrogates.noise_follows_the_seed, '100%'),
    (DrawsItsOwn(), surrogates.is_a_function_of_latent_and_noise, 'are 0.* apart'),
    (NotFinite(1.0), surrogates.is_finite, 'not finite at y'),
    (DeadGradient(), surrogates.gradient_is_the_change_of_the_mean, r'z = \d'),
    (Mixing(), surrogates.is_elementwise, r'is 0\.0\d+ apart'),
    (NeverAnneals(3.0), surrogates.holds_its_temperatures, '1 parameters .* 0 are held'),
    (RoundsToTheNext(), surrogates.stays_near, r'up to 1\.\d+ away from y, and its reach is 1'),
    (NeedsItsShape(), surrogates.agrees_when_traced, '4 unknown dimensions'),
  ],
)
def test_faults_are_caught_by_the_right_check(subject, check, number):
  with pytest.raises(NonConformance, match=number):
    check(subject)
  assert check in [bound.check for bound in testing.checks_of(subject)]


def test_noise_of_one_value_a_latent_still_follows_the_seed():
  u = tfusq.UQs().noise(tf.zeros([3, 4, 4, 2]), [1, 2])
  assert u.shape == [3, 1, 1, 1] and len(np.unique(u)) == 3


def test_a_surrogate_that_reaches_further_says_so():
  class ReachesFurther(RoundsToTheNext):
    reach = 1.5

  surrogates.stays_near(ReachesFurther())
