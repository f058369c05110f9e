"""`plugins/README.md` shows the files of the plugins beside it, and its recipes train."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / 'plugins'
GUIDE = (FOLDER / 'README.md').read_text()
# A model's arguments have no defaults.
CHECKED_WITH = {
  'FactorizedPrior': [
    '--gin_bindings=FactorizedPrior.entropy_model = @Factorized()',
    '--gin_bindings=FactorizedPrior.filters = 8',
    '--gin_bindings=FactorizedPrior.latent_channels = 8',
  ]
}
RECIPES = re.findall(r'```gin\n(.*?)```', GUIDE, re.DOTALL)


def test_its_code_blocks_are_the_files():
  shown = dict(re.findall(r'^`([\w./-]+)`:\n\n```\w+\n(.*?)^```', GUIDE, re.DOTALL | re.MULTILINE))
  for name, text in shown.items():
    assert text == (FOLDER / name).read_text(), f'paste plugins/{name} into plugins/README.md'
  needed = {
    str(path.relative_to(FOLDER))
    for pattern in ('*/tfusq_*.py', '*/setup.cfg')
    for path in FOLDER.glob(pattern)
  }
  assert len(needed) == 8 and needed <= set(shown)
  blocks = len(re.findall(r'^```\w', GUIDE, re.MULTILINE))
  assert blocks == len(shown) + len(RECIPES) + 1  # and how to install


def test_nothing_in_the_package_names_them():
  names = [path.stem for path in FOLDER.glob('*/tfusq_*.py')] + [
    path.name for path in FOLDER.iterdir() if path.is_dir()
  ]
  assert len(names) == 8
  package = Path(__file__).parent.parent / 'tfusq'
  for path in package.rglob('*.py'):
    assert not any(name in path.read_text() for name in names), path


@pytest.mark.slow
def test_each_is_installed_into_a_fresh_environment_and_trains_two_steps_from_gin(tmp_path):
  """The four distributions, from outside of the checkout; the entropy model codes a photograph."""
  root = FOLDER.parent
  environment = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
  binaries = tmp_path / 'venv' / 'bin'

  def run(*command):
    result = subprocess.run(
      [str(word) for word in command], cwd=tmp_path, text=True, capture_output=True, env=environment
    )
    assert result.returncode == 0, f'{command}: {result.stdout[-2000:]} {result.stderr[-2000:]}'
    return result.stdout

  distributions = sorted(path for path in FOLDER.iterdir() if path.is_dir())
  run(sys.executable, '-m', 'venv', 'venv')
  run(binaries / 'pip', 'install', '--quiet', root, *distributions)
  listed = run(binaries / 'tfusq', 'plugins')
  assert len(RECIPES) == len(distributions) == 4
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
    name = re.search(r'@(Kumaraswamy|GradScale|GeneralizedGaussian|FactorizedPrior)\(\)', recipe)[1]
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
