"""Temperatures of the annealed surrogates, and the schedules that move them (Sec. 6.1.2)."""

import inspect
import math
import numbers
from collections.abc import Callable, Collection, Mapping, Sequence

import tensorflow as tf

TYPICAL_TEMPERATURES = (0.5, 5.0)


class Schedule(tf.Module):
  """A function of the training step: the base class of the group `tfusq.schedules`."""

  def __call__(self, step: tf.Tensor) -> tf.Tensor:
    """Returns the value at `step` (scalar integer tensor) as a scalar float32 tensor."""
    raise NotImplementedError


class Linear(Schedule):
  """From `start` to `end` in `steps` steps, then constant; the paper anneals alpha from 1 so."""

  def __init__(self, end: float, steps: int, start: float = 1.0, every: int = 1):
    """Initializer.

    Args:
      end: Value from step `steps` on.
      steps: How many steps the way takes; at least 1.
      start: Value at step 0.
      every: Steps between changes; those of an epoch for a staircase by epoch.

    Raises:
      ValueError: if `steps` or `every` is less than 1 or a value is not finite.
    """
    super().__init__()
    if not (steps >= 1 and every >= 1):
      raise ValueError(f'Linear.steps and Linear.every must be at least 1, not {steps} and {every}')
    if not (math.isfinite(start) and math.isfinite(end)):
      raise ValueError(f'Linear goes between finite values, not from {start} to {end}')
    self.start, self.end, self.steps, self.every = float(start), float(end), int(steps), int(every)

  def __call__(self, step: tf.Tensor) -> tf.Tensor:
    # In integers first: float32 steps would stand still from 2^24 on.
    step = tf.cast(step, tf.int64)
    step = tf.where(step < self.steps, step - step % self.every, self.steps)
    return self.start + (self.end - self.start) * tf.cast(step, tf.float32) / self.steps


class Constant(Schedule):
  """One value throughout: what a plain number means wherever a schedule stands."""

  def __init__(self, value: float):
    """Initializer.

    Args:
      value: The value.

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

  The defaults of `rate` and `delay` with `start = 0.5` are SGA's original temperature,
  `min(0.5, 0.5 exp(-1e-3 (step - 700)))`.

  #### References
  Yang, Bamler and Mandt, Improving inference for neural image compression, 2020.
  """

  def __init__(self, start: float, rate: float = 1e-3, delay: int = 700, floor: float = 1e-3):
    """Initializer.

    Args:
      start: First value.
      rate: Of the decay, per step; positive.
      delay: Steps before the decay.
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
    self.start, self.rate, self.delay, self.floor = start, rate, delay, floor

  def __call__(self, step: tf.Tensor) -> tf.Tensor:
    elapsed = tf.cast(tf.maximum(tf.cast(step, tf.int64) - self.delay, 0), tf.float32)
    return tf.maximum(self.start * tf.exp(-self.rate * elapsed), self.floor)


class Piecewise(Schedule):
  """`values[k]` from step `boundaries[k - 1]` until before step `boundaries[k]`."""

  def __init__(self, boundaries: Sequence[int], values: Sequence[float]):
    """Initializer.

    Args:
      boundaries: Steps, increasing.
      values: One more than there are boundaries.

    Raises:
      ValueError: if the boundaries do not increase, a value is not finite, or the numbers do not
        match.
    """
    super().__init__()
    if not all(map(math.isfinite, values)):
      raise ValueError(f'Piecewise.values must be finite, not {values}')
    if len(values) != len(boundaries) + 1 or list(boundaries) != sorted(set(boundaries)):
      raise ValueError(
        'Piecewise takes increasing boundaries and one more value than boundaries, '
        f'not {boundaries} and {values}'
      )
    self.boundaries, self.values = list(boundaries), [float(value) for value in values]

  def __call__(self, step: tf.Tensor) -> tf.Tensor:
    passed = tf.cast(step, tf.int64) >= tf.constant(self.boundaries, tf.int64)
    return tf.gather(self.values, tf.reduce_sum(tf.cast(passed, tf.int32)))


class Temperature(tf.Module):
  """A positive scalar that is a number, or a schedule's value at the step last annealed to.

  `float32`; it holds a variable, so that a traced training step can move it. A Keras model's
  weights have it, as they have every variable; it is a function of the step all the same, and the
  next `anneal` brings that back.
  """

  def __init__(self, value: float | Schedule):
    """Initializer.

    Args:
      value: A positive number, or a `Schedule`.

    Raises:
      ValueError: if it is neither.
    """
    super().__init__()
    if not isinstance(value, Schedule):
      is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
      if not (is_number and 0 < value <= tf.float32.max):
        raise ValueError(f'a temperature is a positive number or a schedule, not {value!r}')
      value = Constant(value)
    self.schedule = value
    for step in (0, *(2**power for power in range(41))):
      there = float(self.schedule(tf.constant(step, tf.int64)))
      if not 0 < there < math.inf:
        raise ValueError(
          f'a temperature is a positive number or a schedule of such, not {there:g} at step {step}'
        )
    # Every replica of a distributed run assigns the same value.
    self.value = tf.Variable(
      self.schedule(tf.constant(0, tf.int64)),
      trainable=False,
      dtype=tf.float32,
      name='temperature',
      aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )

  def __call__(self, dtype: tf.DType) -> tf.Tensor:
    """Returns the present value as a scalar tensor of `dtype`."""
    return tf.cast(self.value.read_value(), dtype)

  def anneal(self, step: tf.Tensor) -> None:
    """Moves to the value at `step`, a scalar integer tensor."""
    self.value.assign(self.schedule(step))


def temperature_parameters(cls: type) -> list[str]:
  """Returns the names of the constructor's parameters that take a number or a schedule."""
  try:
    signature = inspect.signature(cls, eval_str=True)
  except NameError:  # annotations that name what is not imported at run time
    signature = inspect.signature(cls)
  return [
    parameter.name
    for parameter in signature.parameters.values()
    if Schedule in (parameter.annotation, *getattr(parameter.annotation, '__args__', ()))
  ]


def typical_temperatures(cls: type, bound: Collection[str] = ()) -> list[dict[str, float]]:
  """Returns typical values for the temperatures of a class that are not bound.

  The class says them as its attribute `typical_temperatures`: values for each of its temperatures,
  or a mapping from their names to equally many values. By default they are `TYPICAL_TEMPERATURES`.

  Args:
    cls: Class whose constructor takes the temperatures.
    bound: Names of temperatures to leave out.

  Returns:
    One dictionary from names to values for each set of values; `[{}]` where no temperature is
    left.
  """
  names = [name for name in temperature_parameters(cls) if name not in bound]
  if not names:
    return [{}]

  typical = getattr(cls, 'typical_temperatures', TYPICAL_TEMPERATURES)
  if not isinstance(typical, Mapping):
    typical = dict.fromkeys(names, typical)
  columns = [typical[name] for name in names]
  return [dict(zip(names, row)) for row in zip(*columns)]


def present_temperatures(subject: tf.Module) -> dict[str, float]:
  """Returns the present temperatures of an object that are attributes named like its parameters."""
  return {
    name: float(getattr(subject, name).value)
    for name in temperature_parameters(type(subject))
    if isinstance(getattr(subject, name, None), Temperature)
  }


def describe(subject: tf.Module) -> str:
  """Returns the class and the present temperatures of an object, such as `SUA(alpha = 5)`."""
  values = [f'{name} = {value:g}' for name, value in present_temperatures(subject).items()]
  return f'{type(subject).__name__}({", ".join(values)})'


def instances(
  cls: type,
  bound: Collection[str] = (),
  build: Callable[..., tf.Module] | None = None,
) -> list[tf.Module]:
  """Builds a class with each of its typical sets of temperatures, or once if it takes none.

  Args:
    cls: Class to build.
    bound: Names of the temperatures that `build` gives itself.
    build: Function that returns an object, given the other temperatures by name; by default the
      class itself.

  Returns:
    The objects, in the order of the typical values.
  """
  build = build or cls
  return [build(**values) for values in typical_temperatures(cls, bound)]
