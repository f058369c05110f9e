"""The rooms of the package: their order, their files, and their tests."""

import configparser
from pathlib import Path

import pytest

import rooms

CHECKOUT = Path(__file__).resolve().parent.parent

# A room imports only rooms of later lines; those on one line do not import one another.
ORDER = (
  ('__main__',),
  ('cli',),
  ('analysis', 'quickstart'),
  ('evaluation', 'catalogue'),
  ('runs', 'testing'),
  ('config',),
  ('export',),
  ('refinement',),
  ('training',),
  ('models',),
  ('entropy_models',),
  ('coding',),
  ('transforms',),
  ('quantization',),
  ('sweeps',),
  ('curves',),
  ('gin_files', 'image_files', 'plugins', 'progress', 'versions'),
  ('files',),
  ('errors',),
)
# Folders that hold data: gin/ at the top of the checkout, and the embedded photographs.
DATA_PACKAGES = {'tfusq.gin', 'tfusq.images'}


@pytest.fixture(scope='module')
def arrows():
  return rooms.arrows(CHECKOUT)


def test_few_modules_stand_outside_of_the_rooms():
  assert len(list((CHECKOUT / 'tfusq').glob('*.py'))) <= 12


def test_imports_run_one_way(arrows):
  height = {}
  for number, names in enumerate(ORDER):
    height.update(dict.fromkeys(names, number))
  modules = [name for name in rooms.modules(CHECKOUT) if name != rooms.PACKAGE]
  assert {rooms.room_of(module) for module in modules} == set(height)

  against = [f'{one} -> {other}' for one, other in arrows if height[one] >= height[other]]
  assert not against


def test_no_modules_import_each_other_in_a_circle():
  graph = rooms.graph_of(rooms.modules(CHECKOUT), rooms.imports(CHECKOUT))
  assert not rooms.cycles(graph)


def test_only_the_command_line_uses_the_test_kit(arrows):
  users = {one for one, other in arrows if other == 'testing'}
  assert users <= {'cli'}


def test_the_distribution_has_every_package():
  config = configparser.ConfigParser()
  config.read(CHECKOUT / 'setup.cfg')
  listed = config['options']['packages'].split()
  folders = [path.parent for path in (CHECKOUT / 'tfusq').rglob('__init__.py')]
  in_tree = {'.'.join(folder.relative_to(CHECKOUT).parts) for folder in folders}
  assert listed == sorted(in_tree | DATA_PACKAGES)
  assert config['options']['package_dir'].split() == ['tfusq.gin', '=', 'gin']
  assert list((CHECKOUT / 'gin').glob('*.gin'))
  assert (CHECKOUT / 'tfusq' / 'images' / 'train').is_dir()


def test_every_module_has_its_test_file():
  """`tests/ROOM/test_MODULE.py`, or one `tests/ROOM/test_ROOM.py` for the whole room."""
  missing = []
  for path in sorted((CHECKOUT / 'tfusq').rglob('*.py')):
    if path.stem.startswith('__'):
      continue
    folder = CHECKOUT / 'tests' / path.parent.relative_to(CHECKOUT / 'tfusq')
    of_module = folder / f'test_{path.stem}.py'
    of_room = folder / f'test_{path.parent.name}.py'
    if not (of_module.is_file() or of_room.is_file()):
      missing.append(str(of_module.relative_to(CHECKOUT)))
  assert not missing, '\n'.join(missing)


@pytest.fixture
def package(tmp_path):
  """Writes modules of a package `tfusq` by their dotted names; returns the checkout."""

  def write(**code_by_module):
    for name, code in code_by_module.items():
      path = tmp_path / 'tfusq' / f'{name.replace("__", "/")}.py'
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(code)
      (path.parent / '__init__.py').touch()
    return tmp_path

  return write


@pytest.mark.parametrize(
  'code',
  [
    'from tfusq import low',
    'import tfusq.low',
    'from tfusq.low import thing',
    'def f():\n  from tfusq import low',
    'from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  from tfusq import low',
    "import importlib\nimportlib.import_module(f'tfusq.low.{name}')",
  ],
)
def test_every_way_to_import_is_an_arrow(package, code):
  checkout = package(high__module=code, low='')
  assert rooms.arrows(checkout) == {('high', 'low'): 1}


def test_cycles_and_layers_are_found(package):
  checkout = package(
    a='from tfusq import b',
    b__one='from tfusq.b import two',
    b__two='from tfusq import c',
    c='from tfusq.b import one',
  )
  graph = rooms.graph_of('abc', rooms.arrows(checkout))
  assert rooms.cycles(graph) == [['b', 'c']]
  assert rooms.layers(graph) == [['b', 'c'], ['a']]
  modules = rooms.graph_of(rooms.modules(checkout), rooms.imports(checkout))
  assert rooms.cycles(modules) == [['tfusq.b.one', 'tfusq.b.two', 'tfusq.c']]
