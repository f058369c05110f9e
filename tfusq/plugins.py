"""The plugin registry: entry points, found by metadata and imported one by one.

A plugin is a class that a distribution names in one of `GROUPS`. The entry point's name, the
class's name and what gin writes after `@` are the same. The built-in classes are plugins of the
distribution tfusq.

An exported codec is a plugin too, in the group `CODECS`. Its entry point names a package whose
folder is that of the codec. The package is found and not imported, and gin does not know its name.
"""

import functools
import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

from tfusq.errors import Error

# The base class of each group, by name so that listing imports nothing.
GROUPS = {
  'tfusq.surrogates': 'tfusq.quantization.base:Surrogate',
  'tfusq.estimators': 'tfusq.quantization.estimators:Estimator',
  'tfusq.schedules': 'tfusq.quantization.schedules:Schedule',
  'tfusq.entropy_models': 'tfusq.entropy_models:EntropyModel',
  'tfusq.models': 'tfusq.models:Model',
  'tfusq.transforms': 'tfusq.transforms:Transforms',
  'tfusq.distortions': 'tfusq.training.distortions:Distortion',
}

# Group of the packages that hold exported codecs.
CODECS = 'tfusq.codecs'

# What gin configures beside the plugins, by gin module and name. No plugin can have these names.
CORE = {
  'tfusq': {
    'Codec': 'tfusq.training.codec:Codec',
    'VariableRate': 'tfusq.models.variable_rate:VariableRate',
    'Quantizer': 'tfusq.quantization.quantizer:Quantizer',
    'Patches': 'tfusq.training.patches:Patches',
    'Refinement': 'tfusq.refinement.refinement:Refinement',
    'distribute': 'tfusq.training.distribute:distribute',
    'execution': 'tfusq.training.execution:execution',
    'train': 'tfusq.training.train:train',
    'Sweep': 'tfusq.sweeps.sweep:Sweep',
    'Trunk': 'tfusq.sweeps.trunk:Trunk',
  },
  'keras': {
    'Adam': 'tensorflow:keras.optimizers.Adam',
    'CosineDecay': 'tfusq.training.learning_rate:CosineDecay',
    'PiecewiseConstantDecay': 'tfusq.training.learning_rate:PiecewiseConstantDecay',
  },
  'tf.distribute': {
    'MirroredStrategy': 'tensorflow:distribute.MirroredStrategy',
    'MultiWorkerMirroredStrategy': 'tensorflow:distribute.MultiWorkerMirroredStrategy',
  },
}
RESERVED = frozenset().union(*CORE.values())


class PluginError(Error, RuntimeError):
  """A plugin that is unknown, claimed twice or broken; names distributions and versions."""


class Plugin(NamedTuple):
  """One entry point, from metadata alone.

  Attributes:
    group: Entry-point group, a key of `GROUPS` or `CODECS`.
    name: Name of the entry point.
    target: Module and class, `module:class`; of a codec, the package.
    distribution: Name of the distribution that has the entry point.
    version: Version of the distribution.
  """

  group: str
  name: str
  target: str
  distribution: str
  version: str

  @property
  def origin(self) -> str:
    """Distribution and version."""
    return f'{self.distribution} {self.version}'


def discover() -> list[Plugin]:
  """Returns every installed class, sorted by group and name; imports none.

  The installed distributions are read once in a process; `refresh` makes the next call read them
  again.
  """
  return [plugin for plugin in _scan() if plugin.group in GROUPS]


def codecs() -> list[Plugin]:
  """Returns every installed codec, sorted by name; reads none."""
  return [plugin for plugin in _scan() if plugin.group == CODECS]


def refresh() -> None:
  """Makes the next call see distributions that were installed since the process began."""
  importlib.invalidate_caches()
  _scan.cache_clear()


# Reading the metadata of a hundred distributions takes about as long as importing NumPy.
@functools.cache
def _scan() -> tuple[Plugin, ...]:
  entry_points = importlib.metadata.entry_points()
  plugins = []

  for group in (*GROUPS, CODECS):
    in_group = {
      Plugin(group, entry.name, entry.value, *_name_and_version(entry.dist))
      for entry in entry_points.select(group=group)
    }
    plugins.extend(sorted(in_group))

  return tuple(plugins)


# Each access to a distribution's name or version parses its metadata file.
@functools.lru_cache
def _name_and_version(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
  metadata = distribution.metadata
  return metadata['Name'] or '?', metadata['Version'] or '?'


def by_name() -> dict[str, list[Plugin]]:
  """Returns the installed plugins by name; a name with more than one plugin is a clash."""
  claimed: dict[str, list[Plugin]] = {}
  for plugin in discover():
    claimed.setdefault(plugin.name, []).append(plugin)
  return claimed


def claims(name: str) -> list[Plugin]:
  """Returns the plugins of one name in all groups: more than one is a clash.

  Raises:
    PluginError: if there is none.
  """
  claimed = by_name()
  if name not in claimed:
    available = ', '.join(sorted(claimed)) or 'none'
    raise PluginError(f'no plugin {name}; available: {available}')
  return claimed[name]


def load(claimed: list[Plugin]) -> type:
  """Imports the one plugin that claims a name.

  Args:
    claimed: Plugins of one name, from `claims` or `by_name`.

  Returns:
    The class.

  Raises:
    PluginError: if more than one distribution claims the name, the name is reserved, the import
      fails, or the imported object is not a class of that name derived from the group's base class.
  """
  plugin = only(claimed)
  try:
    return _load(plugin)
  # Whatever a plugin's module raises makes its own name unusable, and no other.
  except (Exception, SystemExit) as error:
    raise PluginError(
      f'the plugin {plugin.name} of {plugin.origin} ({plugin.target}) is broken: '
      f'{type(error).__name__}: {error}'
    ) from error


def only(claimed: list[Plugin]) -> Plugin:
  """Returns the one plugin that claims a name.

  Args:
    claimed: Plugins of one name, at least one.

  Raises:
    PluginError: if there are several; names their distributions.
  """
  if len(claimed) > 1:
    claimants = ' and '.join(
      f'{plugin.origin} ({plugin.group}, {plugin.target})' for plugin in claimed
    )
    raise PluginError(f'the plugin name {claimed[0].name} is claimed by {claimants}: uninstall one')
  return claimed[0]


def codec_folder(plugin: Plugin) -> Path:
  """Returns the folder of a codec, which is that of its package.

  Python finds a package without importing it; where its name has dots, it imports those above it.

  Args:
    plugin: One of `codecs`.

  Raises:
    PluginError: if there is no such package.
  """
  try:
    spec = importlib.util.find_spec(plugin.target)
    folders = list((spec and spec.submodule_search_locations) or [])
  # Whatever a module above the package raises makes this codec unusable, and no other.
  except (Exception, SystemExit) as error:
    reason = f'{type(error).__name__}: {" ".join(str(error).split())}'
    raise PluginError(f'the codec {plugin.name} of {plugin.origin} is broken: {reason}') from error

  if not folders:
    raise PluginError(
      f'the codec {plugin.name} of {plugin.origin} is broken: there is no package {plugin.target}'
    )
  return Path(folders[0])


def _load(plugin: Plugin) -> type:
  if not plugin.name.isidentifier():
    raise ValueError('its name is not a Python identifier')
  if plugin.name in RESERVED:
    raise ValueError('its name is reserved by tfusq')

  cls = resolve(plugin.target)
  base_name = GROUPS[plugin.group]
  if not (isinstance(cls, type) and issubclass(cls, resolve(base_name))):
    raise TypeError(f'{plugin.target} is not a subclass of {base_name}')
  if cls.__name__ != plugin.name:
    raise TypeError(
      f'the entry point {plugin.name} must have the name of its class, {cls.__name__}'
    )
  return cls


def resolve(target: str) -> Any:
  """Imports the object `module:name`."""
  return importlib.metadata.EntryPoint('', target, '').load()


def load_all() -> tuple[dict[Plugin, type], dict[str, PluginError]]:
  """Imports every installed plugin.

  Returns:
    The classes, and the error of each name that is broken or claimed twice.
  """
  classes = {}
  errors = {}
  for name, claimed in by_name().items():
    try:
      classes[claimed[0]] = load(claimed)
    except PluginError as error:
      errors[name] = error
  return classes, errors
