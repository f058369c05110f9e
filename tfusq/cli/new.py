"""`tfusq new`: a package with a plugin of one's own, ready to install.

A plugin is a class that a template gives; an exported codec is packed by `tfusq.cli.new_codec`.
"""

import argparse
import ast
import builtins
import importlib.util
import keyword
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import tfusq
from tfusq import plugins
from tfusq.cli import new_codec
from tfusq.cli.arguments import Commands, add_command, local_path
from tfusq.cli.new_codec import NameRefused


class Kind(NamedTuple):
  """A kind of plugin.

  Attributes:
    group: Group of entry points.
    title: Its name in prose.
    test_arguments: Arguments with which the package's test builds the class.
  """

  group: str
  title: str
  test_arguments: str = ''


KINDS = {
  'surrogate': Kind('tfusq.surrogates', 'surrogate'),
  'estimator': Kind('tfusq.estimators', 'gradient estimator'),
  'schedule': Kind('tfusq.schedules', 'schedule'),
  'entropy_model': Kind('tfusq.entropy_models', 'entropy model'),
  'transforms': Kind('tfusq.transforms', 'pair of transforms'),
  'distortion': Kind('tfusq.distortions', 'distortion'),
  'model': Kind('tfusq.models', 'codec model', 'filters=4, latent_channels=6'),
}


def add(commands: Commands) -> None:
  """Adds the command."""
  command = add_command(commands, 'new', new, 'write a small package with a plugin of your own')
  command.add_argument('kind', choices=[*KINDS, new_codec.KIND], help='kind of plugin')
  command.add_argument(
    'name', help='name of the class, such as MyNoise; for a codec, the folder that was exported'
  )
  command.add_argument(
    '--name',
    dest='codec_name',
    metavar='NAME',
    help="for a codec, its name after `--codec`; by default its folder's",
  )
  command.add_argument(
    '--out',
    type=local_path,
    help='folder to write; by default tfusq-NAME, in lower case, or tfusq-codec-NAME',
  )


def new(arguments: argparse.Namespace) -> None:
  """Writes a package and prints what to do with it."""
  if arguments.kind == new_codec.KIND:
    name, folder = new_codec.pack(arguments.name, arguments.codec_name, arguments.out)
  elif arguments.codec_name is not None:
    raise NameRefused(f'--name is for a codec; the {arguments.kind} is called {arguments.name}')
  else:
    name = arguments.name
    check_name(arguments.kind, name)
    folder = Path(arguments.out or distribution_of(name))
    write_package(arguments.kind, name, folder)

  # Without a separator, pip would take the folder for the name of a distribution.
  argument = folder if folder.is_absolute() else f'./{folder}'
  words = ['pip', 'install', '--no-deps', str(argument)]
  print(f'{folder}: {shlex.join(words)} && tfusq check {name}')


def distribution_of(name: str) -> str:
  """Returns the name of the distribution for a class, such as `tfusq-mynoise`."""
  return f'tfusq-{name.lower()}'


def check_name(kind: str, name: str) -> None:
  """Refuses a name that Python, tfusq or an installed plugin does not leave free.

  Args:
    kind: A key of `KINDS`.
    name: Name of the class to write.

  Raises:
    NameRefused: saying why.
  """
  # Stricter than Python, because the name becomes that of a distribution too.
  if not re.fullmatch('[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9])?', name):
    raise NameRefused(f'{name!r} is not an identifier of ASCII letters, digits and underscores')
  if keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name):
    raise NameRefused(f'{name} has a meaning in Python')
  for plugin in plugins.discover():
    if plugin.name == name:
      raise NameRefused(f'{plugin.origin} has a plugin {name} already')
  if name in plugins.RESERVED or name in tfusq.__all__ or name in _names_used(kind):
    raise NameRefused(f'the name {name} is taken by tfusq')

  module = f'tfusq_{name.lower()}'
  if importlib.util.find_spec(module):
    raise NameRefused(f'a module {module} is installed already')


def _names_used(kind: str) -> set[str]:
  """Returns the names that the module of a template imports, defines or refers to."""
  fields = dict.fromkeys((*Kind._fields, 'name', 'module', 'distribution'), 'Placeholder')
  names = {'test_conformance'}
  for node in ast.walk(ast.parse(new_codec.fill(kind, 'module.py', fields))):
    if isinstance(node, ast.Name):
      names.add(node.id)
    elif isinstance(node, ast.alias):
      names.add(node.asname or node.name)
    elif isinstance(node, ast.ClassDef | ast.FunctionDef):
      names.add(node.name)
  return names


def write_package(kind: str, name: str, folder: Path) -> None:
  """Writes a package with one plugin.

  Args:
    kind: A key of `KINDS`.
    name: Name of the class, which passes `check_name`.
    folder: Folder to make.

  Raises:
    files.Exists: if there is something of the folder's name.
  """
  new_codec.check_absent(folder)
  module = f'tfusq_{name.lower()}'
  fields = {
    **KINDS[kind]._asdict(),
    'name': name,
    'module': module,
    'distribution': distribution_of(name),
  }
  written = {
    'README.md': new_codec.fill('package', 'README.md', fields),
    'pyproject.toml': new_codec.fill('package', 'pyproject.toml', fields),
    'setup.cfg': new_codec.fill('package', 'setup.cfg', fields),
    'example.gin': new_codec.fill(kind, 'example.gin', fields),
    f'{module}.py': new_codec.fill(kind, 'module.py', fields),
    f'test_{module}.py': new_codec.fill('package', 'test.py', fields),
  }

  folder.mkdir(parents=True)
  for file_name, text in written.items():
    (folder / file_name).write_text(text)
