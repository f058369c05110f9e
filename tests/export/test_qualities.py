"""Tables of all qualities, against the gains that are trained."""

import numpy as np
import pytest
import tensorflow as tf

from making import make_variable_codec
from tfusq.export.qualities import Qualities


@pytest.fixture(scope='module')
def variable_rate():
  return make_variable_codec((0.02, 0.1, 0.5), filters=4, latent_channels=6).variable_rate


@pytest.fixture(scope='module')
def qualities(variable_rate):
  return Qualities(variable_rate)


def test_a_step_has_the_gains_of_training(variable_rate, qualities):
  assert (qualities.steps, qualities.levels, qualities.default_step) == (65, 3, 32)
  for step in (0, 5, 32, 64):
    quality = qualities.at(step)
    assert quality.step == step
    expected = variable_rate.gains(tf.constant([step]))
    for found, trained in zip(quality.gains, expected, strict=True):
      assert found.shape == [1, 1, 1, 6] and found.dtype == tf.float32
      np.testing.assert_allclose(found, trained, rtol=2e-6, atol=1e-6)


def test_tables_are_of_float32_once_and_for_all(variable_rate, qualities):
  """So that no `exp` of another machine decides a table index."""
  (gain,) = qualities.encoder_tables
  inverse_gain, widening = qualities.decoder_tables
  logarithms = variable_rate.inverse_gain.values.numpy().astype(np.float64)
  np.testing.assert_array_equal(inverse_gain[::32], np.exp(logarithms).astype(np.float32))
  np.testing.assert_array_equal(widening[::32], variable_rate.widening.values)
  assert gain.shape == inverse_gain.shape == widening.shape == [65, 6]
  assert not any(table.trainable for table in (gain, inverse_gain, widening))


def test_for_decoding_the_latents_gain_is_not_asked_for(qualities):
  found, expected = qualities.at(7, decodes=True).gains, qualities.at(7).gains
  np.testing.assert_array_equal(found.gain, np.ones([1, 1, 1, 6]))
  np.testing.assert_array_equal(found.inverse_gain, expected.inverse_gain)
  np.testing.assert_array_equal(found.widening, expected.widening)


@pytest.mark.parametrize(
  'quality, step', [(1, 0), (3, 64), (2, 32), (1.015, 0), (1.016, 1), (2.999, 64)]
)
def test_a_quality_is_rounded_to_the_nearest_step(quality, step, qualities, mode):
  found = mode(qualities.step_of)(tf.constant(quality, tf.float32))
  assert found == step and found.dtype == tf.int32


@pytest.mark.parametrize('quality', [0.999, 3.001, np.nan])
def test_a_quality_that_is_not_there_is_refused(quality, qualities):
  with pytest.raises(tf.errors.InvalidArgumentError, match='has the qualities from 1 to 3'):
    qualities.step_of(tf.constant(quality, tf.float32))


def test_a_fixed_rate_has_one_quality_without_gains():
  qualities = Qualities()
  assert (qualities.steps, qualities.levels, qualities.default_step) == (1, 1, 0)
  assert qualities.at(0) == (0, None)
  assert not qualities.variables
