"""Gains and lambdas between their levels, and how a training spreads over them."""

import numpy as np
import pytest
import tensorflow as tf

from making import make_codec
from tfusq import VariableRate, config
from tfusq.models.variable_rate import STEPS_PER_LEVEL

LAMBDAS = (0.01, 0.05, 0.1)


@pytest.fixture
def variable_rate():
  """Three levels of two channels, whose gains are none of the start."""
  made = VariableRate(LAMBDAS)
  made.create(2, lmbda=0.05)
  for number, levels in enumerate((made.gain, made.inverse_gain, made.widening)):
    levels.values.assign(tf.random.stateless_normal([3, 2], [number, 7]))
  return made


def test_gains_are_geometric_between_levels(variable_rate):
  step = np.array([0, 8, 16, 32, 40, 64])
  gains = variable_rate.gains(tf.constant(step))
  upper = np.array([1, 1, 1, 1, 2, 2])
  fraction = (step / STEPS_PER_LEVEL - (upper - 1))[:, None]
  for found, levels, is_logarithm in (
    (gains.gain, variable_rate.gain, False),
    (gains.inverse_gain, variable_rate.inverse_gain, False),
    (gains.widening, variable_rate.widening, True),
  ):
    at_levels = np.exp(levels.values.numpy().astype(np.float64))
    expected = at_levels[upper - 1] ** (1 - fraction) * at_levels[upper] ** fraction
    assert found.shape == (6, 1, 1, 2)
    found = found[:, 0, 0].numpy()
    np.testing.assert_allclose(np.exp(found) if is_logarithm else found, expected, rtol=1e-5)


def test_the_tables_of_all_steps_are_the_gains_of_training(variable_rate):
  gains = variable_rate.gains(tf.range(variable_rate.steps))
  assert variable_rate.steps == 2 * STEPS_PER_LEVEL + 1
  gain, inverse_gain, widening = (x[:, 0, 0].numpy() for x in gains)
  all_of = variable_rate.all_of
  np.testing.assert_allclose(gain, np.exp(all_of(variable_rate.gain)), rtol=2e-6)
  np.testing.assert_allclose(inverse_gain, np.exp(all_of(variable_rate.inverse_gain)), rtol=2e-6)
  np.testing.assert_allclose(widening, all_of(variable_rate.widening), atol=2e-6)
  # Levels are where they are in the tables, bit for bit.
  np.testing.assert_array_equal(
    all_of(variable_rate.gain)[::STEPS_PER_LEVEL], variable_rate.gain.values
  )


def test_lambdas_increase_with_the_step_and_are_those_of_the_levels_there(variable_rate):
  lambdas = variable_rate.all_lambdas()
  assert lambdas.shape == (65,) and np.all(np.diff(lambdas) > 0)
  np.testing.assert_allclose(lambdas[::32], LAMBDAS, rtol=1e-12)
  assert lambdas[16] == pytest.approx(np.sqrt(0.01 * 0.05), rel=1e-12)
  step = tf.constant([3, 50], tf.int64)
  np.testing.assert_allclose(variable_rate.lmbda(step), lambdas[[3, 50]], rtol=1e-6)


def test_gains_begin_in_proportion_to_the_square_root_of_lambda():
  """So does the widening, which has what the network knows scaled as the latent is."""
  variable_rate = VariableRate((0.01, 0.04))
  variable_rate.create(3, lmbda=0.01)
  gains = variable_rate.gains(tf.constant([0, 32]))
  np.testing.assert_allclose(gains.gain[:, 0, 0], [[1] * 3, [2] * 3], rtol=1e-6)
  np.testing.assert_allclose(gains.gain * gains.inverse_gain, np.ones([2, 1, 1, 3]), rtol=1e-6)
  np.testing.assert_allclose(tf.exp(gains.widening), gains.gain, rtol=1e-6)


def test_an_image_weighs_less_the_higher_its_quality(variable_rate):
  target = variable_rate.target(tf.constant([0, 32, 64]), 0.05)
  np.testing.assert_allclose(target.lmbda, LAMBDAS, rtol=1e-6)
  np.testing.assert_allclose(target.weight, np.sqrt(0.05 / np.array(LAMBDAS)), rtol=1e-6)
  assert target.gains.gain.shape == (3, 1, 1, 2)


@pytest.mark.parametrize(
  'lambdas',
  [(), (0.1,), (0.1, 0.1), (0.2, 0.1), (0.0, 0.1), (-0.1, 0.1), (0.1, np.inf), (np.nan, 1)],
)
def test_what_are_no_increasing_lambdas_is_refused(lambdas):
  with pytest.raises(ValueError, match='VariableRate.lambdas must be two or more increasing'):
    VariableRate(lambdas)


@pytest.mark.parametrize('levels, middle', [(2, 0), (3, 1), (8, 3)])
def test_the_default_is_the_middle_level(levels, middle):
  variable_rate = VariableRate(range(1, levels + 1))
  assert variable_rate.default_step == middle * STEPS_PER_LEVEL


@pytest.mark.parametrize('levels', [2, 8])
@pytest.mark.parametrize('start', [0, 12345, 2**32 - 50, 2**40 + 7, 2**62])
def test_a_training_comes_to_all_steps_equally_often(levels, start):
  """The golden ratio keeps counts within 2 of each other over any images in a row."""
  variable_rate = VariableRate(range(1, levels + 1))
  steps = variable_rate.steps
  index = start + tf.range(20 * steps, dtype=tf.int64)
  counts = np.bincount(variable_rate.spread(index), minlength=steps)
  assert len(counts) == steps
  np.testing.assert_allclose(counts, 20, atol=2)


@pytest.mark.parametrize('start', [0, 2**32 - 500])
def test_few_images_in_a_row_are_of_all_rates(start):
  variable_rate = VariableRate(range(1, 9))
  spread = variable_rate.spread(start + tf.range(1007, dtype=tf.int64)).numpy()
  for first in range(1000):
    among = np.sort(spread[first : first + 8]) / (variable_rate.steps - 1)
    # Eight that lay evenly would be 1/8 apart.
    gaps = np.diff([0, *among, 1])
    assert gaps.max() < 0.24


def test_the_step_of_an_image_does_not_depend_on_its_batch(mode):
  variable_rate = VariableRate(LAMBDAS)
  index = tf.range(10**12, 10**12 + 12, dtype=tf.int64)
  whole = variable_rate.spread(index)
  assert whole.dtype == tf.int64
  spread = mode(variable_rate.spread)
  for size in (1, 3):
    pieces = [spread(index[k : k + size]) for k in range(0, 12, size)]
    np.testing.assert_array_equal(tf.concat(pieces, 0), whole)


def test_gin_binds_it_to_a_codec():
  bindings = [
    'Codec.variable_rate = @VariableRate()',
    'VariableRate.lambdas = (0.01, 0.02, 1)',
  ]
  config.parse([], bindings, [])
  assert config.build_parameter('Codec.variable_rate').lambdas == (0.01, 0.02, 1)


def test_what_is_no_variable_rate_is_refused():
  with pytest.raises(TypeError, match='Codec.variable_rate must be a VariableRate or None, not 3'):
    make_codec(variable_rate=3)
