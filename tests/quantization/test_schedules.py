import numpy as np
import pytest
import tensorflow as tf

from tfusq import (
  Constant,
  Exponential,
  Linear,
  Piecewise,
  Schedule,
)


def test_linear_goes_from_start_to_end_and_stays():
  schedule = Linear(end=12.0, steps=400)
  values = [float(schedule(tf.constant(step, tf.int64))) for step in (0, 100, 400, 10**9)]
  assert values == pytest.approx([1.0, 3.75, 12.0, 12.0])


def test_linear_by_epoch_is_a_staircase():
  schedule = Linear(end=12.0, steps=400, every=100)
  values = [float(schedule(tf.constant(step, tf.int32))) for step in (0, 99, 100, 399, 400, 999)]
  assert values == pytest.approx([1.0, 1.0, 3.75, 9.25, 12.0, 12.0])


def test_linear_by_epoch_ends_in_time():
  schedule = Linear(end=12.0, steps=10, every=4)
  assert [float(schedule(tf.constant(step))) for step in (9, 10)] == pytest.approx([9.8, 12.0])


def test_exponential_is_the_original_temperature_of_sga():
  schedule = Exponential(start=0.5)
  for step in (0, 699, 700, 701, 1700, 3000):
    expected = min(0.5, 0.5 * np.exp(-1e-3 * (step - 700)))
    assert float(schedule(tf.constant(step))) == pytest.approx(expected, rel=1e-5)
  assert float(schedule(tf.constant(10**6))) == pytest.approx(1e-3)


def test_piecewise_and_constant_take_the_stated_values():
  schedule = Piecewise([10, 20], [1.0, 3.0, 2.0])
  assert [float(schedule(tf.constant(step))) for step in (0, 9, 10, 19, 20, 10**9)] == [
    1.0,
    1.0,
    3.0,
    3.0,
    2.0,
    2.0,
  ]
  assert float(Constant(4.0)(tf.constant(7))) == 4.0


@pytest.mark.parametrize('values', [[1.0, float('nan'), 2.0], [1.0, 2.0]])
def test_piecewise_refuses_what_is_no_value(values):
  with pytest.raises(ValueError, match='Piecewise'):
    Piecewise([10, 20], values)


def test_linear_counts_steps_that_float32_cannot():
  schedule = Linear(start=0.0, end=1.0, steps=2**26)
  odd = float(schedule(tf.constant(2**25 + 2**10, tf.int64)))
  assert odd == pytest.approx(0.5 + 2**-16, abs=1e-7)


@pytest.mark.parametrize(
  'arguments',
  [
    {'end': 2.0, 'steps': 0},
    {'end': 2.0, 'steps': 9, 'every': 0},
    {'end': float('nan'), 'steps': 3},
  ],
)
def test_linear_refuses_what_is_no_way(arguments):
  with pytest.raises(ValueError):
    Linear(**arguments)


def test_a_schedule_without_its_value_is_not_built():
  class Empty(Schedule):
    pass

  with pytest.raises(TypeError, match='abstract.*Empty.*__call__'):
    Empty()
