"""The checkpoints of a run, `ckpt-N` as of step N, and the file `checkpoint` that names the newest.

TensorFlow's own manager takes the run's path for a pattern, and what that file does not name for
absent. Here checkpoints are found by reading the folder, and removed by their exact names. The file
is still written as TensorFlow does, so that its other tools find the newest checkpoint.
"""

import collections
import hashlib
import os
import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from absl import logging

from tfusq import files
from tfusq.training.recipes import TrainingError

# What TensorFlow adds to the name of a variable in a checkpoint.
VALUE = '/.ATTRIBUTES/VARIABLE_VALUE'

# The newest is what a run resumes from; the others are there if a disk damages it.
_KEPT = 3

_STATE = 'checkpoint'
_FILE = re.compile(r'ckpt-(\d+)\.(index|data-\d{5}-of-\d{5})')


def check_name(model_dir: str) -> None:
  """Refuses a name that TensorFlow or a recipe can't hold.

  Args:
    model_dir: Run directory, which need not exist.

  Raises:
    TrainingError: if the name is empty, not UTF-8 or not one line.
  """
  absolute = model_dir if files.is_remote(model_dir) else os.path.abspath(model_dir)
  is_utf8 = absolute == absolute.encode(errors='replace').decode()
  if not model_dir or not is_utf8 or absolute.splitlines() != [absolute]:
    raise TrainingError(f"a run's folder must have a name in UTF-8, on one line, not {model_dir!r}")


def steps(model_dir: str | os.PathLike) -> list[int]:
  """Returns the steps of a run's checkpoints, the oldest first; damaged ones count."""
  return sorted(step for step, path in _files(files.to_path(model_dir)) if path.suffix == '.index')


def path_of(model_dir: str | os.PathLike, step: int) -> str:
  """Returns the path of a checkpoint as TensorFlow wants it: that of its files, up to the dot."""
  return str(files.to_path(model_dir) / f'ckpt-{step}')


def newest(model_dir: str) -> int | None:
  """Returns the step of the checkpoint that counts as the newest, or None if there is none.

  It is that which the file `checkpoint` names, or, where this is lost, the last one.

  Args:
    model_dir: Run directory.

  Raises:
    TrainingError: if the run's name is refused.
  """
  return next(_newest_first(model_dir), None)


def newest_whole(model_dir: str) -> int | None:
  """Returns the step of the newest checkpoint that can be read, or None if there is none at all.

  Args:
    model_dir: Run directory.

  Raises:
    TrainingError: if the run's name is refused, or all its checkpoints are damaged.
  """
  damaged: list[int] = []
  for step in _newest_first(model_dir):
    if _is_whole(model_dir, step):
      for other in damaged:
        logging.warning('%s is damaged; step %d counts', path_of(model_dir, other), step)
      return step
    damaged.append(step)

  if damaged:
    names = ', '.join(f'ckpt-{step}' for step in damaged)
    raise TrainingError(
      f'no checkpoint of {model_dir} is whole ({names}); use another --model_dir to begin anew'
    )
  return None


def digest(model_dir: str, step: int) -> str:
  """Returns what identifies a checkpoint: a hash of its index, which has its tensors' checksums."""
  index = files.to_path(f'{path_of(model_dir, step)}.index').read_bytes()
  return hashlib.sha256(index).hexdigest()[:16]


class Checkpoints:
  """Writes a run's checkpoints and removes old ones.

  A process may be killed at any moment: the newest whole checkpoint is never touched.
  """

  def __init__(self, checkpoint: tf.train.Checkpoint, folder: str):
    """Initializer.

    Args:
      checkpoint: Objects to save.
      folder: Folder to write to.
    """
    self._checkpoint = checkpoint
    self._folder = files.to_path(folder)

  def save(self, step: int) -> None:
    """Writes a checkpoint, and removes those before the last three.

    Args:
      step: Number of steps that are done.

    Raises:
      TrainingError: if it can't be written; names the last good one.
    """
    last = newest(str(self._folder))
    path = path_of(self._folder, step)
    try:
      # A checkpoint that is written over would for a moment be of two halves.
      files.to_path(f'{path}.index').unlink(missing_ok=True)
      self._checkpoint.save_counter.assign_add(1)
      self._checkpoint.write(path)
      self._write_state(step)
    except (OSError, tf.errors.OpError) as error:
      self._discard(step)
      good = 'there is no checkpoint yet' if last is None else f'the last good one is ckpt-{last}'
      raise TrainingError(f"can't write {path}: {reason(error)}; {good}") from error

    for old in self._steps_up_to(step)[:-_KEPT]:
      self._remove(old)

  def discard_after(self, step: int) -> None:
    """Removes the checkpoints after a step, if there is one up to it, which then is the newest.

    Args:
      step: Number of steps that went well.
    """
    good = self._steps_up_to(step)
    if good:
      self._write_state(good[-1])
      for bad in set(steps(self._folder)) - set(good):
        self._remove(bad)

  def _write_state(self, step: int) -> None:
    lines = [f'model_checkpoint_path: "ckpt-{step}"']
    for kept in self._steps_up_to(step)[-_KEPT:]:
      lines.append(f'all_model_checkpoint_paths: "ckpt-{kept}"')
    files.write(self._folder / _STATE, '\n'.join([*lines, '']).encode())

  def _steps_up_to(self, step: int) -> list[int]:
    """Returns the steps of checkpoints; later ones are there if a run resumed from an older one."""
    return [other for other in steps(self._folder) if other <= step]

  def _remove(self, step: int) -> None:
    # The index first: without it, the others count for nothing.
    paths = [path for other, path in _files(self._folder) if other == step]
    for path in sorted(paths, key=lambda path: path.suffix != '.index'):
      path.unlink(missing_ok=True)

  def _discard(self, step: int) -> None:
    """Removes what a failed write has left, as far as that is possible."""
    draft = f'{path_of(self._folder, step)}_temp'
    try:
      if tf.io.gfile.exists(draft):
        tf.io.gfile.rmtree(draft)
      self._remove(step)
    except (OSError, tf.errors.OpError) as error:
      logging.warning('%s', error)


def reader(path: str) -> Any:
  """Returns TensorFlow's reader of a checkpoint's tensors.

  Its `tf.train.load_checkpoint` would first look for the checkpoint by a pattern, which some stores
  do not know.

  Args:
    path: Checkpoint, by a path that is no pattern.

  Raises:
    tf.errors.OpError: if it is absent or damaged.
  """
  return tf.compat.v1.train.NewCheckpointReader(path)


def variables_by_name(root: tf.train.Checkpoint) -> dict[str, tf.Variable]:
  """Returns the variables by their names in a checkpoint: the shortest paths from its root.

  Args:
    root: Objects that the checkpoint saves.
  """
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


def reason(error: Exception) -> str:
  """Returns why something could not be written, in a few words."""
  if isinstance(error, OSError) and error.strerror:
    return error.strerror
  # TensorFlow writes `FILE; REASON [Op:NAME]`, and lines about its own functions below.
  first_line = next(iter(str(error).splitlines()), type(error).__name__)
  return re.sub(r' \[Op:.*', '', first_line).rpartition('; ')[2]


def _files(folder: files.AnyPath) -> Iterator[tuple[int, files.AnyPath]]:
  """Yields the files of checkpoints with their steps."""
  if not folder.exists():
    return
  paths: list[Any] = list(folder.iterdir())
  for path in paths:
    match = _FILE.fullmatch(path.name)
    if match:
      yield int(match[1]), path


def _newest_first(model_dir: str) -> Iterator[int]:
  """Yields the steps of checkpoints, first that which the file `checkpoint` names."""
  check_name(model_dir)
  remaining = steps(model_dir)
  named = _named(files.to_path(model_dir) / _STATE)
  if named in remaining:
    remaining.remove(named)
    remaining.append(named)
  yield from reversed(remaining)


def _named(state: files.AnyPath) -> int | None:
  """Returns the step that the file `checkpoint` names, or None if it is lost or damaged."""
  if not state.is_file():
    return None
  text = state.read_bytes().decode(errors='replace')
  # A run may have been moved since: only the name counts, not the folder that was noted.
  match = re.search(r'^model_checkpoint_path: "(?:.*/)?ckpt-(\d+)"', text, re.MULTILINE)
  return int(match[1]) if match else None


def _is_whole(model_dir: str, step: int) -> bool:
  """Returns whether all of a checkpoint can be read; TensorFlow compares checksums."""
  with files.literal(model_dir) as folder:
    try:
      tensors = reader(path_of(folder, step))
      for name in tensors.get_variable_to_shape_map():
        tensors.get_tensor(name)
    except (IndexError, ValueError, tf.errors.OpError):
      return False
  return True
