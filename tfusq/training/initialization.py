"""The start of a codec from training photographs, before the first step of a new run."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfusq.training import distribute
from tfusq.training.codec import Codec
from tfusq.training.patches import Patches

# Pixels of the patches that a codec starts from: 85 blocks for each of their 768 numbers.
_PIXELS = 2**24


def initialize_from_data(codec: Codec, data: Patches, kept: Sequence[tf.Variable] = ()) -> None:
  """Starts a codec's model from the first patches of its training.

  Under a strategy, all replicas begin with what the chief has computed.

  Args:
    codec: Created codec.
    data: Training patches.
    kept: Variables that keep their values, such as those that come from another run.
  """
  variables = codec.model.variables
  before = [variable.numpy() for variable in kept]
  if len(kept) < len(variables):
    codec.model.initialize_from_data(sample(data))
  for variable, value in zip(kept, before, strict=True):
    variable.assign(value)
  distribute.copy_from_chief(variables)


def sample(data: Patches) -> np.ndarray:
  """Returns the first patches of a run, about 2^24 pixels of them; a function of the seed alone.

  Args:
    data: Training patches.

  Returns:
    `float32[number, patch, patch, 3]`, 0 to 1.
  """
  number = max(1, _PIXELS // data.patch_size**2)
  x = np.empty([number, data.patch_size, data.patch_size, 3], np.float32)
  for index in range(number):
    x[index] = data.patch(index)
  x *= np.float32(1 / 255)
  return x
