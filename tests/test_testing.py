"""All built-ins conform, and the kit catches faults."""

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from tfusq import plugins, testing
from tfusq.temperature import temperature_parameters
from tfusq.testing import NonConformance


def built_ins():
  classes, _ = plugins.load_all()
  return [instance for plugin, cls in classes.items() if plugin.distribution == 'tfusq'
          and any(issubclass(cls, base) for base in testing.CHECKS)
          for instance in testing.instances(cls)]


@testing.conformance(*built_ins())
def test_built_ins_conform(check):
  check()


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
    return secant._replace(upper=secant.upper + .02)


class IgnoresItsSeed(tfusq.AUN):
  def noise(self, y, seed):
    return super().noise(y, [7, 7])


class DrawsItsOwn(tfusq.AUN):
  def __call__(self, y, u):
    return y + tf.random.uniform(tf.shape(y), -.5, .5, y.dtype)


class NotFinite(tfusq.SGA):
  def __call__(self, y, u):
    fraction = y - tf.floor(y)
    return tf.floor(y) + tf.sigmoid(tf.atanh(fraction) - tf.atanh(1 - fraction) + u)


class NeedsItsShape(tfusq.AUN):
  def noise(self, y, seed):
    return tf.random.stateless_uniform(y.shape, seed, -.5, .5, y.dtype)


class EagerOnly(tfusq.STE):
  def quantize(self, surrogate, y, u):
    return super().quantize(surrogate, tf.constant(y.numpy()), u) + 0 * y


class ConstantWhenTraced(tfusq.Gaussian):
  def bits(self, y, parameters):
    return super().bits(y, parameters) * (1. if tf.executing_eagerly() else 1.01)


class WrongValue(tfusq.STE):
  def quantize(self, surrogate, y, u):
    return super().quantize(surrogate, y, u) + 1e-3


class HalfGradient(tfusq.STE):
  def quantize(self, surrogate, y, u):
    return super().quantize(surrogate, .5 * y + .5 * tf.stop_gradient(y), u)


class StopsParameters(tfusq.EP):
  def evaluate(self, f, surrogate, y, u):
    return tfusq.with_slope(tf.stop_gradient(super().evaluate(f, surrogate, y, u)), y,
                            tf.ones_like(y))


class NotNormalized(tfusq.Gaussian):
  def bits(self, y, parameters):
    return super().bits(y, parameters) + .05


class WrongGradient(tfusq.Gaussian):
  def bits(self, y, parameters):
    return super().bits(y, parameters._replace(mean=tf.stop_gradient(parameters.mean)))


class OffByOne(tfusq.Gaussian):
  def coder(self, zero_centre):
    coder = super().coder(zero_centre)
    decode = coder.decode

    def off_by_one(handle, index):
      handle, symbols = decode(handle, index)
      return handle, symbols + 1

    coder.decode = off_by_one
    return coder


class WrongTables(tfusq.Gaussian):
  def coder(self, zero_centre):
    coder = super().coder(zero_centre)
    index = coder.index
    coder.index = lambda parameters: tf.minimum(index(parameters) + 40, 255)
    return coder


@pytest.mark.parametrize('subject, check, number', [
    (ForgetsTheSlope(5.), testing.surrogates.secant_is_the_change_of_the_mean, r'z = -?\d'),
    (GradientForgetsTheSlope(5.), testing.surrogates.gradient_is_the_finite_difference, 'relative'),
    (Scaled(), testing.surrogates.shifts_by_integers, 'by 0.01'),
    (BiasedSecant(), testing.surrogates.secant_is_the_change_of_the_mean, r'z = -?\d'),
    (IgnoresItsSeed(), testing.surrogates.noise_follows_the_seed, '100%'),
    (DrawsItsOwn(), testing.surrogates.is_a_function_of_latent_and_noise, r'\d'),
    (NotFinite(1.), testing.surrogates.is_finite, 'not finite at y'),
    (NeedsItsShape(), testing.surrogates.agrees_when_traced, '4 unknown dimensions'),
    (EagerOnly(), testing.estimators.agrees_when_traced, '2 unknown dimensions'),
    (ConstantWhenTraced(), testing.entropy_models.agrees_when_traced, 'values 0.00'),
    (WrongValue(), testing.estimators.leaves_the_forward_value, 'off by 0.001'),
    (HalfGradient(), testing.estimators.moves_the_mean_of_additive_noise, '0.5'),
    (StopsParameters(), testing.estimators.keeps_the_gradient_of_parameters, r'off by \d'),
    (NotNormalized(), testing.entropy_models.probabilities_sum_to_one, '0.96'),
    (WrongGradient(), testing.entropy_models.bits_have_their_gradients, 'raw parameters'),
    (OffByOne(), testing.entropy_models.codes_exactly_and_near_its_estimate, '1280 of 1280'),
    (WrongTables(), testing.entropy_models.codes_exactly_and_near_its_estimate, 'the estimate')])
def test_faults_are_caught_by_the_right_check(subject, check, number):
  with pytest.raises(NonConformance, match=number):
    check(subject)
  assert check in [bound.check for bound in testing.checks_of(subject)]


def test_what_is_of_no_kind_is_refused():
  with pytest.raises(TypeError, match='not for Linear'):
    testing.checks_of(tfusq.Linear(end=2., steps=3))


def test_temperatures_are_found_by_their_annotation():
  assert temperature_parameters(tfusq.SUA) == ['alpha']
  assert temperature_parameters(tfusq.SGA) == ['tau']
  assert temperature_parameters(tfusq.AUN) == []
  assert len(testing.instances(tfusq.SRA)) == 2


def test_noise_of_one_value_a_latent_still_follows_the_seed():
  u = tfusq.UQs().noise(tf.zeros([3, 4, 4, 2]), [1, 2])
  assert u.shape == [3, 1, 1, 1] and len(np.unique(u)) == 3
