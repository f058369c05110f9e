"""The weights of an exported codec, by the names that they have in the checkpoints of a run.

A SavedModel has the variables that its functions read. Those of layers that are in exact arithmetic
only are there as rounded numbers, and what only the loss reads is not there at all. Both are kept
beside it in `weights.npz`, so that others can train on; clients neither need nor read that file.
"""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfusq import files
from tfusq.errors import Error
from tfusq.training import checkpoints

FILE = 'weights.npz'

# Array in the file that names the variables of the SavedModel, in their order there; all others are
# weights. An empty name stands for a variable that is none of the networks'.
_SAVED = 'saved'
# The variables of a SavedModel, a checkpoint in its folder.
_VARIABLES = 'variables/variables'


class WeightsError(Error, RuntimeError):
  """An exported codec whose weights are absent or damaged."""


def is_exported(folder: str) -> bool:
  """Returns whether a folder holds an exported codec, and not a run."""
  path = files.to_path(folder)
  return (path / tf.saved_model.SAVED_MODEL_FILENAME_PB).is_file()


def write(
  folder: files.AnyPath, weights: Mapping[str, tf.Module], saved: Sequence[tf.Variable]
) -> None:
  """Writes what a SavedModel lacks of a codec's weights.

  Args:
    folder: Folder of the SavedModel.
    weights: Modules that hold the weights, by their names in checkpoints.
    saved: The attribute `_variables` of the SavedModel.
  """
  variables = checkpoints.variables_by_name(tf.train.Checkpoint(**weights))
  names = {variable.ref(): name for name, variable in variables.items()}
  saved_names = [names.get(variable.ref(), '') for variable in saved]

  arrays = {_SAVED: np.array(saved_names, dtype=str)}
  for name in sorted(set(variables) - set(saved_names)):
    arrays[name] = variables[name].numpy()

  content = io.BytesIO()
  np.savez_compressed(content, **arrays)
  (folder / FILE).write_bytes(content.getvalue())


def rounded(weights: np.ndarray, bits: int) -> np.ndarray:
  """Returns weights with fewer significant digits, of which an archive takes less room.

  Args:
    weights: `float32`, any shape.
    bits: Number of significant binary digits, from 1 to the 24 of a float32.

  Returns:
    The nearest numbers, to even ones from halfway, of the same shape and dtype.
  """
  mantissas, exponents = np.frexp(weights)
  integers = np.rint(np.ldexp(mantissas, bits))
  return np.ldexp(integers, exponents - bits).astype(weights.dtype)


def read(folder: str) -> dict[str, np.ndarray]:
  """Reads the weights of an exported codec.

  Args:
    folder: Folder of the codec.

  Returns:
    The weights by their names in a checkpoint, without TensorFlow's suffix.

  Raises:
    WeightsError: if it has no weights to train on, or they are damaged.
  """
  content = io.BytesIO(_content(folder))
  try:
    with np.load(content, allow_pickle=False) as stored:
      weights = {name: stored[name] for name in stored.files}
    saved_names = weights.pop(_SAVED)
    with files.literal(folder) as literal:
      reader = checkpoints.reader(f'{literal}/{_VARIABLES}')
      for number, name in enumerate(saved_names.tolist()):
        if name:
          key = f'_variables/{number}'
          weights[name] = reader.get_tensor(key + checkpoints.VALUE)
  except (
    KeyError,
    IndexError,
    ValueError,
    EOFError,
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    tf.errors.OpError,
  ) as error:
    raise WeightsError(f'the weights in {folder} are damaged: {type(error).__name__}') from error
  return weights


def digest(folder: str) -> str:
  """Returns what identifies the weights of an exported codec, of its encoder too.

  Args:
    folder: Folder of the codec.

  Raises:
    WeightsError: if it has no weights to train on.
  """
  # The index has the checksums of the SavedModel's variables.
  index = (files.to_path(folder) / f'{_VARIABLES}.index').read_bytes()
  return hashlib.sha256(index + _content(folder)).hexdigest()[:16]


def _content(folder: str) -> bytes:
  path = files.to_path(folder) / FILE
  if not path.is_file():
    raise WeightsError(
      f'{folder} has no {FILE}, from which training could go on: it was exported with '
      '--decoder_only, or before codecs had it; name the complete codec, or its run'
    )
  return path.read_bytes()
