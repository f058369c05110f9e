"""An exported codec as a package that can be installed, for `tfusq new codec`."""

import importlib.util
import re
import shutil
import string
from importlib import resources
from pathlib import Path

from tfusq import files, plugins

KIND = 'codec'

# What another package of the codec has put into its folder.
_LEFT_OUT = ('__init__.py', '__pycache__')


class NameRefused(plugins.PluginError, ValueError):
  """A name that a new plugin cannot have."""


def pack(source: str, name: str | None, out: str | None) -> tuple[str, Path]:
  """Writes a package that holds an exported codec.

  Args:
    source: Folder of the codec.
    name: Name of the codec in its entry point; by default that of its folder.
    out: Folder to make; by default `tfusq-codec-NAME`.

  Returns:
    Name and folder.

  Raises:
    CodecError: if there is no codec in the folder, or it is damaged.
    NameRefused: if the name is not one, or not free.
    files.Exists: if there is something of the folder's name.
  """
  from tfusq.export import client

  codec = client.find(files.local_path(source))
  folder_of_codec = files.local_path(codec.path).resolve()
  name = folder_of_codec.name if name is None else name
  _check_name(name)

  folder = Path(out or f'tfusq-codec-{name}')
  check_absent(folder)
  fields = {
    'name': name,
    'module': module_of(name),
    'distribution': f'tfusq-codec-{name}',
    'group': plugins.CODECS,
    'identity': codec.identity,
  }
  written = {
    'README.md': fill('codec', 'README.md', fields),
    'pyproject.toml': fill('package', 'pyproject.toml', fields),
    'setup.cfg': fill('codec', 'setup.cfg', fields),
    f'{module_of(name)}/__init__.py': fill('codec', 'module.py', fields),
  }

  folder.mkdir(parents=True)
  shutil.copytree(
    folder_of_codec, folder / module_of(name), ignore=shutil.ignore_patterns(*_LEFT_OUT)
  )
  for file_name, text in written.items():
    (folder / file_name).write_text(text)
  return name, folder


def module_of(name: str) -> str:
  """Returns the name of the package with a codec's files, such as `tfusq_codec_photo`."""
  return f'tfusq_codec_{name.lower().replace("-", "_")}'


def check_absent(folder: Path) -> None:
  """Refuses to write a package where something is.

  Args:
    folder: Folder to make.

  Raises:
    files.Exists: if there is something of the folder's name.
  """
  if folder.exists() or folder.is_symlink():
    raise files.Exists(f'{folder} exists; name another with --out')


def fill(group: str, file_name: str, fields: dict[str, str]) -> str:
  """Fills in the fields of a template.

  Args:
    group: Folder of the template.
    file_name: Name of the file that it becomes.
    fields: Values by the names of the fields.

  Returns:
    The text.
  """
  template = resources.files('tfusq.cli') / 'templates' / group / f'{file_name}.template'
  return string.Template(template.read_text()).substitute(fields)


def _check_name(name: str) -> None:
  """Refuses a codec's name that can't be typed or installed, or that is not free."""
  if not re.fullmatch('[A-Za-z0-9]+([_-][A-Za-z0-9]+)*', name):
    raise NameRefused(
      f'{name!r} is no name of a codec: ASCII letters and digits, with single hyphens or '
      'underscores between them; give one by --name'
    )
  if name == KIND:
    raise NameRefused(f'commands take the name {name} for the folder ./{name}; give one by --name')
  for plugin in (*plugins.discover(), *plugins.codecs()):
    if plugin.name == name:
      raise NameRefused(f'{plugin.origin} has a plugin {name} already')
  if importlib.util.find_spec(module_of(name)):
    raise NameRefused(f'a package {module_of(name)} is installed already')
