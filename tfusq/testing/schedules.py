"""Checks of schedules."""

import numpy as np
import tensorflow as tf

from tfusq.quantization.schedules import SAMPLED_STEPS, Schedule
from tfusq.testing.requirements import NonConformance, require

# Steps at which schedules often change, and every order of magnitude.
_STEPS = sorted({*SAMPLED_STEPS, 3, 10, 99, 100, 999, 1000, 2500, 10_000, 1_000_000})


def _values(schedule: Schedule, steps: list[int]) -> np.ndarray:
  """Returns the values of a schedule, called step after step."""
  return np.array([float(schedule(tf.constant(step, tf.int64))) for step in steps])


def maps_int64_to_a_float32_scalar(schedule: Schedule) -> None:
  """A scalar `int64` step gives a scalar `float32` tensor."""
  for step in (0, 1000, SAMPLED_STEPS[-1]):
    try:
      value = tf.convert_to_tensor(schedule(tf.constant(step, tf.int64)))
    except Exception as error:  # Whatever the object raises, this is what it violates.
      raise NonConformance(
        f'the int64 step {step} is refused: {type(error).__name__}: {error}'
      ) from error
    require(
      value.dtype == tf.float32 and value.shape.rank == 0,
      f'at step {step} the value is a {value.dtype.name} tensor of shape {value.shape}, '
      'not a float32 scalar',
    )


def is_finite_and_positive(schedule: Schedule) -> None:
  """Values are finite and positive from step 0 to step 2^40."""
  values = _values(schedule, _STEPS)
  for step, value in zip(_STEPS, values):
    require(np.isfinite(value) and value > 0, f'at step {step} the value is {value:g}')


def is_a_function_of_the_step(schedule: Schedule) -> None:
  """A step gives one value, whichever steps the schedule was called with before."""
  values = _values(schedule, _STEPS)
  again = _values(schedule, _STEPS[::-1])[::-1]
  for step, first, second in zip(_STEPS, values, again):
    require(first == second, f'step {step} gave {first:g}, and after other steps {second:g}')


def agrees_when_traced(schedule: Schedule) -> None:
  """A graph gives the values of eager calls."""
  traced = tf.function(
    schedule.__call__, input_signature=[tf.TensorSpec([], tf.int64)], autograph=False
  )
  values = _values(schedule, _STEPS)
  for step, expected in zip(_STEPS, values):
    try:
      value = float(traced(tf.constant(step, tf.int64)))
    except Exception as error:
      raise NonConformance(
        f'a graph with 1 unknown step cannot be traced: {type(error).__name__}: {error}'
      ) from error
    deviation = abs(value - expected) / (1 + abs(expected))
    require(
      deviation < 1e-6, f'at step {step} a graph gives {value:g}, and an eager call {expected:g}'
    )


schedule_checks = [
  maps_int64_to_a_float32_scalar,
  is_finite_and_positive,
  is_a_function_of_the_step,
  agrees_when_traced,
]
