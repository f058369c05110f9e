import importlib
import re

import pytest
import tensorflow as tf

from tfusq import image_files
from tfusq.coding import range_coder
from tfusq.export import saved_model


@pytest.fixture
def importable(monkeypatch):
  """Lets only some of the range coder's packages be imported, each as its own name."""

  def allow(**packages):
    def import_module(name):
      error = packages.get(name, ModuleNotFoundError(f'No module named {name!r}'))
      if isinstance(error, Exception):
        raise error
      return name

    monkeypatch.setattr(importlib, 'import_module', import_module)

  range_coder.operations.cache_clear()
  yield allow
  monkeypatch.undo()
  range_coder.operations.cache_clear()


def test_the_operations_are_registered():
  package = range_coder.operations()
  string = package.entropy_encode_finalize(package.create_range_encoder([], [1, 0, 2]))
  assert string.dtype == tf.string


def test_either_package_will_do(importable):
  importable(tensorflow_compression_ops=None)
  assert range_coder.operations() == 'tensorflow_compression_ops'


@pytest.mark.parametrize(
  'error',
  [
    ModuleNotFoundError('No module named tensorflow_compression_ops'),
    tf.errors.NotFoundError(None, None, 'gen_ops.so: undefined symbol: _ZN3tsl'),
    RuntimeError('compiled for another version'),
  ],
)
def test_an_error_says_under_which_versions_to_export(error, importable, monkeypatch):
  importable(tensorflow_compression_ops=error)
  monkeypatch.setattr(tf, '__version__', '2.20.0')
  with pytest.raises(range_coder.RangeCoderError) as refused:
    range_coder.operations()
  message = str(refused.value)
  assert '\n' not in message
  assert re.search(
    'TensorFlow 2.20.0.*export the checkpoint under TensorFlow 2.17 or 2.14', message
  )
  assert 'tfusq export --model_dir' in message


@pytest.mark.parametrize(
  'version, package',
  [
    ('2.14.1', 'tensorflow-compression==2.14.1'),
    ('2.17.0', 'tensorflow-compression-ops==2.17.0'),
  ],
)
def test_a_package_that_is_missing_is_named(version, package, importable, monkeypatch):
  importable()
  monkeypatch.setattr(tf, '__version__', version)
  with pytest.raises(range_coder.RangeCoderError, match=f'{version}: pip install {package}$'):
    range_coder.operations()


def test_a_codec_is_trained_and_not_exported(importable, trained, tmp_path):
  importable()
  with pytest.raises(range_coder.RangeCoderError):
    saved_model.export(trained.centred_model, tmp_path / 'codec', {})
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  'words', [('quickstart', '--out', 'out'), ('compress', 'a.png', 'a.usq', '--codec', '{codec}')]
)
def test_commands_that_need_bytes_say_so_in_one_line(
  words, importable, cli, exported_path, photograph, tmp_path, monkeypatch
):
  importable()
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'a.png').write_bytes(image_files.encode(photograph, 'png'))
  code, out, err = cli(*[word.format(codec=exported_path) for word in words])
  assert code == 1 and not out
  assert err.startswith(f'tfusq {words[0]}: no range coder loads') and err.count('\n') == 1
  assert [path.name for path in tmp_path.iterdir()] == ['a.png']
