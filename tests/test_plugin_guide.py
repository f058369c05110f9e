"""`plugins/README.md` shows parts of the examples beside it, and its recipes train."""

import ast
import configparser
import importlib
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import packaging.requirements
import pytest

from tfusq.cli import new

FOLDER = Path(__file__).parent.parent / 'plugins'
GUIDE = (FOLDER / 'README.md').read_text()
DISTRIBUTIONS = sorted(path.parent for path in FOLDER.glob('*/setup.cfg'))
STABLE = ('tfusq.coding', 'tfusq.entropy_models', 'tfusq.testing', 'tfusq.transforms')
# A model's arguments have no defaults.
CHECKED_WITH = {
  'FactorizedPrior': [
    '--gin_bindings=FactorizedPrior.entropy_model = @Factorized()',
    '--gin_bindings=FactorizedPrior.filters = 8',
    '--gin_bindings=FactorizedPrior.latent_channels = 8',
  ]
}
# One plugin of each example, as its recipe names it.
NAMES = ('Kumaraswamy', 'SGASSL', 'GradScale', 'GeneralizedGaussian', 'FactorizedPrior')
RECIPES = re.findall(r'```gin\n(.*?)```', GUIDE, re.DOTALL)


def test_its_code_blocks_are_parts_of_the_files():
  shown = re.findall(r'^`([\w./-]+)`:\n\n```\w+\n(.*?)^```', GUIDE, re.DOTALL | re.MULTILINE)
  for name, code in shown:
    assert code in (FOLDER / name).read_text(), f'plugins/README.md shows another plugins/{name}'
  assert len(shown) == 4
  blocks = len(re.findall(r'^```\w', GUIDE, re.MULTILINE))
  assert blocks == len(shown) + len(RECIPES) + 1  # and the commands


def test_it_is_one_page_that_links_every_example():
  assert len(GUIDE.splitlines()) <= 150
  for folder in DISTRIBUTIONS:
    assert f'[`{folder.name}`]({folder.name})' in GUIDE


def test_it_names_every_kind_of_plugin():
  for kind, (group, *_) in new.KINDS.items():
    assert f'| `{kind}` | `{group}` |' in GUIDE


@pytest.mark.parametrize('folder', DISTRIBUTIONS, ids=lambda folder: folder.name)
def test_the_examples_import_stable_names_only(folder):
  for path in folder.glob('*.py'):
    for node in ast.walk(ast.parse(path.read_text())):
      if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
        assert not [name for name in names if name.startswith('tfusq.')] or names == [
          'tfusq.testing'
        ]
      elif isinstance(node, ast.ImportFrom) and node.module.startswith('tfusq.'):
        module = importlib.import_module(node.module)
        assert node.module in STABLE
        assert {alias.name for alias in node.names} <= set(module.__all__)


@pytest.mark.parametrize('folder', DISTRIBUTIONS, ids=lambda folder: folder.name)
def test_the_examples_require_a_range_of_versions(folder):
  setup = configparser.ConfigParser()
  setup.read(folder / 'setup.cfg')
  requirement = packaging.requirements.Requirement(setup['options']['install_requires'].strip())
  assert importlib.metadata.version('tfusq') in requirement.specifier
  assert '1.0' not in requirement.specifier


def test_nothing_in_the_package_names_them():
  names = [path.stem for path in FOLDER.glob('*/tfusq_*.py')]
  names += [folder.name for folder in DISTRIBUTIONS]
  assert len(names) == 10
  package = Path(__file__).parent.parent / 'tfusq'
  for path in package.rglob('*.py'):
    assert not any(name in path.read_text() for name in names), path


@pytest.mark.slow
def test_each_is_installed_into_a_fresh_environment_and_trains_two_steps_from_gin(tmp_path):
  """The five distributions, from outside of the checkout; the entropy model codes a photograph."""
  root = FOLDER.parent
  environment = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
  binaries = tmp_path / 'venv' / 'bin'

  def run(*command):
    result = subprocess.run(
      [str(word) for word in command], cwd=tmp_path, text=True, capture_output=True, env=environment
    )
    assert result.returncode == 0, f'{command}: {result.stdout[-2000:]} {result.stderr[-2000:]}'
    return result.stdout

  run(sys.executable, '-m', 'venv', 'venv')
  run(binaries / 'pip', 'install', '--quiet', root, *DISTRIBUTIONS)
  listed = run(binaries / 'tfusq', 'plugins')
  assert len(RECIPES) == len(DISTRIBUTIONS) == 5
  for number, recipe in enumerate(RECIPES):
    (tmp_path / f'{number}.gin').write_text(recipe)
    trained = run(
      binaries / 'tfusq',
      'train',
      '--model_dir',
      f'run{number}',
      '--gin_file',
      f'{number}.gin',
      *(
        f'--gin_bindings={binding}'
        for binding in (
          f"TRAIN_IMAGES = '{root / 'tfusq' / 'images' / 'train'}'",
          'train.steps = 2',
          'train.interval = 2',
          'Patches.patch_size = 64',
        )
      ),
    )
    assert '  loss ' in trained
    operative = (tmp_path / f'run{number}' / 'operative_config-0.gin').read_text()
    name = re.search(rf'@({"|".join(NAMES)})\(\)', recipe)[1]
    assert name in listed and f'@{name}()' in operative
    run(binaries / 'tfusq', 'check', name, *CHECKED_WITH.get(name, []))
    run(binaries / 'tfusq', 'export', '--model_dir', f'run{number}', '--out', f'codec{number}')
    image = root / 'tfusq' / 'images' / 'heldout' / 'chelsea.webp'
    run(binaries / 'tfusq', 'compress', '--codec', f'codec{number}', image, f'{number}.usq')
    run(
      binaries / 'tfusq',
      'decompress',
      '--codec',
      f'codec{number}',
      f'{number}.usq',
      f'{number}.png',
    )
