"""`tfusq new codec`: the package that it writes is found, listed and checked as it stands."""

import configparser
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tfusq
from tfusq import plugins
from tfusq.cli import new_codec

CODECS = Path(__file__).resolve().parents[1] / 'fixtures' / 'codecs'
IDENTITY = '38556bcac876a808'


@pytest.fixture
def packed(cli, distribution, tmp_path):
  """Packs the codec of an earlier version, and puts the package on the path as if installed."""
  code, out, err = cli(
    'new', 'codec', CODECS / 'version_1', '--name', 'photo-1', '--out', tmp_path / 'folder'
  )
  assert code == 0, err
  setup = configparser.ConfigParser()
  setup.read(tmp_path / 'folder' / 'setup.cfg')
  shutil.copytree(tmp_path / 'folder' / 'tfusq_codec_photo_1', tmp_path / 'tfusq_codec_photo_1')
  ((group, entry),) = setup['options.entry_points'].items()
  distribution(setup['metadata']['name'].replace('-', '_'), '0.1.0', f'[{group}]{entry}\n')
  return out


def test_it_is_listed_checked_and_used_by_its_name(packed, cli, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  assert (
    packed == f'{tmp_path}/folder: pip install --no-deps {tmp_path}/folder && tfusq check photo-1\n'
  )
  code, out, _ = cli('plugins', '--details')
  assert code == 0
  line = out[out.index('tfusq.codecs ') :].splitlines()
  assert line[0].split() == ['tfusq.codecs', 'photo-1', 'tfusq_codec_photo_1', '0.1.0']
  assert line[1].split()[:2] == ['identity', f'{IDENTITY},']

  code, out, err = cli('check', 'photo-1')
  assert code == 0, err
  assert out.startswith(f'photo-1 of tfusq_codec_photo_1 0.1.0 ({IDENTITY})\n')
  assert out.count('passed') == 3

  code, _, err = cli('decompress', CODECS / 'version_1.usq', 'back.png')
  assert code == 0 and err == f'codec: photo-1 of tfusq_codec_photo_1 0.1.0 ({IDENTITY})\n'
  code, out, err = cli('compress', '--codec', 'photo-1', 'back.png')
  assert code == 0 and out.startswith('back.usq: 75x50, ') and not err
  code, _, err = cli('check', 'photo-1', '--gin_bindings', 'a.b = 1')
  assert code == 1 and 'to which gin binds nothing' in err


def test_a_name_of_a_class_and_a_codec_is_refused_by_check(cli, distribution):
  distribution('other', '1', '[tfusq.codecs]\nAUN = package_aun\n')
  code, _, err = cli('check', 'AUN')
  assert code == 1 and 'AUN is claimed by' in err and 'tfusq.codecs' in err
  assert plugins.load(plugins.by_name()['AUN']).__name__ == 'AUN'  # gin's is not touched


def test_setuptools_takes_all_files_of_a_codec(cli, tmp_path, monkeypatch):
  cli('new', 'codec', CODECS / 'version_1', '--name', 'photo', '--out', tmp_path / 'folder')
  monkeypatch.chdir(tmp_path / 'folder')
  built = subprocess.run(
    [sys.executable, '-c', 'import setuptools; setuptools.setup()', '-q', 'build', '-b', 'built'],
    capture_output=True,
    text=True,
  )
  assert built.returncode == 0, built.stderr
  source = CODECS / 'version_1'
  names = {path.relative_to(source) for path in source.rglob('*') if path.is_file()}
  target = tmp_path / 'folder' / 'built' / 'lib' / 'tfusq_codec_photo'
  copied = {path.relative_to(target) for path in target.rglob('*') if path.is_file()}
  assert copied == names | {Path('__init__.py')}
  for name in names:
    assert (target / name).read_bytes() == (source / name).read_bytes()


def write_codec(folder):
  folder.mkdir()
  (folder / 'codec.json').write_text(json.dumps({'identity': 'f' * 16}))
  return folder


@pytest.mark.parametrize(
  'name, reason',
  [
    ('codec', 'for the folder ./codec; give one by --name'),
    ('my codec', 'no name of a codec'),
    ('../codec', 'no name of a codec'),
    ('a.b', 'no name of a codec'),
    ('größe', 'no name of a codec'),
    ('-a', 'no name of a codec'),
    ('', 'no name of a codec'),
    ('AUN', 'has a plugin AUN already'),
  ],
)
def test_a_name_that_can_not_be_is_refused_in_one_line(name, reason, cli, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  write_codec(tmp_path / 'mine')
  code, out, err = cli('new', 'codec', 'mine', f'--name={name}')
  assert code == 1 and not out and reason in err and err.count('\n') == 1
  assert os.listdir(tmp_path) == ['mine']


def test_the_name_is_the_folders_and_what_is_there_is_kept(cli, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  write_codec(tmp_path / 'mine')
  (tmp_path / 'mine' / '__init__.py').write_text('another package')
  code, out, _ = cli('new', 'codec', 'mine')
  assert code == 0 and out.startswith('tfusq-codec-mine: pip install --no-deps ./tfusq-codec-mine ')
  assert 'f' * 16 in (tmp_path / 'tfusq-codec-mine/tfusq_codec_mine/__init__.py').read_text()
  code, _, err = cli('new', 'codec', 'mine')
  assert code == 1 and 'tfusq-codec-mine exists; name another with --out' in err


def test_a_folder_without_a_codec_is_refused(cli, tmp_path):
  code, _, err = cli('new', 'codec', tmp_path, '--out', tmp_path / 'out')
  assert code == 1 and err == f'tfusq new: no exported codec in {tmp_path}\n'
  code, _, err = cli('new', 'codec', 'gs://bucket/codec', '--out', tmp_path / 'out')
  assert code == 1 and 'is in a store' in err
  code, _, err = cli('new', 'model', 'Mine', '--name', 'other')
  assert code == 1 and '--name is for a codec' in err
  assert not list(tmp_path.iterdir())


def test_its_files_are_complete(tmp_path):
  new_codec.pack(str(write_codec(tmp_path / 'mine')), None, str(tmp_path / 'out'))
  for path in (tmp_path / 'out').rglob('*'):
    assert path.is_dir() or '$' not in path.read_text()


@pytest.mark.slow
def test_it_is_installed_by_pip_and_found(tmp_path):
  new_codec.pack(str(CODECS / 'version_1'), 'photo', str(tmp_path / 'out'))
  install = [sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps']
  subprocess.run([*install, '--target', tmp_path / 'site', tmp_path / 'out'], check=True)
  path = os.pathsep.join([str(Path(tfusq.__file__).parents[1]), str(tmp_path / 'site')])
  result = subprocess.run(
    [sys.executable, '-m', 'tfusq', 'check', 'photo'],
    env={**os.environ, 'PYTHONPATH': path},
    cwd=tmp_path,
    text=True,
    capture_output=True,
  )
  assert result.returncode == 0, result.stderr
  assert result.stdout.startswith(f'photo of tfusq-codec-photo 0.1.0 ({IDENTITY})\n')
