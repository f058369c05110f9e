"""The range coder: TensorFlow operations of a package that has to fit TensorFlow's version."""

import functools
import importlib
from types import ModuleType

import tensorflow as tf

from tfusq.errors import Error

# Packages that have the operations.
_PACKAGES = ('tensorflow_compression', 'tensorflow_compression_ops')
# The distribution for each version of TensorFlow; for later versions there is none.
_DISTRIBUTIONS = {
  '2.14': 'tensorflow-compression==2.14.1',
  '2.15': 'tensorflow-compression-ops==2.15.0',
  '2.16': 'tensorflow-compression-ops==2.16.0',
  '2.17': 'tensorflow-compression-ops==2.17.0',
}


class RangeCoderError(Error, RuntimeError):
  """An environment without a range coder; says in which others there is one."""


@functools.cache
def operations() -> ModuleType:
  """Imports the package that has the operations, which also registers them for exported codecs.

  It is imported when first needed, because training does not need it.

  Returns:
    The package.

  Raises:
    RangeCoderError: if neither package loads.
  """
  for package in _PACKAGES:
    try:
      return importlib.import_module(package)
    except Exception:  # missing, or of another TensorFlow: which error depends on the version
      continue
  raise RangeCoderError(_refusal(tf.__version__))


def _refusal(version: str) -> str:
  """Returns the message for a version of TensorFlow."""
  begin = f'no range coder loads under TensorFlow {version}'
  minor = '.'.join(version.split('.')[:2])
  if minor in _DISTRIBUTIONS:
    return f'{begin}: pip install {_DISTRIBUTIONS[minor]}'
  return (
    f'{begin}, which only trains: export the checkpoint under TensorFlow 2.17 or 2.14, by tfusq '
    'export --model_dir RUN --out CODEC in an environment with tensorflow~=2.17.0, '
    f'tf_keras~=2.17.0 and {_DISTRIBUTIONS["2.17"]} (README.md, Versions and GPUs)'
  )
