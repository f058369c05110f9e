"""The scalars that a training run has written for TensorBoard."""

import os
import re
from pathlib import Path

import tensorflow as tf

# (step, value) of each tag, by step.
Scalars = dict[str, list[tuple[int, float]]]

# Names of the files in the folder of a writer.
EVENT_FILES = 'events.out.tfevents.*'


def read_scalars(model_dir: str | os.PathLike) -> dict[str, Scalars]:
  """Reads the summaries of a run.

  A resumed run may repeat steps that the interrupted one has recorded. The later record counts.

  Args:
    model_dir: Run directory.

  Returns:
    For each writer, `train` and `validation`: each tag's (step, value), by step.
  """
  return {
    folder.name: _read(folder)
    for folder in sorted(Path(model_dir).iterdir())
    if any(folder.glob(EVENT_FILES))
  }


def _read(folder: Path) -> Scalars:
  scalars: dict[str, dict[int, float]] = {}
  for path in sorted(folder.glob(EVENT_FILES), key=_numbers):
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


def _numbers(path: Path) -> list[int]:
  """Returns what orders event files: the time of their beginning, then a count."""
  return [int(number) for number in re.findall(r'\d+', path.name)]
