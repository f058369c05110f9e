"""The start of a codec from training photographs, before the first step of a new run."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfusq.training import distribute
from tfusq.training.codec import Codec
from tfusq.training.patches import Patches
from tfusq.transforms import pixels


def initialize_from_data(
  codec: Codec, data: Patches, number: int, kept: Sequence[tf.Variable] = ()
) -> None:
  """Starts a codec's model from the first patches of its training.

  Under a strategy, all replicas begin with what the chief has computed.

  Args:
    codec: Created codec.
    data: Training patches.
    number: Number of patches; with 0, nothing is done.
    kept: Variables that keep their values, such as those that come from another run.
  """
  variables = codec.model.variables
  # The gains of a variable rate may be among those kept, and do not start from data.
  references = {variable.ref() for variable in kept}
  if not number or all(variable.ref() in references for variable in variables):
    return

  before = [variable.numpy() for variable in kept]
  codec.model.initialize_from_data(sample(data, number))
  for variable, value in zip(kept, before, strict=True):
    variable.assign(value)
  distribute.copy_from_chief(variables)


def sample(data: Patches, number: int) -> np.ndarray:
  """Returns the first patches of a run, a function of the seed and the photographs alone.

  Args:
    data: Training patches.
    number: Number of patches.

  Returns:
    `float32[number, patch, patch, 3]`, 0 to 1.
  """
  x = np.empty([number, data.patch_size, data.patch_size, 3], np.float32)
  for index in range(number):
    x[index] = pixels.from_uint8(data.patch(index))
  return x
