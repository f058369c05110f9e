import importlib
import re

import pytest
import tensorflow as tf

from tfusq.coding import range_coder


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
