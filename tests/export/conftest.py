"""Fixtures of what an exported codec of variable rate can do."""

import numpy as np
import pytest
import tensorflow as tf

from tfusq.coding import range_coder

STEPS = 33


@pytest.fixture(scope='module')
def image(photograph):
  return tf.constant(photograph[100:180, 100:196])


@pytest.fixture(scope='module')
def codec(variable_path):
  """The exported codec, loaded as clients do that have no tfusq."""
  range_coder.operations()
  return tf.saved_model.load(str(variable_path))


@pytest.fixture(scope='module')
def all_files(codec, image):
  """What `evaluate` gives at each step."""
  # Python's numbers would be traced, each by itself.
  return [codec.evaluate(image, np.float32(1 + step / 32)) for step in range(STEPS)]
