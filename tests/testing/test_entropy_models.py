"""Wrong entropy models are refused by the check that is made for their fault."""

import pytest
import tensorflow as tf

import tfusq
from tfusq import testing
from tfusq.testing import NonConformance, entropy_models


class ReadsItsNeighbours(tfusq.Gaussian):
  def parameters(self, raw):
    return super().parameters(raw - tf.reduce_mean(raw))


class NoGradientFarOut(tfusq.Gaussian):
  def bits(self, y, parameters):
    bits = super().bits(y, parameters)
    return tf.where(tf.abs(y - parameters.mean) > 5, tf.stop_gradient(bits), bits)


class ConstantWhenTraced(tfusq.Gaussian):
  def bits(self, y, parameters):
    return super().bits(y, parameters) * (1.0 if tf.executing_eagerly() else 1.01)


class NotNormalized(tfusq.Gaussian):
  def bits(self, y, parameters):
    return super().bits(y, parameters) + 0.05


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


class WidensTheNextChannel(tfusq.Gaussian):
  def widen(self, raw, log_factor):
    return super().widen(raw, tf.roll(log_factor, 1, axis=-1))


class WrongTables(tfusq.Gaussian):
  def coder(self, zero_centre):
    coder = super().coder(zero_centre)
    index = coder.index
    coder.index = lambda parameters: tf.minimum(index(parameters) + 40, 255)
    return coder


@pytest.mark.parametrize(
  'subject, check, number',
  [
    (ReadsItsNeighbours(), entropy_models.bits_are_local, r'bits are \d'),
    (NoGradientFarOut(), entropy_models.bits_have_their_gradients, 'latent is off in'),
    (ConstantWhenTraced(), entropy_models.agrees_when_traced, 'values 0.00'),
    (NotNormalized(), entropy_models.probabilities_sum_to_one, '0.96'),
    (WrongGradient(), entropy_models.bits_have_their_gradients, 'raw parameters'),
    (WidensTheNextChannel(), entropy_models.widens_each_channel, r'costs \+0 bits a value, and'),
    (OffByOne(), entropy_models.codes_exactly_and_near_its_estimate, '1280 of 1280'),
    (WrongTables(), entropy_models.codes_exactly_and_near_its_estimate, 'the estimate'),
  ],
)
def test_faults_are_caught_by_the_right_check(subject, check, number):
  with pytest.raises(NonConformance, match=number):
    check(subject)
  assert check in [bound.check for bound in testing.checks_of(subject)]
