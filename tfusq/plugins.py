"""The plugin registry: entry points, found by metadata and imported one by one.

A plugin is a class that a distribution names in one of `GROUPS`. The entry point's name, the
class's name and what gin writes after `@` are one. Built-ins come the same way as anybody's.
"""

import importlib.metadata
from typing import NamedTuple

from tfusq.errors import Error

# The base class of each group, by name so that listing imports nothing.
GROUPS = {
  'tfusq.surrogates': 'tfusq.quantization.surrogates:Surrogate',
  'tfusq.estimators': 'tfusq.quantization.estimators:Estimator',
  'tfusq.schedules': 'tfusq.quantization.temperature:Schedule',
  'tfusq.entropy_models': 'tfusq.entropy_models:EntropyModel',
  'tfusq.models': 'tfusq.models:Model',
  'tfusq.transforms': 'tfusq.transforms:Transforms',
}

# What gin already knows by these names, so that no plugin can have them.
RESERVED = (
  'Codec',
  'Quantizer',
  'Patches',
  'Sweep',
  'distribute',
  'train',
  'Adam',
  'PiecewiseConstantDecay',
  'MirroredStrategy',
  'MultiWorkerMirroredStrategy',
)


class PluginError(Error, RuntimeError):
  """A plugin that is unknown, claimed twice or broken; names distributions and versions."""


class Plugin(NamedTuple):
  """One entry point, from metadata alone."""

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
  """Returns every plugin that is installed, sorted by group and name; imports none."""
  found = {
    Plugin(
      group, entry.name, entry.value, entry.dist.metadata['Name'] or '?', entry.dist.version or '?'
    )
    for group in GROUPS
    for entry in importlib.metadata.entry_points(group=group)
  }
  order = list(GROUPS)
  return sorted(found, key=lambda plugin: (order.index(plugin.group), *plugin[1:]))


def claims(name: str) -> list[Plugin]:
  """Returns the plugins of that name, in whichever group: more than one is a clash.

  Raises:
    PluginError: if there is none.
  """
  installed = discover()
  claimed = [plugin for plugin in installed if plugin.name == name]
  if not claimed:
    raise PluginError(
      f'no plugin {name}; there are: '
      f'{", ".join(sorted({plugin.name for plugin in installed})) or "none"}'
    )
  return claimed


def load(claimed: list[Plugin]) -> type:
  """Imports the one plugin that claims a name.

  Args:
    claimed: From `claims`.

  Returns:
    The class.

  Raises:
    PluginError: if more than one distribution claims the name, the import fails, or what it gives
      is not a class of that name derived from the group's base class.
  """
  if len(claimed) > 1:
    claimants = ' and '.join(
      f'{plugin.origin} ({plugin.group}, {plugin.target})' for plugin in claimed
    )
    raise PluginError(f'the plugin name {claimed[0].name} is claimed by {claimants}: uninstall one')
  (plugin,) = claimed
  try:
    if not plugin.name.isidentifier():
      raise ValueError('its name is no identifier')
    if plugin.name in RESERVED:
      raise ValueError('a part of tfusq has its name')
    cls, base = (
      importlib.metadata.EntryPoint(plugin.name, target, plugin.group).load()
      for target in (plugin.target, GROUPS[plugin.group])
    )
    if not (isinstance(cls, type) and issubclass(cls, base)):
      raise TypeError(f'{plugin.target} is not a subclass of {GROUPS[plugin.group]}')
    if cls.__name__ != plugin.name:
      raise TypeError(
        f'the entry point {plugin.name} must have the name of its class, {cls.__name__}'
      )
  except (Exception, SystemExit) as error:  # whatever a module raises costs its own name only
    raise PluginError(
      f'the plugin {plugin.name} of {plugin.origin} ({plugin.target}) is broken: '
      f'{type(error).__name__}: {error}'
    ) from error
  return cls


def load_all() -> tuple[dict[Plugin, type], dict[str, PluginError]]:
  """Loads every plugin.

  Returns:
    The classes, and for each name that is broken or claimed twice the error.
  """
  classes, errors = {}, {}
  for name in dict.fromkeys(plugin.name for plugin in discover()):
    claimed = claims(name)
    try:
      classes[claimed[0]] = load(claimed)
    except PluginError as error:
      errors[name] = error
  return classes, errors
