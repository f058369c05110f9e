"""The scalars that a training run has written for TensorBoard."""

import os
import re
from typing import Any

import tensorflow as tf

from tfusq import files

# (step, value) of each tag, by step.
Scalars = dict[str, list[tuple[int, float]]]

# The beginning of the names of the files in the folder of a writer.
_PREFIX = 'events.out.tfevents.'


def read_scalars(model_dir: str | os.PathLike) -> dict[str, Scalars]:
  """Reads the summaries of a run.

  A resumed run may repeat steps that the interrupted one has recorded. The later record counts.

  Args:
    model_dir: Run directory.

  Returns:
    For each writer, `train` and `validation`: each tag's (step, value), by step.
  """
  scalars = {}
  folders: list[Any] = sorted(files.to_path(model_dir).iterdir())  # all of one class
  for folder in folders:
    if are_in(folder):
      scalars[folder.name] = _read(folder)
  return scalars


def are_in(folder: files.AnyPath) -> bool:
  """Returns whether a folder holds scalars, as that of a writer does; it may be absent."""
  return bool(_event_files(folder))


def _event_files(folder: files.AnyPath) -> list[files.AnyPath]:
  if not folder.is_dir():
    return []
  paths = [path for path in folder.iterdir() if path.name.startswith(_PREFIX)]
  return sorted(paths, key=_numbers)


def _read(folder: files.AnyPath) -> Scalars:
  scalars: dict[str, dict[int, float]] = {}
  for path in _event_files(folder):
    try:
      for record in tf.data.TFRecordDataset(str(path)):
        _add(scalars, tf.compat.v1.Event.FromString(record.numpy()))
    except tf.errors.DataLossError:
      continue  # the last record of a run that was killed
  return {tag: sorted(values.items()) for tag, values in scalars.items()}


def _add(scalars: dict[str, dict[int, float]], event: tf.compat.v1.Event) -> None:
  """Adds the scalars of one event, by tag and step; they replace earlier ones of that step."""
  for value in event.summary.value:
    if value.metadata.plugin_data.plugin_name == 'scalars':
      scalars.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))


def _numbers(path: files.AnyPath) -> list[int]:
  """Returns what orders event files: the time of their beginning, then a count."""
  return [int(number) for number in re.findall(r'\d+', path.name)]
