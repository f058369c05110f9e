"""`tfusq new`: what it writes is installed, listed, checked and bound as it stands."""

import configparser
import importlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import packaging.requirements
import pytest

import tfusq
from tfusq import plugins
from tfusq.cli import new

CHECKOUT = Path(__file__).resolve().parents[2]
IMAGES = Path(tfusq.__file__).parent / 'images'
KINDS = tuple(new.KINDS)
# What an example leaves to the command line, small enough for a test.
BINDINGS = (f"TRAIN_IMAGES = '{IMAGES / 'train'}'", 'train.steps = 2', 'train.interval = 2')


@pytest.fixture
def generated(cli, tmp_path, monkeypatch):
  """Writes a package and puts it on the path as if it were installed."""

  def write(kind, name):
    folder = tmp_path / 'packages' / name
    code, out, _ = cli('new', kind, name, '--out', folder)
    assert code == 0 and f'tfusq check {name}' in out

    setup = configparser.ConfigParser()
    setup.read(folder / 'setup.cfg')
    information = folder / f'tfusq_{name.lower()}-0.1.0.dist-info'
    information.mkdir()
    metadata = f'Metadata-Version: 2.1\nName: {setup["metadata"]["name"]}\nVersion: 0.1.0\n'
    (information / 'METADATA').write_text(metadata)
    ((group, entry),) = setup['options.entry_points'].items()
    (information / 'entry_points.txt').write_text(f'[{group}]{entry}\n')
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    plugins.refresh()
    return folder

  yield write
  monkeypatch.undo()
  plugins.refresh()


@pytest.mark.parametrize('kind', KINDS)
def test_a_new_plugin_is_listed_and_keeps_its_contract(kind, generated, cli):
  name = f'Fresh{kind.title().replace("_", "")}'
  generated(kind, name)

  code, out, _ = cli('plugins')
  assert code == 0
  (line,) = [line for line in out.splitlines() if name in line.split()]
  assert line.split()[0] == new.KINDS[kind].group

  code, out, err = cli('check', name)
  assert code == 0, err
  assert 'passed' in out and 'FAILED' not in out


def test_their_examples_are_bound_by_gin(generated, tmp_path):
  """In a process of its own, because plugins are registered once."""
  folders = [generated(kind, f'Bound{number}') for number, kind in enumerate(KINDS)]
  code = (
    'import sys\nfrom tfusq import config\n'
    f'for folder in sys.path[1 : 1 + {len(KINDS)}]:\n'
    f'  config.parse([folder + "/example.gin"], {list(BINDINGS)!r}, [])\n'
    '  config.build_configurable("Codec")\n'
    '  print(config.recipe())\n'
  )
  path = os.pathsep.join([*map(str, folders), str(Path(tfusq.__file__).parents[1])])
  environment = {**os.environ, 'PYTHONPATH': path}
  result = subprocess.run(
    [sys.executable, '-c', code], cwd=tmp_path, env=environment, text=True, capture_output=True
  )
  assert result.returncode == 0, result.stderr[-2000:]
  for number in range(len(KINDS)):
    assert f'@Bound{number}()' in result.stdout


@pytest.mark.parametrize('kind', KINDS)
def test_its_files_are_formatted_and_complete(kind, tmp_path):
  new.write_package(kind, 'MyPlugin', tmp_path / 'package')
  for command in (['check'], ['format', '--check']):
    subprocess.run(
      ['ruff', *command, '--config', CHECKOUT / 'pyproject.toml', tmp_path],
      check=True,
      capture_output=True,
    )
  for path in (tmp_path / 'package').iterdir():
    assert '$' not in path.read_text()


def test_its_requirement_admits_this_version(tmp_path):
  new.write_package('surrogate', 'MyPlugin', tmp_path / 'package')
  setup = configparser.ConfigParser()
  setup.read(tmp_path / 'package' / 'setup.cfg')
  requirement = packaging.requirements.Requirement(setup['options']['install_requires'].strip())
  assert requirement.name == 'tfusq'
  assert importlib.metadata.version('tfusq') in requirement.specifier
  assert '1.0' not in requirement.specifier


@pytest.mark.parametrize(
  'name, reason',
  [
    ('9lives', 'not an identifier'),
    ('my-noise', 'not an identifier'),
    ('Geräusch', 'not an identifier'),
    ('Noise_', 'not an identifier'),
    ('', 'not an identifier'),
    ('class', 'has a meaning in Python'),
    ('None', 'has a meaning in Python'),
    ('float', 'has a meaning in Python'),
    ('Codec', 'taken by tfusq'),
    ('Adam', 'taken by tfusq'),
    ('Surrogate', 'taken by tfusq'),
    ('tf', 'taken by tfusq'),
    ('SUA', 'has a plugin SUA already'),
  ],
)
def test_a_name_that_is_not_free_is_refused_in_one_line(name, reason, cli, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  code, out, err = cli('new', 'surrogate', name)
  assert code == 1 and not out
  assert reason in err and err.count('\n') == 1
  assert not list(tmp_path.iterdir())


def test_names_of_the_modules_of_all_templates_are_refused():
  assert {'tf', 'np', 'tfusq', 'Parameters', 'TABLES', 'trim'} <= new._names_used('entropy_model')
  assert 'Placeholder' in new._names_used('model')
  with pytest.raises(new.NameRefused, match='taken'):
    new.check_name('entropy_model', 'Parameters')
  new.check_name('surrogate', 'Parameters')


def test_a_name_of_an_installed_module_is_refused(generated, cli, tmp_path):
  generated('surrogate', 'Twice')
  assert 'has a plugin Twice' in cli('new', 'schedule', 'Twice', '--out', tmp_path / 'a')[2]
  assert 'module tfusq_twice' in cli('new', 'schedule', 'TWICE', '--out', tmp_path / 'b')[2]


def test_an_existing_folder_is_kept(cli, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  precious = tmp_path / 'tfusq-mynoise' / 'notes.txt'
  precious.parent.mkdir()
  precious.write_text('mine')
  code, _, err = cli('new', 'surrogate', 'MyNoise')
  assert code == 1
  assert err == 'tfusq new: tfusq-mynoise exists; name another with --out\n'
  assert [precious] == list(precious.parent.iterdir())
  assert cli('new', 'surrogate', 'MyNoise', '--out', 'other')[0] == 0
  assert (tmp_path / 'other' / 'tfusq_mynoise.py').is_file()


def test_the_command_that_it_prints_names_a_folder_and_no_distribution(cli, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  _, out, _ = cli('new', 'surrogate', 'MyNoise')
  assert out == ('tfusq-mynoise: pip install --no-deps ./tfusq-mynoise && tfusq check MyNoise\n')
  _, out, _ = cli('new', 'surrogate', 'MyNoise', '--out', tmp_path / 'my noise')
  assert f"pip install --no-deps '{tmp_path}/my noise' && " in out


def test_it_needs_no_tensorflow(tmp_path):
  code = (
    'import sys\nfrom tfusq import cli\n'
    'cli.main(cli.parser().parse_args(["new", "model", "Mine"]))\n'
    'heavy = {"tensorflow", "gin", "numpy"} & set(sys.modules)\n'
    'assert not heavy, heavy'
  )
  environment = {**os.environ, 'PYTHONPATH': str(Path(tfusq.__file__).parents[1])}
  subprocess.run([sys.executable, '-c', code], cwd=tmp_path, env=environment, check=True)
  assert (tmp_path / 'tfusq-mine').is_dir()


def test_every_group_has_its_kind():
  assert {kind.group for kind in new.KINDS.values()} == set(plugins.GROUPS)


@pytest.mark.slow
def test_each_is_installed_by_pip_and_passes_its_own_test(tmp_path):
  """In a fresh environment with the packages of this one, from outside of the checkout."""
  environment = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
  binaries = tmp_path / 'venv' / 'bin'
  install = (binaries / 'python', '-m', 'pip', 'install', '--quiet', '--no-deps')

  def run(*words):
    result = subprocess.run(
      [str(word) for word in words], cwd=tmp_path, env=environment, text=True, capture_output=True
    )
    assert result.returncode == 0, f'{words}: {result.stdout[-2000:]} {result.stderr[-2000:]}'
    return result.stdout

  run(sys.executable, '-m', 'venv', 'venv')
  # An environment made inside another one does not see its packages.
  (site_packages,) = (tmp_path / 'venv' / 'lib').glob('python*/site-packages')
  ours = [path for path in sys.path if path.endswith('site-packages')]
  (site_packages / 'ours.pth').write_text('\n'.join(ours) + '\n')
  run(*install, CHECKOUT)

  names = {kind: f'Installed{kind.title().replace("_", "")}' for kind in KINDS}
  for kind, name in names.items():
    run(binaries / 'tfusq', 'new', kind, name)
    run(*install, tmp_path / new.distribution_of(name))

  listed = run(binaries / 'tfusq', 'plugins')
  for name in names.values():
    folder = tmp_path / new.distribution_of(name)
    assert name in listed
    run(binaries / 'tfusq', 'check', name)
    run(binaries / 'python', '-m', 'pytest', '-q', folder)
    bindings = [f'--gin_bindings={binding}' for binding in BINDINGS]
    command = (binaries / 'tfusq', 'train', '--dry_run', '--model_dir', folder / 'run')
    run(*command, '--gin_file', folder / 'example.gin', *bindings)
