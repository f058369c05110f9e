"""What an earlier version trained and wrote is what this version exports, decodes and resumes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfusq.export import container
from tfusq.export.client import ExportedCodec
from tfusq.export.container import ContainerError
from tfusq.image_files import read_image

RUNS = Path(__file__).parent / 'fixtures' / 'runs'
IDENTITIES = {
  'zero_centre': 'eed91f885c25931f',
  'nonzero_centre': 'c662e81c14599cf2',
  'serial_context': '33180f01afdc73c9',
}
LAST_STEP = 600
VALUE = '/.ATTRIBUTES/VARIABLE_VALUE'


CODECS = Path(__file__).parent / 'fixtures' / 'codecs'


def test_a_codec_of_format_version_1_codes_as_before(cli, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  codec, file = CODECS / 'version_1', CODECS / 'version_1.usq'
  code, _, err = cli('compress', '--codec', codec, RUNS / 'image.png', 'image.usq')
  assert code == 0, err
  assert Path('image.usq').read_bytes() == file.read_bytes()

  code, _, err = cli('decompress', '--codec', codec, file, 'decoded.png')
  assert code == 0, err
  decoded = read_image('decoded.png').astype(int)
  assert np.abs(decoded - read_image(CODECS / 'version_1.png')).max() <= 1

  code, out, err = cli('info', file)
  assert code == 0, err
  assert 'format version 1, arithmetic 1' in out and 'checksum  right' in out


def test_a_file_of_format_version_1_names_its_codec_to_others(
  cli, exported_path, exported_codec, tmp_path
):
  code, _, err = cli(
    'decompress', '--codec', exported_path, CODECS / 'version_1.usq', tmp_path / 'decoded.png'
  )
  assert code == 1 and err.count('\n') == 1
  assert (
    'version_1.usq: written by codec 38556bcac876a808, as it was when codecs wrote format version '
    '1, which is not here: give its folder by --codec; those here are '
  ) in err

  data = (CODECS / 'version_1.usq').read_bytes()
  with pytest.raises(ContainerError) as error:
    exported_codec.decompress(data)
  message = 'in format version 1 by codec 38556bcac876a808: that one decodes it, as exported'
  assert message in str(error.value)


@pytest.fixture(
  params=[
    'zero_centre',
    *(pytest.param(name, marks=pytest.mark.long) for name in ('nonzero_centre', 'serial_context')),
  ]
)
def name(request):
  return request.param


@pytest.fixture
def folder(name, tmp_path, monkeypatch):
  """A copy of the folder of a run, from which its recipe names the photographs."""
  shutil.copytree(RUNS / name, tmp_path / name)
  shutil.copytree(RUNS / 'photographs', tmp_path / 'photographs')
  shutil.copy(RUNS / f'{name}.gin', tmp_path)
  monkeypatch.chdir(tmp_path)
  return tmp_path / name


def command_in_a_process(*words):
  """Runs a command as a shell starts it; returns exit code, output and errors.

  In such a process, nobody has imported TensorFlow before, nor left a mark on the environment.
  """
  environment = {key: value for key, value in os.environ.items() if key != 'TF2_BEHAVIOR'}
  arguments = [sys.executable, '-m', 'tfusq', *map(str, words)]
  result = subprocess.run(arguments, text=True, capture_output=True, env=environment)
  return result.returncode, result.stdout, result.stderr


def test_an_earlier_run_is_exported_to_the_same_codec(name, folder, cli):
  command = command_in_a_process if name == 'serial_context' else cli
  code, _, err = command('export', '--model_dir', folder, '--out', 'codec')
  assert code == 0, err
  assert json.loads(Path('codec/codec.json').read_text())['identity'] == IDENTITIES[name]

  codec = ExportedCodec('codec')
  image, data = read_image(RUNS / 'image.png'), (folder / 'image.usq').read_bytes()
  assert codec.compress(image) == data
  decoded = codec.decompress(data)
  # The synthesis computes in floats, which another processor may round to the next pixel value.
  assert np.abs(decoded.astype(int) - read_image(folder / 'decoded.png')).max() <= 1

  evaluated, bits, reconstruction = codec.evaluate(image)
  assert evaluated == data
  np.testing.assert_array_equal(reconstruction, decoded)
  coded = [8 * length for length in container.read_header(data).sections]
  assert (np.abs(coded - bits) < 0.01 * bits + 40).all()


def test_an_earlier_run_resumes(name, folder, cli):
  options = () if tf.__version__.startswith('2.14.') else ('--accept_other_versions',)
  code, _, err = cli('train', '--model_dir', folder, '--gin_file', f'{name}.gin', *options)
  assert code == 0, err

  checkpoint = tf.train.latest_checkpoint(str(folder))
  assert os.path.basename(checkpoint) == f'ckpt-{LAST_STEP}'
  reader = tf.train.load_checkpoint(checkpoint)
  expected = np.load(folder / 'step_600.npz')
  before = tf.train.load_checkpoint(str(folder / 'ckpt-592'))

  moved = 0.0
  for variable in expected.files:
    weights = reader.get_tensor(variable + VALUE)
    # Another processor adds up gradients in another order; the steps themselves are near 1e-2.
    np.testing.assert_allclose(weights, expected[variable], atol=1e-4, err_msg=variable)
    moved = max(moved, np.abs(weights - before.get_tensor(variable + VALUE)).max())
  assert moved > 1e-3
