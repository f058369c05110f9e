"""Rows of studies, read back from a folder, and the statements that are made about them."""

import csv
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfusq.analysis.study import AnalysisError


class RecordedStudies:
  """The rows of the studies in a folder."""

  def __init__(self, folder: Path):
    """Initializer.

    Args:
      folder: Folder with a CSV file for each study; a file is read when it is first asked for.
    """
    self._folder = folder
    self._rows_by_study: dict[str, list[dict]] = {}

  def rows(self, study: str, **coordinates: float | str) -> list[dict]:
    """Returns the rows of a study that have some values in some columns.

    Args:
      study: Name of the study, without the file's ending.
      **coordinates: Values by column.

    Returns:
      Rows in which numbers are floats; at least one.

    Raises:
      AnalysisError: if the study is not in the folder, or has no such rows.
    """
    if study not in self._rows_by_study:
      self._rows_by_study[study] = self._read(study)

    rows = []
    for row in self._rows_by_study[study]:
      if all(row.get(key) == value for key, value in coordinates.items()):
        rows.append(row)
    if not rows:
      raise AnalysisError(
        f'{self._path(study)} has no row with {coordinates}; {_remedy(study)}, and all surrogates '
        'of the statements'
      )
    return rows

  def curve(
    self, study: str, key: str, over: str, **coordinates: float | str
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns one column over another.

    Args:
      study: Name of the study, without the file's ending.
      key: Column of the values.
      over: Column of the positions.
      **coordinates: Values by column that rows must have.

    Returns:
      The positions, ascending and each once, and the values there, `float64[positions]` each.
      Values at equal positions are averaged.

    Raises:
      AnalysisError: if the study is not in the folder, or lacks the rows or a column.
    """
    rows = self.rows(study, **coordinates)
    if not {key, over} <= rows[0].keys():
      raise AnalysisError(f'{self._path(study)} has no columns {key} and {over}')

    values_by_position: dict[float, list[float]] = {}
    for row in rows:
      values_by_position.setdefault(row[over], []).append(row[key])
    positions = sorted(values_by_position)
    means = [np.mean(values_by_position[position]) for position in positions]
    return np.array(positions), np.array(means)

  def _path(self, study):
    return self._folder / f'{study}.csv'

  def _read(self, study):
    path = self._path(study)
    if not path.exists():
      raise AnalysisError(f'{path} does not exist; {_remedy(study)}')

    rows = []
    with path.open(encoding='utf-8', newline='') as file:
      for text_row in csv.DictReader(file, strict=True):
        rows.append({key: _number(text) for key, text in text_row.items()})
    return rows


def _remedy(study):
  # An analysis that writes several studies has their names begin with its own, as in
  # `rate_of_pairs`.
  analysis = study.partition('_')[0]
  return f'make it with tfusq analyze {analysis}'


def _number(text):
  try:
    return float(text)
  except ValueError:
    return text


class Statement(NamedTuple):
  """A statement of the paper and how it is tested.

  Attributes:
    section: Section of the paper.
    text: The statement, in short.
    measure: Function that returns measured numbers by name, and whether they bear the statement
      out.
  """

  section: str
  text: str
  measure: Callable[[RecordedStudies], tuple[dict[str, float], bool]]


def falls(values: Iterable[float]) -> bool:
  """Returns whether each value is below the one before by at least a hundredth of it."""
  return all(after < 0.99 * before for before, after in itertools.pairwise(values))
