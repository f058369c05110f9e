"""Configurations: gin builds codecs, optimizers and data, and calls what is trained or swept.

Everything is registered, parsed and finalized before anything is built, and no function that gin
configured is ever traced by TensorFlow. Classes and functions are registered from here, so that
they can be used without gin.
"""

import contextlib
import functools
import inspect
import re
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gin
import tensorflow as tf
from absl import logging

from tfusq import plugins
from tfusq.errors import Error
from tfusq.gin_files import ConfigError as ConfigError
from tfusq.gin_files import bindings, checked, one_line, parse_files, parse_statement
from tfusq.gin_files import search_path as search_path
from tfusq.versions import installed

# Keras has no type hints.
_KERAS_HINTS: dict[str, dict[str, Any]] = {
  'Adam': {
    'learning_rate': float,
    'beta_1': float,
    'beta_2': float,
    'epsilon': float,
    'amsgrad': bool,
    'weight_decay': float | None,
    'clipnorm': float | None,
    'clipvalue': float | None,
    'global_clipnorm': float | None,
    'use_ema': bool,
    'ema_momentum': float,
    'ema_overwrite_frequency': int | None,
    'jit_compile': bool,
  },
  'CosineDecay': {
    'initial_learning_rate': float,
    'decay_steps': int,
    'alpha': float,
    'warmup_target': float | None,
    'warmup_steps': int,
  },
  'PiecewiseConstantDecay': {'boundaries': Sequence[int], 'values': Sequence[float]},
}

# Arguments that only some versions of Keras have. A recipe does not name them, because under a
# version without them it would be another recipe.
_NOT_IN_EVERY_VERSION = {'Adam': ['adaptive_epsilon']}


@functools.cache
def register() -> None:
  """Registers the core and every plugin; a broken plugin's name raises its cause when used."""
  hints = {}
  for module, targets in plugins.CORE.items():
    for name, target in targets.items():
      resolved = plugins.resolve(target)
      # The name is given because some classes of TensorFlow have another `__name__`.
      denylist = _not_in_every_version(name, resolved)
      gin.external_configurable(resolved, name=name, module=module, denylist=denylist)
      hints[f'{module}.{name}'] = _KERAS_HINTS.get(name) or _hints(resolved)

  classes, errors = plugins.load_all()
  for plugin, cls in classes.items():
    gin.external_configurable(cls, name=plugin.name, module=plugin.group)
    hints[f'{plugin.group}.{plugin.name}'] = _hints(cls)
  gin.config.register_finalize_hook(functools.partial(_check_values, hints))

  for name, error in errors.items():
    if name.isidentifier() and name not in plugins.RESERVED:
      gin.external_configurable(_raiser(error), name=name, module='tfusq.broken')
    else:  # no configuration can mean it
      logging.warning('%s', error)


def _not_in_every_version(name: str, target: Callable) -> list[str]:
  """Returns those of its arguments that other versions of Keras do not have."""
  parameters = inspect.signature(target).parameters
  return [argument for argument in _NOT_IN_EVERY_VERSION.get(name, []) if argument in parameters]


def parse(gin_files: list[str], gin_bindings: list[str], gin_search_path: list[str]) -> None:
  """Registers everything, parses a configuration, and locks it.

  Args:
    gin_files: Names of files, in the current folder, `gin_search_path` or the package's folders.
    gin_bindings: Statements that overrule the files.
    gin_search_path: Folders with gin files.

  Raises:
    ConfigError: if a file or statement is wrong; names it and the line.
  """
  gin.clear_config()
  register()
  folders = [*gin_search_path, *search_path()]
  parse_files(gin_files, folders)

  statement = 'the configuration'
  try:
    for statement in gin_bindings:
      parse_statement(statement, folders)
    statement = 'the configuration'
    gin.finalize()
  except ConfigError:
    raise
  except Exception as error:  # gin raises many kinds of errors; most messages have the line
    raise ConfigError(f'{statement}: {one_line(error)}') from error


def build(root: str) -> Callable:
  """Returns the configured `tfusq` function `root`, after seeding what initializes weights.

  gin builds the objects that a function takes before it calls it. The seed is therefore set here,
  and the returned function enters the scopes that `execution` and `distribute` are bound to make.

  Args:
    root: Name of the function, such as `train`.

  Returns:
    The function; its arguments overrule the configuration.

  Raises:
    ConfigError: if the configuration's seed is none.
  """
  seed = _value('Codec.seed', 0)
  if not (isinstance(seed, int) and 0 <= seed < 2**32):
    raise ConfigError(f'Codec.seed must be an integer from 0 to 2^32 - 1, not {seed!r}')
  tf.keras.utils.set_random_seed(seed)
  configured = gin.get_configurable(root)

  def run(*args, **kwargs):
    with _refusals(root), _scope():
      return configured(*args, **kwargs)

  return run


def execution() -> contextlib.AbstractContextManager:
  """Returns the scope of the execution that is bound: what `build` builds and trains in.

  Raises:
    ConfigError: if its arguments are refused.
  """
  with _refusals():
    return _bound_scope('execution')


def build_parameter(parameter: str) -> Any:
  """Returns the value of a parameter such as `train.codec`, built if it is a reference.

  Raises:
    ConfigError: if the parameter is not bound, or a constructor refuses its arguments.
  """
  with _refusals():
    return _value(parameter)


def build_configurable(name: str, **values: Any) -> Any:
  """Builds what gin would write as `@name()`.

  Args:
    name: Name of a configurable.
    **values: Arguments that the configuration does not bind.

  Returns:
    The object.

  Raises:
    ConfigError: if a constructor refuses its arguments.
  """
  with _refusals():
    return gin.get_configurable(name)(**values)


def bound_parameters(name: str) -> list[str]:
  """Returns the parameters of a configurable that are bound without a scope."""
  return list(gin.get_bindings(name, resolve_references=False, inherit_scopes=False))


def recipe() -> str:
  """Returns the configuration in force, with versions in comments.

  gin knows what is in force only after everything is built. Bindings that nothing has read are
  warned of.
  """
  for key in _unused():
    logging.warning('the binding %s is not used', key)

  versions = installed('gin-config')
  for plugin in plugins.discover():
    versions[plugin.distribution] = plugin.version
  header = ''.join(f'# {name} {version}\n' for name, version in versions.items())
  return header + gin.operative_config_str()


def _hints(target: Any) -> dict[str, Any]:
  """Returns the type hints of a configurable's parameters; none of a plugin with broken ones."""
  function = getattr(target, '__init__') if isinstance(target, type) else target  # noqa: B009
  try:
    return typing.get_type_hints(function)
  except (NameError, TypeError, AttributeError):
    return {}


def _check_values(hints: dict[str, dict[str, Any]], config: dict) -> dict[tuple, Any]:
  """Refuses values of another kind than their parameters'; gin calls this when all is parsed.

  Args:
    hints: Type hints of parameters, by configurables and parameters.
    config: Values by (scope, configurable) and parameter.

  Returns:
    Values to be bound instead, by (scope, configurable, parameter): integers for whole floats.
  """
  replaced = {}
  for (scope, selector), values in sorted(config.items()):
    for parameter, value in values.items():
      kind = hints.get(selector, {}).get(parameter)
      if kind is None:
        continue

      key = (scope, selector, parameter)
      while _is_macro(value) and value.config_key in config:
        key = (*value.config_key, 'value')
        value = config[value.config_key]['value']

      label = f'{selector.rpartition(".")[2]}.{parameter}'
      right = checked(label, value, kind)
      if selector.startswith('keras.'):
        _check_range(label, right)
      if repr(right) != repr(value):  # 4 and 4.0 are equal
        replaced[key] = right
  return replaced


def _is_macro(value: Any) -> bool:
  return isinstance(value, gin.config.ConfigurableReference) and value.selector == 'gin.macro'


def _check_range(label: str, value: Any) -> None:
  """Refuses numbers that Keras takes, though no training goes well with them."""
  for number in value if isinstance(value, list | tuple) else [value]:
    if isinstance(number, int | float) and number < 0:
      raise ConfigError(f'{label} must not be negative, as {number!r} is')
    if label in ('Adam.beta_1', 'Adam.beta_2') and number >= 1:
      raise ConfigError(f'{label} must be less than 1, not {number!r}')


def _unused() -> list[str]:
  """Returns the keys of bindings that no call has read.

  A binding to a macro, such as `Laplacian.bound = %BOUND`, is not reported: files bind macros for
  entropy models and transforms that another file may replace.
  """
  # gin has no public way to ask what was read, but for this text; its own parser reads it back.
  used = [binding.key for binding in bindings(gin.operative_config_str())]
  return [
    binding.key
    for binding in bindings(gin.config_str())
    if not binding.hands_on_a_macro and not _is_read(binding.key, used)
  ]


def _is_read(key: str, used: list[str]) -> bool:
  """Returns whether a call in the key's scope, or in a scope inside it, has read the parameter."""
  scope, _, parameter = key.rpartition('/')
  for other in used:
    other_scope, _, other_parameter = other.rpartition('/')
    is_inside = not scope or f'{other_scope}/'.startswith(f'{scope}/')
    if parameter == other_parameter and is_inside:
      return True
  return False


@contextlib.contextmanager
def _scope() -> Iterator[None]:
  """Enters the scopes of the execution and of the strategy that are bound."""
  with contextlib.ExitStack() as scopes:
    for name in ('execution', 'distribute'):
      scopes.enter_context(_bound_scope(name))
    yield


def _bound_scope(name: str) -> contextlib.AbstractContextManager:
  """Returns the scope that a configurable makes, or none where nothing of it is bound."""
  # Asked for only if it is bound, so that the recipes of other runs do not mention it.
  if not bound_parameters(name):
    return contextlib.nullcontext()
  return gin.get_configurable(name)()


@contextlib.contextmanager
def _refusals(root: str | None = None) -> Iterator[None]:
  """Re-raises what constructors refuse as `ConfigError`, and our own errors without gin's text.

  Args:
    root: Name of the function that is called; what it raises itself keeps its type.

  Raises:
    ConfigError: if a constructor refused its arguments.
  """
  try:
    yield
  except (TypeError, ValueError, AttributeError, Error) as error:
    # gin adds the calls of configurables to the message, the innermost first.
    calls = re.findall(r"In call to configurable '(\w+)'", str(error))
    is_of_root = not calls or (calls[0] == root and 'No values supplied' not in str(error))
    if not is_of_root and isinstance(error, (TypeError, ValueError, AttributeError)):
      raise ConfigError(' '.join(_shortened(error).split())) from error
    if isinstance(error, Error):
      raise _without_gin(error, root) from error
    raise


def _shortened(error: Exception) -> str:
  """Returns an error's text, what gin adds to it shortened to the configurable's name."""
  return re.sub(
    r"\s*In call to configurable '(.*?)' \(.*\)( in scope '.*?')?",
    r' (in \1\2)',
    str(error).strip(),
  )


def _without_gin(error: Error, root: str | None) -> Error:
  """Returns an error of the class and with the text that it had before gin passed it on.

  Args:
    error: Error that has passed gin.
    root: Name of the function that the user has called, which is not mentioned.
  """
  cls = type(error)

  # gin raises a subclass of the same name, once for each configurable on the way.
  while cls.__mro__[1].__qualname__ == cls.__qualname__:
    cls = cls.__mro__[1]

  return cls(_shortened(error).removesuffix(f' (in {root})'))


def _value(parameter: str, *default: Any) -> Any:
  """Returns the value of a parameter, built if it is a reference to a call."""
  try:
    value = gin.query_parameter(parameter)
  except ValueError:
    if default:
      return default[0]
    raise ConfigError(f'the configuration does not bind {parameter}') from None
  is_reference = isinstance(value, gin.config.ConfigurableReference)
  return value.scoped_configurable_fn() if is_reference and value.evaluate else value


def _raiser(error: Exception) -> Callable:
  """Returns a function that takes any arguments and raises an error."""

  def broken(*args, **kwargs):
    del args, kwargs
    raise error

  return broken
