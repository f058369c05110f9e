"""Keras 2, which tfusq is written for, also where TensorFlow comes with Keras 3.

From TensorFlow 2.16 on, `tf.keras` is Keras 2 if the package tf_keras is installed and
`TF_USE_LEGACY_KERAS` is set when `tf.keras` is first used. `import tfusq` sets it.
"""

import random
import sys

import tensorflow as tf

from tfusq.errors import Error


class KerasError(Error, ImportError):
  """Keras is not of version 2; says what to do."""


def require() -> None:
  """Makes sure that `tf.keras` is Keras 2, and that it draws seeds on this Python.

  Raises:
    KerasError: if it is Keras 3, or not installed.
  """
  try:
    version = getattr(tf.keras, '__version__', None)  # Keras 2 has none in `tf.keras`
  except ImportError as error:
    raise KerasError(_missing(tf.__version__)) from error
  if version is not None:
    raise KerasError(
      f'tf.keras is Keras {version}, and tfusq needs Keras 2: import tfusq before tf.keras is '
      'used, or set TF_USE_LEGACY_KERAS=1'
    )
  if sys.version_info >= (3, 12):
    _mend_seeds()


def _missing(version: str) -> str:
  minor = '.'.join(version.split('.')[:2])
  return f'TensorFlow {version} needs tf_keras for Keras 2: pip install "tf_keras=={minor}.*"'


def _mend_seeds() -> None:
  """Lets initializers without a seed of their own draw one.

  After `tf.keras.utils.set_random_seed`, they draw it by `randint(1, 1e9)`, which Python refuses
  from 3.12 on. This is how tf_keras 2.19 mended it.
  """
  from tf_keras.src import backend

  def create_seed(self, user_specified_seed):
    del self
    if user_specified_seed is not None:
      return user_specified_seed
    return getattr(backend._SEED_GENERATOR, 'generator', random).randint(1, 10**9)

  backend.RandomGenerator._create_seed = create_seed
