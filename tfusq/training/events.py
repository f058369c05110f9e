"""The scalars that a training run has written for TensorBoard."""

import os
import re
from pathlib import Path

import tensorflow as tf

Scalars = dict[str, list[tuple[int, float]]]


def read_scalars(model_dir: str | os.PathLike) -> dict[str, Scalars]:
  """Reads the summaries of a run.

  Args:
    model_dir: Run directory.

  Returns:
    For each writer, `train` and `validation`, and each tag: (step, value), by step. What a resumed
    run did again stands for what it did first.
  """
  return {
    folder.name: _read(folder)
    for folder in sorted(Path(model_dir).iterdir())
    if any(folder.glob('events.out.tfevents.*'))
  }


def _read(folder):
  scalars: dict[str, dict[int, float]] = {}
  # Named by the time they were begun and, within a second, by a count.
  for path in sorted(folder.glob('events.out.tfevents.*'), key=_numbers):
    try:
      for record in tf.data.TFRecordDataset(str(path)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
          if value.metadata.plugin_data.plugin_name == 'scalars':
            scalars.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
    except tf.errors.DataLossError:
      continue  # a killed run's last record
  return {tag: sorted(series.items()) for tag, series in scalars.items()}


def _numbers(path):
  return [int(number) for number in re.findall(r'\d+', path.name)]
