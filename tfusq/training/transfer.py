"""From a run's checkpoint to a codec's networks: all of them, or those that fit."""

import collections
import contextlib
from collections.abc import Iterator

import tensorflow as tf
from absl import logging

from tfusq.errors import Error
from tfusq.training.codec import Codec

_VALUE = '/.ATTRIBUTES/VARIABLE_VALUE'


class TransferError(Error, RuntimeError):
  """A checkpoint that is absent, damaged, or of other networks."""


@contextlib.contextmanager
def restoring(path: str) -> Iterator[None]:
  """Gives what a checkpoint that does not fit or is damaged raises one type."""
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
    codec: A created codec.
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
  """Loads the networks of one checkpoint of a run; as `restore`."""
  with restoring(path):
    status = tf.train.Checkpoint(model=codec.model).restore(path)
    status.expect_partial().assert_existing_objects_matched()
  return int(path.rsplit('-', 1)[1])


def transfer(codec: Codec, run: str) -> list[str]:
  """Loads what fits of a run's newest checkpoint: the weights of equal path and shape.

  Args:
    codec: A created codec, of another model, size or entropy model than the run's perhaps.
    run: Run directory.

  Returns:
    What was not loaded, a line each: the codec's that stay new, then the run's left out.

  Raises:
    TransferError: if there is no checkpoint, nothing fits, or the encoder is frozen and not all of
      it is there.
  """
  path = _newest(run)
  with restoring(path):
    stored = {
      name.removesuffix(_VALUE): shape
      for name, shape in tf.train.list_variables(path)
      if name.startswith('model/') and name.endswith(_VALUE)
    }
    reader = tf.train.load_checkpoint(path)
  variables = _by_path(tf.train.Checkpoint(model=codec.model))
  fits = {name for name, variable in variables.items() if stored.get(name) == variable.shape}
  if not fits:
    raise TransferError(f"{path} has no weights of this codec's names and shapes")
  encoder = tuple(f'model/{name}/' for name in codec.model.encoder_only)
  new = [
    f'{_plain(name)} stays new: '
    + (
      f'its shape is {_shape(variable.shape)}, there {_shape(stored[name])}'
      if name in stored
      else 'not there'
    )
    for name, variable in variables.items()
    if name not in fits
  ]
  if not codec.train_encoder:
    for name in variables:
      if name.startswith(encoder) and name not in fits:
        raise TransferError(
          f'the encoder is frozen, and {path} does not have all of it: '
          f'{_plain(name)} of shape {_shape(variables[name].shape)}'
        )
  with restoring(path):
    for name in fits:
      variables[name].assign(reader.get_tensor(name + _VALUE))
  logging.info('loaded %d of %d weights of %s', len(fits), len(variables), path)
  return new + [
    f'{_plain(name)} is left out: no such weights here' for name in stored if name not in variables
  ]


def _newest(run):
  path = tf.train.latest_checkpoint(run)
  if path is None:
    raise TransferError(f'no checkpoint in {run}')
  return path


def _by_path(root: tf.train.Checkpoint) -> dict[str, tf.Variable]:
  """Returns the variables by their names in a checkpoint: the shortest paths from its root."""
  view, found, seen = tf.train.TrackableView(root), {}, {id(root)}
  queue = collections.deque([(root, ())])
  while queue:
    parent, path = queue.popleft()
    for name, child in view.children(parent).items():
      if id(child) not in seen:
        seen.add(id(child))
        queue.append((child, (*path, name)))
        if isinstance(child, tf.Variable):
          found['/'.join((*path, name))] = child
  return found


def _plain(name):
  return name.removeprefix('model/').replace('layer_with_weights-', '')


def _shape(shape):
  return 'x'.join(map(str, shape)) or 'scalar'
