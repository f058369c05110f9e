"""Schedules: values as functions of the training step, for temperatures (Sec. 6.1.2)."""

import abc
import math
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

# One on the side of no annealing, one near rounding: formulas that hold at both hold in between.
TYPICAL_TEMPERATURES = (0.5, 5.0)

# A schedule is any function, so that its values can only be sampled: here at every order of
# magnitude of a step, up to 2^40, beyond the end of any training.
SAMPLED_STEPS = (0, *(2**power for power in range(41)))


class Schedule(tf.Module, metaclass=abc.ABCMeta):
  """A function of the training step: the base class of the group `tfusq.schedules`.

  A subclass must define `__call__` and must keep:

  * Its value depends on the step only, whatever steps it was called with before.
  * It is finite at every step from 0 on; the schedule of a temperature is positive, too.
  * It works eagerly and in a graph.

  `tfusq check NAME` and `tfusq.testing.conformance` test this.

  Attributes:
    typical_arguments: Arguments of the constructor, by name, with which `tfusq check NAME` builds
      the class, except those that gin binds. A class whose constructor needs arguments should
      define it.
  """

  typical_arguments: Mapping[str, Any] = {}

  @abc.abstractmethod
  def __call__(self, step: tf.Tensor) -> tf.Tensor:
    """Returns the value at a step.

    Args:
      step: Training step, a scalar integer tensor, `int64` in training; at least 0.

    Returns:
      The value, a scalar float32 tensor.
    """


class Linear(Schedule):
  """From `start` to `end` in `steps` steps, then constant.

  The paper anneals alpha in this way from 1:

      value(step) = start + (end - start) min(step / steps, 1).
  """

  typical_arguments = {'end': 12.0, 'steps': 1000}

  def __init__(self, end: float, steps: int, start: float = 1.0, every: int = 1):
    """Initializer.

    Args:
      end: Value from step `steps` on.
      steps: Number of steps from `start` to `end`; at least 1.
      start: Value at step 0.
      every: Steps between changes; the steps of an epoch give a staircase by epoch.

    Raises:
      ValueError: if `steps` or `every` is less than 1 or a value is not finite.
    """
    super().__init__()
    if not (steps >= 1 and every >= 1):
      raise ValueError(f'Linear.steps and Linear.every must be at least 1, not {steps} and {every}')
    if not (math.isfinite(start) and math.isfinite(end)):
      raise ValueError(f'Linear.start and Linear.end must be finite numbers, not {start} and {end}')
    self.start = float(start)
    self.end = float(end)
    self.steps = int(steps)
    self.every = int(every)

  def __call__(self, step: tf.Tensor) -> tf.Tensor:
    # In integers first: float32 does not resolve single steps from 2^24 on.
    step = tf.cast(step, tf.int64)
    step = tf.where(step < self.steps, step - step % self.every, self.steps)
    return self.start + (self.end - self.start) * tf.cast(step, tf.float32) / self.steps


class Constant(Schedule):
  """One value at every step: the meaning of a number that is given instead of a schedule."""

  typical_arguments = {'value': 5.0}

  def __init__(self, value: float):
    """Initializer.

    Args:
      value: Value at every step.

    Raises:
      ValueError: if it is not finite in float32.
    """
    super().__init__()
    if not abs(value) <= tf.float32.max:
      raise ValueError(f'Constant.value must be finite in float32, not {value}')
    self.value = float(value)

  def __call__(self, step: tf.Tensor) -> tf.Tensor:
    return tf.constant(self.value)


class Exponential(Schedule):
  """`start` until step `delay`, then `start exp(-rate (step - delay))`, but at least `floor`.

  With `start = 0.5` and the defaults of `rate` and `delay`, this is the original temperature of
  SGA, `min(0.5, 0.5 exp(-1e-3 (step - 700)))`.

  #### References
  Yang, Bamler and Mandt, Improving inference for neural image compression, 2020,
  https://arxiv.org/abs/2006.04240.
  """

  typical_arguments = {'start': 0.5}

  def __init__(self, start: float, rate: float = 1e-3, delay: int = 700, floor: float = 1e-3):
    """Initializer.

    Args:
      start: First value.
      rate: Rate of the decay, per step; positive.
      delay: Number of steps before the decay.
      floor: Least value; positive and at most `start`.

    Raises:
      ValueError: if an argument is out of range.
    """
    super().__init__()
    if not (0 < floor <= start < math.inf and 0 < rate < math.inf and delay >= 0):
      raise ValueError(
        'Exponential takes 0 < floor <= start, rate > 0 and delay >= 0, not '
        f'floor {floor}, start {start}, rate {rate}, delay {delay}'
      )
    self.start = start
    self.rate = rate
    self.delay = delay
    self.floor = floor

  def __call__(self, step: tf.Tensor) -> tf.Tensor:
    elapsed = tf.cast(tf.maximum(tf.cast(step, tf.int64) - self.delay, 0), tf.float32)
    return tf.maximum(self.start * tf.exp(-self.rate * elapsed), self.floor)


class Piecewise(Schedule):
  """`values[k]` from step `boundaries[k - 1]` until before step `boundaries[k]`."""

  typical_arguments = {'boundaries': (1000, 2000), 'values': (1.0, 5.0, 12.0)}

  def __init__(self, boundaries: Sequence[int], values: Sequence[float]):
    """Initializer.

    Args:
      boundaries: Steps at which the value changes, increasing.
      values: Values; one more than there are boundaries.

    Raises:
      ValueError: if the boundaries do not increase, a value is not finite, or there is not one
        value more than there are boundaries.
    """
    super().__init__()
    if not all(map(math.isfinite, values)):
      raise ValueError(f'Piecewise.values must be finite, not {values}')
    if len(values) != len(boundaries) + 1 or list(boundaries) != sorted(set(boundaries)):
      raise ValueError(
        'Piecewise takes increasing boundaries and one more value than boundaries, '
        f'not {boundaries} and {values}'
      )
    self.boundaries = list(boundaries)
    self.values = [float(value) for value in values]

  def __call__(self, step: tf.Tensor) -> tf.Tensor:
    is_passed = tf.cast(step, tf.int64) >= tf.constant(self.boundaries, tf.int64)
    # A GPU's host would wait for the sum of int32, which it computes itself.
    index = tf.reduce_sum(tf.cast(is_passed, tf.int64))
    return tf.gather(self.values, index)
