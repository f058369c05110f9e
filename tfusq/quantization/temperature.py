"""Temperatures of annealed surrogates: numbers, or schedules that move them (Sec. 6.1.2).

A constructor's parameter is a temperature if its annotation names `Schedule`, as in
`alpha: float | Schedule`. The functions at the end use this to build any class with typical values.
"""

import contextlib
import inspect
import math
import numbers
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import tensorflow as tf

from tfusq.quantization.schedules import (
  SAMPLED_STEPS,
  TYPICAL_TEMPERATURES,
  Constant,
  Schedule,
)


class Temperature(tf.Module):
  """A positive scalar: a number, or the value of a schedule at the step last annealed to.

  It holds a `float32` variable, so that a traced training step can move it. Like every variable, it
  is among the weights of a Keras model that contains it. Yet its value is a function of the step:
  if loading weights changes it, the next `anneal` restores it.
  """

  def __init__(self, value: float | Schedule):
    """Initializer.

    Args:
      value: A positive number or a schedule of positive numbers.

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

    for step in SAMPLED_STEPS:
      sample = float(self.schedule(tf.constant(step, tf.int64)))
      if not 0 < sample < math.inf:
        raise ValueError(
          'a temperature is a positive number or a schedule of positive numbers, not '
          f'{sample:g} at step {step}'
        )

    # Every replica of a distributed run assigns the same value.
    self.value = tf.Variable(
      self.schedule(tf.constant(0, tf.int64)),
      trainable=False,
      dtype=tf.float32,
      name='temperature',
      aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )
    self._held: tf.Tensor | None = None

  def __call__(self, dtype: tf.DType) -> tf.Tensor:
    """Returns the present value.

    Args:
      dtype: Floating-point type of the result.

    Returns:
      The value, a scalar tensor of `dtype`.
    """
    value = self.value.read_value() if self._held is None else self._held
    return tf.cast(value, dtype)

  def anneal(self, step: tf.Tensor) -> None:
    """Moves the temperature to its value at a training step.

    Args:
      step: Scalar integer tensor.
    """
    self.value.assign(self.schedule(step))

  @contextlib.contextmanager
  def held_at(self, step: tf.Tensor) -> Iterator[None]:
    """Has the temperature its value at a step, without a change of the variable.

    A graph that is traced meanwhile needs no variable.

    Args:
      step: Scalar integer tensor.
    """
    before = self._held
    self._held = self.schedule(step)
    try:
      yield
    finally:
      self._held = before


def temperature_parameters(cls: type) -> list[str]:
  """Returns the names of a constructor's parameters that take a number or a schedule."""
  try:
    signature = inspect.signature(cls, eval_str=True)
  except NameError:  # An annotation names something that is not imported at run time.
    signature = inspect.signature(cls)

  names = []
  for parameter in signature.parameters.values():
    members = getattr(parameter.annotation, '__args__', ())
    if parameter.annotation is Schedule or Schedule in members:
      names.append(parameter.name)
  return names


def typical_temperatures(cls: type, bound: Collection[str] = ()) -> list[dict[str, float]]:
  """Returns typical values for the temperatures of a class that are not bound.

  The class may define them as its attribute `typical_temperatures`: a sequence of values for each
  of its temperatures, or a mapping from their names to sequences of one length. By default they are
  `TYPICAL_TEMPERATURES`.

  Args:
    cls: Class whose constructor takes the temperatures.
    bound: Names of temperatures to leave out.

  Returns:
    Dictionaries from names to values; `[{}]` where no temperature remains.
  """
  names = [name for name in temperature_parameters(cls) if name not in bound]
  if not names:
    return [{}]

  typical = getattr(cls, 'typical_temperatures', TYPICAL_TEMPERATURES)
  if not isinstance(typical, Mapping):
    typical = dict.fromkeys(names, typical)
  columns = [typical[name] for name in names]
  return [dict(zip(names, row)) for row in zip(*columns)]


def present_temperatures(subject: object) -> dict[str, float]:
  """Returns an object's temperatures by name: attributes that are named as its parameters."""
  temperatures = {}
  for name in temperature_parameters(type(subject)):
    attribute = getattr(subject, name, None)
    if isinstance(attribute, Temperature):
      temperatures[name] = float(attribute.value)
  return temperatures


def describe(subject: object) -> str:
  """Returns an object's class and present temperatures, such as `SUA(alpha = 5)`."""
  values = [f'{name} = {value:g}' for name, value in present_temperatures(subject).items()]
  return f'{type(subject).__name__}({", ".join(values)})'


def typical_arguments(cls: type, bound: Collection[str] = ()) -> list[dict[str, Any]]:
  """Returns typical arguments of a constructor, apart from those that are bound.

  These are the class attribute `typical_arguments`, a mapping that any class may define, and its
  typical temperatures.

  Args:
    cls: Class to build.
    bound: Names of the arguments to leave out.

  Returns:
    Dictionaries from names to values, one for each value of its temperatures.
  """
  named = dict(getattr(cls, 'typical_arguments', {}))
  fixed = {name: value for name, value in named.items() if name not in bound}
  temperatures = typical_temperatures(cls, [*bound, *fixed])
  return [{**fixed, **values} for values in temperatures]


def instances(
  cls: type,
  bound: Collection[str] = (),
  build: Callable[..., Any] | None = None,
) -> list[Any]:
  """Builds a class with its typical arguments, once for each value of its typical temperatures.

  Args:
    cls: Class to build.
    bound: Names of the arguments that `build` supplies itself.
    build: Function that returns an object, given the other arguments by name; by default the class
      itself.

  Returns:
    The objects, in the order of the typical temperatures; one if there are no temperatures.

  Raises:
    TypeError: if a required argument has no value; the message says what to bind.
  """
  build = build or cls
  rows = typical_arguments(cls, bound)
  supplied = {*bound, *rows[0]}
  missing = [name for name in _required_arguments(cls) if name not in supplied]
  if missing:
    name = cls.__name__
    raise TypeError(
      f'{name} needs arguments that have no typical values ({", ".join(missing)}): bind them, as '
      f"in --gin_bindings '{name}.{missing[0]} = ...', or define {name}.typical_arguments"
    )
  return [build(**arguments) for arguments in rows]


def _required_arguments(cls: type) -> list[str]:
  """Returns the names of a constructor's parameters that have no default."""
  names = []
  for parameter in inspect.signature(cls).parameters.values():
    is_variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    if parameter.default is parameter.empty and not is_variadic:
      names.append(parameter.name)
  return names
