"""gin: the only module that imports it.

Everything is registered, parsed and finalized before anything is built, and nothing that gin
configured is ever traced: classes and functions are registered from outside, so that they stay
usable without gin.
"""

import contextlib
import functools
import importlib.metadata
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import gin
import tensorflow as tf
from absl import logging

from tfusq import plugins
from tfusq.errors import Error
from tfusq.quantization.quantizer import Quantizer
from tfusq.sweeps.sweep import Sweep
from tfusq.training import distribute, patches, train
from tfusq.training.codec import Codec

_CORE = {
  'tfusq': (Codec, Quantizer, patches.Patches, distribute.distribute, train.train, Sweep),
  'keras': (tf.keras.optimizers.Adam, tf.keras.optimizers.schedules.PiecewiseConstantDecay),
}
_STRATEGIES = ('MirroredStrategy', 'MultiWorkerMirroredStrategy')


class ConfigError(Error, ValueError):
  """A configuration that can't be found or parsed, or a value in it that is refused."""


def search_path() -> list[str]:
  """Returns the folders with the gin files that come with the package: a wheel's, a checkout's."""
  package = Path(__file__).resolve().parent
  return [
    str(folder)
    for folder in (package / 'gin', package.parent / 'gin')
    if (folder / 'quickstart.gin').is_file()
  ]


@functools.cache
def register() -> None:
  """Registers the core and every plugin; a broken plugin's name raises its cause when used."""
  for module, configurables in _CORE.items():
    for configurable in configurables:
      gin.external_configurable(configurable, module=module)
  for name in _STRATEGIES:  # the class has another name
    gin.external_configurable(getattr(tf.distribute, name), name=name, module='tf.distribute')
  classes, errors = plugins.load_all()
  for plugin, cls in classes.items():
    gin.external_configurable(cls, name=plugin.name, module=plugin.group)
  for name, error in errors.items():
    if name.isidentifier() and name not in plugins.RESERVED:
      gin.external_configurable(_raiser(error), name=name, module='tfusq.broken')
    else:  # no configuration can mean it
      logging.warning('%s', error)


def parse(gin_files: list[str], gin_bindings: list[str], gin_search_path: list[str]) -> None:
  """Registers, parses and locks.

  Args:
    gin_files: Names of files, in the current folder, `gin_search_path` or the package's folders.
    gin_bindings: Statements that overrule the files.
    gin_search_path: Folders.

  Raises:
    ConfigError: naming the file and line of what is wrong.
  """
  gin.clear_config()
  register()
  folders = [*gin_search_path, *search_path()]
  for folder in folders:
    gin.add_config_file_search_path(folder)
  verbosity = logging.get_verbosity()
  logging.set_verbosity(logging.FATAL)  # gin logs an error for a name that a later folder has
  statement = 'the configuration'
  try:
    for statement in gin_files:
      gin.parse_config_file(_find(statement, folders))
    for statement in gin_bindings:
      gin.parse_config(statement)
    statement = 'the configuration'
    gin.finalize()
  except ConfigError:
    raise
  except Exception as error:  # gin raises many kinds; most messages have the line
    raise ConfigError(f'{statement}: {_one_line(error)}') from error
  finally:
    logging.set_verbosity(verbosity)


def build(root: str) -> Callable:
  """Returns the configured `tfusq` function `root`, after seeding what initializes weights.

  gin builds the objects that a function takes before it runs it, so the seed comes first, and the
  scope of the strategy where `distribute.strategy` is bound.
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


def build_parameter(parameter: str):
  """Builds what a parameter such as `train.codec` is bound to."""
  with _refusals():
    return _value(parameter)


def build_configurable(name: str, **values):
  """Builds what gin would write as `@name()`, with what it does not bind given by `values`."""
  with _refusals():
    return gin.get_configurable(name)(**values)


def bound_parameters(name: str) -> list[str]:
  """Returns the parameters of a configurable that are bound without a scope."""
  keys = (key.rpartition('.') for key in _bindings(gin.config_str()))
  return [
    parameter
    for configurable, _, parameter in keys
    if configurable == name or configurable.endswith(f'.{name}')
  ]


def recipe() -> str:
  """Returns the configuration in force, versions in comments; call it when all is built."""
  for binding in _unused():
    logging.warning('the binding %s is not used', binding)
  versions = {
    name: importlib.metadata.version(name)
    for name in (
      'tfusq',
      'tensorflow',
      'tensorflow-compression',
      'tensorflow-probability',
      'gin-config',
    )
  }
  versions |= {plugin.distribution: plugin.version for plugin in plugins.discover()}
  header = ''.join(f'# {name} {version}\n' for name, version in versions.items())
  return header + gin.operative_config_str()


def _shortened(error: Exception) -> str:
  """Returns an error's text, what gin adds to it shortened to the configurable's name."""
  return re.sub(
    r"\s*In call to configurable '(.*?)' \(.*\)( in scope '.*?')?",
    r' (in \1\2)',
    str(error).strip(),
  )


def _scope():
  """Returns the scope of the strategy that is bound; without one, no recipe mentions it."""
  if not bound_parameters('distribute'):
    return contextlib.nullcontext()
  return gin.get_configurable('distribute')()


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
    calls = re.findall(r"In call to configurable '(\w+)'", str(error))
    is_of_root = not calls or (calls[0] == root and 'No values supplied' not in str(error))
    if not is_of_root and isinstance(error, (TypeError, ValueError, AttributeError)):
      raise ConfigError(_one_line(error)) from error
    if isinstance(error, Error):
      raise _without_gin(error) from error
    raise


def _without_gin(error: Error) -> Error:
  """Returns an error of the class and with the text that it had before gin passed it on."""
  cls = type(error)

  # gin raises a subclass of the same name, once for each configurable on the way.
  while cls.__mro__[1].__qualname__ == cls.__qualname__:
    cls = cls.__mro__[1]

  return cls(_shortened(error))


def _one_line(error):
  return ' '.join(_shortened(error).split())


def _find(name, folders):
  for folder in ('', *folders):
    path = os.path.join(folder, name)
    if os.path.isfile(path):
      return path
  raise ConfigError(f'no gin file {name}; searched here, {", ".join(folders)}')


def _value(parameter, *default):
  try:
    value = gin.query_parameter(parameter)
  except ValueError:
    if default:
      return default[0]
    raise ConfigError(f'the configuration does not bind {parameter}') from None
  is_reference = isinstance(value, gin.config.ConfigurableReference)
  return value.scoped_configurable_fn() if is_reference and value.evaluate else value


def _raiser(error):
  def broken(*args, **kwargs):
    del args, kwargs
    raise error

  return broken


def _unused():
  """Returns the bindings that no call has read, but not those that only hand a macro on."""
  used = [_split(key) for key in _bindings(gin.operative_config_str())]
  for key in _bindings(gin.config_str(), r'\s*(?![\s%])'):
    scope, name = _split(key)
    if not any(
      name == other and (not scope or f'{outer}/'.startswith(f'{scope}/')) for outer, other in used
    ):
      yield key


def _bindings(text, value=''):
  return re.findall(rf'^([\w./]+) ={value}', text, re.MULTILINE)


def _split(key):
  scope, _, name = key.rpartition('/')
  return scope, name
