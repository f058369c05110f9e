"""From a run's checkpoint or an exported codec to a codec's networks: all of them, or what fits."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging

from tfusq import files
from tfusq.errors import Error
from tfusq.training import checkpoints, exported_weights
from tfusq.training.checkpoints import VALUE
from tfusq.training.codec import Codec

# Beginnings of the names that weights have in a checkpoint.
_PREFIXES = ('model/', 'variable_rate/')


class TransferError(Error, RuntimeError):
  """A checkpoint that is absent, damaged, or of other networks."""


class Transfer(NamedTuple):
  """What a codec has taken over.

  Attributes:
    loaded: Variables that were loaded.
    lines: One line for each weight that is not loaded: those of the codec that stay new, then those
      of the source that are left out.
  """

  loaded: list[tf.Variable]
  lines: list[str]


@contextlib.contextmanager
def restoring(run: str, step: int) -> Iterator[str]:
  """Re-raises the errors of reading a checkpoint as `TransferError`.

  Args:
    run: Run directory.
    step: Step of the checkpoint that is read inside the context.

  Yields:
    The path to read it by.

  Raises:
    TransferError: if the checkpoint does not fit or is damaged.
  """
  path = checkpoints.path_of(run, step)
  try:
    with files.literal(run) as folder:
      yield checkpoints.path_of(folder, step)
  except (AssertionError, ValueError) as error:
    raise TransferError(
      f'{path} holds other networks than this configuration: {str(error).splitlines()[0]}'
    ) from error
  except (IndexError, tf.errors.OpError) as error:
    raise TransferError(
      f'{path} is damaged ({type(error).__name__}); the file `checkpoint` beside '
      'it can name an older one'
    ) from error


def restore(codec: Codec, run: str) -> int:
  """Loads the networks of a run's newest checkpoint, which must be this codec's.

  Args:
    codec: Created codec.
    run: Run directory.

  Returns:
    The run's step.

  Raises:
    TransferError: if there is no checkpoint, or it holds other networks.
  """
  step = newest(run)
  restore_checkpoint(codec, run, step)
  return step


def steps(run: str) -> list[int]:
  """Returns the steps of a run's checkpoints, the oldest first.

  Raises:
    TransferError: if there is none.
  """
  newest(run)
  return checkpoints.steps(run)


def restore_checkpoint(codec: Codec, run: str, step: int) -> None:
  """Loads the networks of one checkpoint of a run, which must be this codec's.

  Args:
    codec: Created codec.
    run: Run directory.
    step: Step of the checkpoint, one of `steps`.

  Raises:
    TransferError: if it holds other networks.
  """
  with restoring(run, step) as path:
    status = tf.train.Checkpoint(**codec.centred_model.weights()).restore(path)
    # A run's checkpoint has the optimizer's slots too, which are not asked for.
    status.expect_partial().assert_existing_objects_matched()


def transfer(codec: Codec, source: str) -> Transfer:
  """Loads the weights that have equal path and shape in a codec.

  Args:
    codec: Created codec; its model, size or entropy model may differ from the source's.
    source: Run directory, of which the newest checkpoint counts, or folder of an exported codec.

  Raises:
    TransferError: if there is no checkpoint, nothing fits, or the encoder is frozen and the
      source does not have all of it.
    WeightsError: if the exported codec has no weights to train on, or they are damaged.
  """
  stored = _stored(source)
  variables = checkpoints.variables_by_name(tf.train.Checkpoint(**codec.centred_model.weights()))
  fitting = set()
  for name, variable in variables.items():
    if stored.shapes.get(name) == variable.shape:
      fitting.add(name)
  if not fitting:
    raise TransferError(f"{stored.path} has no weights of this codec's names and shapes")

  new = {name: variable for name, variable in variables.items() if name not in fitting}
  if not codec.train_encoder:
    _require_encoder(codec, new, stored.path)

  for name, value in stored.values(fitting):
    variables[name].assign(value)
  logging.info('loaded %d of %d weights of %s', len(fitting), len(variables), stored.path)

  lines = []
  for name, variable in new.items():
    reason = 'not there'
    if name in stored.shapes:
      there = _shape(stored.shapes[name])
      reason = f'its shape is {_shape(variable.shape)}, there {there}'
    lines.append(f'{_plain(name)} stays new: {reason}')
  for name in stored.shapes:
    if name not in variables:
      lines.append(f'{_plain(name)} is left out: no such weights here')
  return Transfer([variables[name] for name in sorted(fitting)], lines)


def digest(source: str) -> str:
  """Returns what identifies the weights that a source gives, a short hash; empty if it has none.

  Args:
    source: Run directory, of which the newest checkpoint counts, or folder of an exported codec.

  Raises:
    WeightsError: if the exported codec has no weights to train on.
  """
  if exported_weights.is_exported(source):
    return exported_weights.digest(source)
  step = checkpoints.newest(source)
  return '' if step is None else checkpoints.digest(source, step)


def _stored(source: str) -> '_Checkpoint | _Exported':
  if exported_weights.is_exported(source):
    return _Exported(source)
  return _Checkpoint(source)


class _Checkpoint:
  """Weights in the newest checkpoint of a run.

  Attributes:
    path: Checkpoint.
    shapes: Shapes of the networks' variables by path, sorted.
  """

  def __init__(self, run: str):
    self._run = run
    self._step = newest(run)
    self.path = checkpoints.path_of(run, self._step)
    self.shapes = {}
    with restoring(run, self._step) as path:
      for name, shape in sorted(checkpoints.reader(path).get_variable_to_shape_map().items()):
        if name.startswith(_PREFIXES) and name.endswith(VALUE):
          self.shapes[name.removesuffix(VALUE)] = shape

  def values(self, names: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yields names and values."""
    with restoring(self._run, self._step) as path:
      reader = checkpoints.reader(path)
      for name in names:
        yield name, reader.get_tensor(name + VALUE)


class _Exported:
  """Weights of an exported codec.

  Attributes:
    path: Folder of the codec.
    shapes: Shapes of the networks' variables by path, sorted.
  """

  def __init__(self, folder: str):
    self.path = folder
    self._weights = exported_weights.read(folder)
    self.shapes = {name: list(self._weights[name].shape) for name in sorted(self._weights)}

  def values(self, names: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yields names and values."""
    for name in names:
      yield name, self._weights[name]


def newest(run: str) -> int:
  """Returns the step of a run's newest checkpoint.

  Raises:
    TransferError: if there is none.
  """
  step = checkpoints.newest(run)
  if step is None:
    raise TransferError(f'no checkpoint in {run}')
  return step


def _require_encoder(codec: Codec, new: dict[str, tf.Variable], path: str) -> None:
  """Refuses a frozen encoder of which some weights would stay new.

  Args:
    codec: Codec whose encoder is frozen.
    new: Variables that the source does not have, by path.
    path: Checkpoint, or folder of an exported codec.
  """
  encoder = codec.centred_model.encoder_variables()
  for name, variable in new.items():
    if variable.ref() in encoder:
      raise TransferError(
        f'the encoder is frozen, and {path} does not have all of it: '
        f'{_plain(name)} of shape {_shape(variable.shape)}'
      )


def _plain(name: str) -> str:
  """Returns a variable's path without what a reader does not need."""
  return name.removeprefix('model/').replace('layer_with_weights-', '')


def _shape(shape: tf.TensorShape | list[int]) -> str:
  return 'x'.join(map(str, shape)) or 'scalar'
