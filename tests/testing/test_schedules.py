"""Wrong schedules are refused by the check that is made for their fault."""

import pytest
import tensorflow as tf

import tfusq
from tfusq import testing
from tfusq.testing import NonConformance, schedules


class EndsNegative(tfusq.Schedule):
  def __call__(self, step):
    return 1.0 - tf.cast(step, tf.float32) / 2.0**30


class Overflows(tfusq.Schedule):
  def __call__(self, step):
    return tf.exp(tf.cast(step, tf.float32) / 1e4)


class Double(tfusq.Schedule):
  def __call__(self, step):
    return 1.0 + tf.cast(step, tf.float64)


class HasAnAxis(tfusq.Schedule):
  def __call__(self, step):
    return tf.fill([1], 2.0)


class TakesFloatsOnly(tfusq.Schedule):
  def __call__(self, step):
    return 1.0 + tf.constant(1e-6) * step


class CountsItsCalls(tfusq.Schedule):
  def __init__(self):
    super().__init__()
    self.calls = 0

  def __call__(self, step):
    self.calls += 1
    return tf.constant(1.0 + 0.01 * self.calls)


class NeverFalls(tfusq.Schedule):
  """Remembers its highest value: what a step gives depends on those before."""

  def __init__(self):
    super().__init__()
    self.highest = 0.0

  def __call__(self, step):
    self.highest = max(self.highest, float(step))
    return tf.constant(1.0 + self.highest)


class EagerOnly(tfusq.Schedule):
  def __call__(self, step):
    return tf.constant(1.0 if int(step) < 1000 else 5.0)


class FrozenWhenTraced(tfusq.Schedule):
  def __call__(self, step):
    value = 1.0 + tf.cast(step, tf.float32) / 1000
    return value if tf.executing_eagerly() else tf.constant(1.0)


@pytest.mark.parametrize(
  'schedule, check, number',
  [
    (EndsNegative(), schedules.is_finite_and_positive, r'at step 1073741824 the value is 0'),
    (Overflows(), schedules.is_finite_and_positive, 'the value is inf'),
    (Double(), schedules.maps_int64_to_a_float32_scalar, 'at step 0 the value is a float64'),
    (HasAnAxis(), schedules.maps_int64_to_a_float32_scalar, r'of shape \(1,\)'),
    (TakesFloatsOnly(), schedules.maps_int64_to_a_float32_scalar, 'int64 step 0 is refused'),
    (CountsItsCalls(), schedules.is_a_function_of_the_step, 'gave 1.01, and after other steps'),
    (NeverFalls(), schedules.is_a_function_of_the_step, 'step 0 gave 1, and after other steps'),
    (EagerOnly(), schedules.agrees_when_traced, 'with 1 unknown step cannot be traced'),
    (FrozenWhenTraced(), schedules.agrees_when_traced, 'at step 1 a graph gives 1, and an eager'),
  ],
)
def test_faults_are_caught_by_the_right_check(schedule, check, number):
  with pytest.raises(NonConformance, match=number):
    check(schedule)
  assert check in [bound.check for bound in testing.checks_of(schedule)]


@testing.conformance(
  tfusq.Linear(end=12.0, steps=2**35, every=2**20),
  tfusq.Piecewise([], [3.0]),
  tfusq.Exponential(start=0.5, delay=0, floor=0.1),
)
def test_built_in_schedules_conform_with_other_arguments(check):
  assert check() == ''
