"""The plugins as objects: what each one is and admits, and all of a kind, built."""

from collections.abc import Callable, Collection

import tensorflow as tf

from tfusq import plugins
from tfusq.entropy_models import EntropyModel
from tfusq.errors import Error
from tfusq.quantization import temperature
from tfusq.quantization.base import Surrogate
from tfusq.quantization.estimators import Estimator, Undefined


def describe(claimed: list[plugins.Plugin]) -> list[str]:
  """Describes a plugin in a few lines.

  Args:
    claimed: Plugins of one name, from `plugins.claims` or `plugins.by_name`.

  Returns:
    The first line of the docstring and what the plugin admits, or why it is broken.
  """
  try:
    return describe_class(plugins.load(claimed))
  except plugins.PluginError as error:
    return [f'BROKEN: {error}']
  except Exception as error:  # a class that only looks like a plugin
    return [f'BROKEN: {type(error).__name__}: {error}']


def describe_class(cls: type) -> list[str]:
  """Returns the first line of a plugin's docstring and what the plugin admits."""
  docstring = (cls.__doc__ or 'no docstring').strip()
  lines = [docstring.splitlines()[0]]

  if issubclass(cls, Surrogate):
    lines.append(f'admits {", ".join(_admitted(cls))}')
  if issubclass(cls, Estimator):
    lines.append('for the rate only' if cls.elementwise else 'for rate and distortion')
  if issubclass(cls, EntropyModel):
    centring = 'zero-centre or nonzero-centre' if cls.has_centre() else 'nonzero-centre'
    lines.append(f'{cls.channels} network outputs per channel; {centring}')

  temperatures = temperature.temperature_parameters(cls)
  if temperatures:
    lines.append(f'temperatures: {", ".join(temperatures)}')
  return lines


def _admitted(cls: type[Surrogate]) -> list[str]:
  """Returns the names of the built-in estimators that a surrogate admits."""
  if not isinstance(cls.differentiable, bool):
    raise TypeError(f'{cls.__name__}.differentiable must be True or False')

  admitted = ['STE']
  if cls.differentiable:
    admitted.append('PGE')
  if cls.has_secant():
    admitted.append('EP')
  return admitted


def build(
  cls: type, bound: Collection[str] = (), make: Callable[..., tf.Module] | None = None
) -> list[tf.Module]:
  """Builds a plugin once, or once for each of its typical temperatures.

  Args:
    cls: The plugin's class.
    bound: Names of the temperatures that `make` gives itself.
    make: Makes an object, given the other temperatures by name; by default the class.

  Returns:
    The objects.

  Raises:
    PluginError: if an object can't be built; says why in one line.
  """
  try:
    return temperature.instances(cls, bound, make)
  except Error as error:
    raise plugins.PluginError(f'{cls.__name__} is not built: {error}') from error
  except Exception as error:  # a plugin's constructor raises whatever it likes
    raise plugins.PluginError(
      f'{cls.__name__} is not built: {type(error).__name__}: {error}'
    ) from error


def build_all(base: type) -> tuple[list[tf.Module], list[str]]:
  """Builds every registered plugin of a kind at each of its typical temperatures.

  Args:
    base: Base class of the kind, such as `Surrogate`.

  Returns:
    The objects, and for each plugin that is left out, of any kind if it can't be imported, one line
    that says why.
  """
  classes, errors = plugins.load_all()
  left_out = [str(error) for error in errors.values()]
  objects = []

  for cls in classes.values():
    if not issubclass(cls, base):
      continue
    try:
      objects.extend(build(cls))
    except plugins.PluginError as error:
      left_out.append(str(error))

  return objects, left_out


def pairs() -> str:
  """Returns which surrogate goes with which estimator, as a Markdown table.

  "rate" and "distortion" are the terms of the loss in which a pair is defined. Where there is no
  pair, building the quantizer raises `Undefined`; where only the rate is named, building a codec
  with the pair for its distortion does.
  """
  all_surrogates, without_surrogates = build_all(Surrogate)
  all_estimators, without_estimators = build_all(Estimator)
  # Neither depends on the temperature, so that one object of a class stands for all.
  surrogates = {type(surrogate).__name__: surrogate for surrogate in all_surrogates}
  estimators = {type(estimator).__name__: estimator for estimator in all_estimators}

  lines = [
    f'| | {" | ".join(estimators)} |',
    '| --- |' + ' --- |' * len(estimators),
  ]
  for name, surrogate in surrogates.items():
    cells = [_terms(surrogate, estimator) for estimator in estimators.values()]
    lines.append(f'| {name} | {" | ".join(cells)} |')

  # A plugin that can't be imported is in both lists.
  for reason in dict.fromkeys(without_surrogates + without_estimators):
    lines += ['', f'left out: {reason}']

  return '\n'.join(lines)


def _terms(surrogate: Surrogate, estimator: Estimator) -> str:
  """Returns the terms of the loss in which a pair is defined, or the name of another error."""
  try:
    estimator.check(surrogate)
  except Undefined:
    return ''
  except Exception as error:  # a plugin raises whatever it likes
    return type(error).__name__
  return 'rate' if estimator.elementwise else 'rate, distortion'
