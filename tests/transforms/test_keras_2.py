import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from making import make_codec
from tfusq.transforms import keras_2

HAS_KERAS_3 = tuple(map(int, tf.__version__.split('.')[:2])) >= (2, 16)


def test_keras_3_is_refused(monkeypatch):
  monkeypatch.setattr(tf.keras, '__version__', '3.15.1', raising=False)
  with pytest.raises(keras_2.KerasError, match='3.15.1, and tfusq needs Keras 2.*LEGACY_KERAS=1'):
    keras_2.require()


def test_a_missing_package_is_named():
  assert keras_2._missing('2.20.0').endswith('pip install "tf_keras==2.20.*"')


@pytest.mark.skipif(not HAS_KERAS_3, reason='this TensorFlow comes with Keras 2')
@pytest.mark.parametrize(
  'code, legacy',
  [
    ('import tensorflow as tf; tf.keras.layers', None),
    ('import tensorflow as tf', '0'),
  ],
)
def test_keras_3_that_was_there_first_is_refused_in_one_line(code, legacy):
  environment = {key: value for key, value in os.environ.items() if key != 'TF_USE_LEGACY_KERAS'}
  if legacy is not None:
    environment['TF_USE_LEGACY_KERAS'] = legacy
  program = (
    f'{code}\nimport tfusq\ntry:\n  tfusq.MSHyper\nexcept tfusq.Error as error:\n  print(error)'
  )
  result = subprocess.run(
    [sys.executable, '-c', program], env=environment, capture_output=True, text=True, check=True
  )
  (line,) = result.stdout.splitlines()
  assert 'tf.keras is Keras 3' in line and 'needs Keras 2' in line


@pytest.mark.skipif(not HAS_KERAS_3, reason='this TensorFlow comes with Keras 2')
def test_keras_2_is_taken_after_tensorflow_was_imported():
  environment = {key: value for key, value in os.environ.items() if key != 'TF_USE_LEGACY_KERAS'}
  program = 'import tensorflow as tf, tfusq; tfusq.MSHyper; print(tf.keras.Model.__module__)'
  result = subprocess.run(
    [sys.executable, '-c', program], env=environment, capture_output=True, text=True, check=True
  )
  assert result.stdout.startswith('tf_keras.')


def test_a_seed_gives_the_same_weights_on_every_version():
  """Under Python 3.12 too, where Keras' own way to draw seeds raises before 2.19."""
  weights = []
  for seed in (0, 0, 1):
    codec = make_codec(4, 6, seed=seed)
    weights.append(np.concatenate([value.numpy().ravel() for value in codec.model.variables]))
  np.testing.assert_array_equal(weights[0], weights[1])
  assert not np.array_equal(weights[0], weights[2])
  # What TensorFlow 2.14 draws.
  assert hashlib.sha256(weights[0].tobytes()).hexdigest()[:16] == '858d1b3b8effeade'


def test_a_layer_without_a_seed_draws_one_in_either_way():
  for seeded in (True, False):
    if seeded:
      tf.keras.utils.set_random_seed(4)
    layer = tf.keras.layers.Dense(3)
    layer.build([None, 5])
    assert np.ptp(layer.kernel) > 0.1
