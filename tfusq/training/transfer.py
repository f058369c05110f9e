"""From a run's checkpoint to a codec's networks: all of them, or those that fit."""

import collections
import contextlib
from collections.abc import Iterator

import tensorflow as tf
from absl import logging

from tfusq.errors import Error
from tfusq.training.codec import Codec

# What TensorFlow adds to the path of a variable in a checkpoint.
_VALUE = '/.ATTRIBUTES/VARIABLE_VALUE'


class TransferError(Error, RuntimeError):
  """A checkpoint that is absent, damaged, or of other networks."""


@contextlib.contextmanager
def restoring(path: str) -> Iterator[None]:
  """Re-raises the errors of reading a checkpoint as `TransferError`.

  Args:
    path: Checkpoint that is read inside the context.

  Raises:
    TransferError: if the checkpoint does not fit or is damaged.
  """
  try:
    yield
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
  return restore_checkpoint(codec, _newest(run))


def checkpoints(run: str) -> list[str]:
  """Returns a run's checkpoints, the oldest first.

  Raises:
    TransferError: if there is none.
  """
  _newest(run)
  return list(tf.train.get_checkpoint_state(run).all_model_checkpoint_paths)


def restore_checkpoint(codec: Codec, path: str) -> int:
  """Loads the networks of one checkpoint of a run, which must be this codec's.

  Args:
    codec: Created codec.
    path: Checkpoint, from `checkpoints`.

  Returns:
    The step of the checkpoint.

  Raises:
    TransferError: if it holds other networks.
  """
  with restoring(path):
    status = tf.train.Checkpoint(model=codec.model).restore(path)
    # A run's checkpoint has the optimizer's slots too, which are not asked for.
    status.expect_partial().assert_existing_objects_matched()
  return int(path.rsplit('-', 1)[1])


def transfer(codec: Codec, run: str) -> list[str]:
  """Loads the weights of a run's newest checkpoint that have equal path and shape in a codec.

  Args:
    codec: Created codec; its model, size or entropy model may differ from the run's.
    run: Run directory.

  Returns:
    One line for each weight that is not loaded: those of the codec that stay new, then those of
    the run that are left out.

  Raises:
    TransferError: if there is no checkpoint, nothing fits, or the encoder is frozen and the
      checkpoint does not have all of it.
  """
  path = _newest(run)
  stored = _stored_shapes(path)
  variables = _by_path(tf.train.Checkpoint(model=codec.model))
  fitting = {name for name, variable in variables.items() if stored.get(name) == variable.shape}
  if not fitting:
    raise TransferError(f"{path} has no weights of this codec's names and shapes")

  new = {name: variable for name, variable in variables.items() if name not in fitting}
  if not codec.train_encoder:
    _require_encoder(codec, new, path)

  with restoring(path):
    reader = tf.train.load_checkpoint(path)
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
  return lines


def _newest(run: str) -> str:
  path = tf.train.latest_checkpoint(run)
  if path is None:
    raise TransferError(f'no checkpoint in {run}')
  return path


def _stored_shapes(path: str) -> dict[str, list[int]]:
  """Returns the shapes of the networks' variables in a checkpoint, by path."""
  shapes = {}
  with restoring(path):
    for name, shape in tf.train.list_variables(path):
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
