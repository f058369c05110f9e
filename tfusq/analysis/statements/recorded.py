"""The figures of studies, read back from a folder, and what may be stated by them."""

import csv
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfusq.analysis.study import AnalysisError


class Figures:
  """The rows of the studies in a folder."""

  def __init__(self, folder: Path):
    self._folder = folder
    self._studies = {}

  def rows(self, study: str, **coordinates) -> list[dict]:
    """Returns the rows at some coordinates; numbers as numbers.

    Raises:
      AnalysisError: if the study is not in the folder, or has no such rows.
    """
    if study not in self._studies:
      path = self._folder / f'{study}.csv'
      if not path.exists():
        raise AnalysisError(f'{path} is not there; make it by tfusq analyze')
      with path.open(encoding='utf-8', newline='') as file:
        self._studies[study] = [
          {key: _number(value) for key, value in row.items()}
          for row in csv.DictReader(file, strict=True)
        ]
    found = [
      row
      for row in self._studies[study]
      if all(row.get(key) == value for key, value in coordinates.items())
    ]
    if not found:
      raise AnalysisError(
        f'{self._folder / study}.csv has no row with {coordinates}; '
        'gin/paper/analyses/README.md has the commands that make all'
      )
    return found

  def curve(self, study: str, key: str, over: str, **coordinates) -> tuple[np.ndarray, np.ndarray]:
    """Returns what a figure is over, ascending, and the figure: means where there are repeats."""
    rows = self.rows(study, **coordinates)
    if not {key, over} <= rows[0].keys():
      raise AnalysisError(f'{self._folder / study}.csv has no columns {key} and {over}')
    places = sorted({row[over] for row in rows})
    return np.array(places), np.array(
      [np.mean([row[key] for row in rows if row[over] == place]) for place in places]
    )


def _number(text):
  try:
    return float(text)
  except ValueError:
    return text


class Statement(NamedTuple):
  """A sentence of the paper and how it is measured.

  Attributes:
    section: Of the paper.
    text: In short.
    measure: Returns figures by name, and whether they bear the sentence out.
  """

  section: str
  text: str
  measure: Callable[[Figures], tuple[dict[str, float], bool]]


def falls(values: Iterable[float]) -> bool:
  """Returns whether each is below the one before by a hundredth at least."""
  values = list(values)
  return all(after < 0.99 * before for before, after in itertools.pairwise(values))
