"""From a run's checkpoint to a codec's networks: all of them, or those that fit."""

import collections
import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf
from absl import logging

from tfusq import files
from tfusq.errors import Error
from tfusq.training import checkpoints
from tfusq.training.codec import Codec

# What TensorFlow adds to the path of a variable in a checkpoint.
_VALUE = '/.ATTRIBUTES/VARIABLE_VALUE'


class TransferError(Error, RuntimeError):
  """A checkpoint that is absent, damaged, or of other networks."""


class Transfer(NamedTuple):
  """What a codec has taken over from a run.

  Attributes:
    loaded: Variables that were loaded.
    lines: One line for each weight that is not loaded: those of the codec that stay new, then those
      of the run that are left out.
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
  step = _newest(run)
  restore_checkpoint(codec, run, step)
  return step


def steps(run: str) -> list[int]:
  """Returns the steps of a run's checkpoints, the oldest first.

  Raises:
    TransferError: if there is none.
  """
  _newest(run)
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
    status = tf.train.Checkpoint(model=codec.model).restore(path)
    # A run's checkpoint has the optimizer's slots too, which are not asked for.
    status.expect_partial().assert_existing_objects_matched()


def transfer(codec: Codec, run: str) -> Transfer:
  """Loads the weights of a run's newest checkpoint that have equal path and shape in a codec.

  Args:
    codec: Created codec; its model, size or entropy model may differ from the run's.
    run: Run directory.

  Raises:
    TransferError: if there is no checkpoint, nothing fits, or the encoder is frozen and the
      checkpoint does not have all of it.
  """
  step = _newest(run)
  path = checkpoints.path_of(run, step)
  stored = _stored_shapes(run, step)
  variables = _by_path(tf.train.Checkpoint(model=codec.model))
  fitting = {name for name, variable in variables.items() if stored.get(name) == variable.shape}
  if not fitting:
    raise TransferError(f"{path} has no weights of this codec's names and shapes")

  new = {name: variable for name, variable in variables.items() if name not in fitting}
  if not codec.train_encoder:
    _require_encoder(codec, new, path)

  with restoring(run, step) as literal:
    reader = checkpoints.reader(literal)
    for name in fitting:
      variables[name].assign(reader.get_tensor(name + _VALUE))
  logging.info('loaded %d of %d weights of %s', len(fitting), len(variables), path)

  lines = []
  for name, variable in new.items():
    reason = 'not there'
    if name in stored:
      reason = f'its shape is {_shape(variable.shape)}, there {_shape(stored[name])}'
    lines.append(f'{_plain(name)} stays new: {reason}')
  for name in stored:
    if name not in variables:
      lines.append(f'{_plain(name)} is left out: no such weights here')
  return Transfer([variables[name] for name in sorted(fitting)], lines)


def _newest(run: str) -> int:
  step = checkpoints.newest(run)
  if step is None:
    raise TransferError(f'no checkpoint in {run}')
  return step


def _stored_shapes(run: str, step: int) -> dict[str, list[int]]:
  """Returns the shapes of the networks' variables in a checkpoint, by path."""
  shapes = {}
  with restoring(run, step) as path:
    for name, shape in sorted(checkpoints.reader(path).get_variable_to_shape_map().items()):
      if name.startswith('model/') and name.endswith(_VALUE):
        shapes[name.removesuffix(_VALUE)] = shape
  return shapes


def _require_encoder(codec: Codec, new: dict[str, tf.Variable], path: str) -> None:
  """Refuses a frozen encoder of which some weights would stay new.

  Args:
    codec: Codec whose encoder is frozen.
    new: Variables that the checkpoint does not have, by path.
    path: Checkpoint.
  """
  prefixes = tuple(f'model/{name}/' for name in codec.model.encoder_only)
  for name, variable in new.items():
    if name.startswith(prefixes):
      raise TransferError(
        f'the encoder is frozen, and {path} does not have all of it: '
        f'{_plain(name)} of shape {_shape(variable.shape)}'
      )


def _by_path(root: tf.train.Checkpoint) -> dict[str, tf.Variable]:
  """Returns the variables by their names in a checkpoint: the shortest paths from its root."""
  view = tf.train.TrackableView(root)
  variables = {}
  seen = {id(root)}
  queue: collections.deque[tuple[object, tuple[str, ...]]] = collections.deque([(root, ())])

  # Breadth first, as TensorFlow does it, so that the first path to an object is its name.
  while queue:
    parent, path = queue.popleft()
    for name, child in view.children(parent).items():
      if id(child) in seen:
        continue
      seen.add(id(child))
      queue.append((child, (*path, name)))
      if isinstance(child, tf.Variable):
        variables['/'.join((*path, name))] = child

  return variables


def _plain(name: str) -> str:
  """Returns a variable's path without what a reader does not need."""
  return name.removeprefix('model/').replace('layer_with_weights-', '')


def _shape(shape: tf.TensorShape | list[int]) -> str:
  return 'x'.join(map(str, shape)) or 'scalar'
