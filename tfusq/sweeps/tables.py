"""Results of every cell of a sweep as tables: percent compared with a reference, and the paper's.

A table has BD-rates against an anchor, or, as Table IV of the paper, rate-distortion costs at one
lambda relative to those of one cell (see `costs`). The spread is the standard deviation over seeds,
pooled over the cells of a stage that are shown. Two cells that are less than twice the spread apart
are undecided.
"""

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfusq.curves import bd_rate
from tfusq.curves.curve import Curve, CurveError
from tfusq.sweeps.results import Results
from tfusq.sweeps.sweep import STAGES, Sweep

METHOD = bd_rate.METHODS[0]
BD_RATE = 'rate-distortion'  # what `paper_tables.csv` calls a BD-rate


class CellResult(NamedTuple):
  """A cell's result in one stage.

  Attributes:
    by_seed: Percent by seed, for those whose results at all lambdas are there; NaN for a curve that
      cannot be compared.
    runs: Number of results that are there.
    paper: The paper's number, percent, or what it has in its place; empty if it has none.
  """

  by_seed: dict[int, float]
  runs: int
  paper: str

  @property
  def mean(self) -> float:
    """Mean over seeds; NaN if there are none, or one cannot be compared."""
    if not self.by_seed:
      return math.nan
    return float(np.mean(list(self.by_seed.values())))


class Table(NamedTuple):
  """Results of one measure on one folder of images.

  Attributes:
    images: Name of the folder.
    measure: Name and unit of the results.
    results: Results by index of the cell and stage.
    warnings: Reasons to doubt comparisons.
    zeros: Keys of results that are 0 by definition, and say nothing about the spread.
    group: Function from the index of a cell to what all cells have in common that it can be
      compared with; by default all cells can.
  """

  images: str
  measure: str
  results: dict[tuple[int, str], CellResult]
  warnings: Sequence[str] = ()
  zeros: frozenset[tuple[int, str]] = frozenset()
  group: Callable[[int], object] = lambda cell_index: None

  def spread(self, stage: str, cell_indices: Iterable[int]) -> float:
    """Returns the spread over seeds, percentage points; NaN if no cell has two seeds.

    Args:
      stage: `joint` or `post`.
      cell_indices: Cells to pool; those without a result are left out.
    """
    samples = []
    for cell_index in cell_indices:
      key = cell_index, stage
      if key in self.results and key not in self.zeros:
        sample = list(self.results[key].by_seed.values())
        if not np.isnan(sample).any():
          samples.append(sample)
    return pooled_deviation(samples)


def pooled_deviation(samples: Iterable[Sequence[float]]) -> float:
  """Returns the standard deviation within samples, pooled over those of at least two values."""
  squares = 0.0
  freedom = 0
  for sample in samples:
    if len(sample) > 1:
      squares += float(np.var(sample)) * len(sample)
      freedom += len(sample) - 1
  return math.sqrt(squares / freedom) if freedom else math.nan


class PaperTables:
  """Numbers of the paper's tables that a sweep reproduces."""

  # Columns that say what a number is. The others are coordinates: labels of a cell's axes.
  _DESCRIPTION = ('table', 'images', 'rates', 'measure', *STAGES)

  def __init__(self, rows: Iterable[Mapping[str, str]], tables: Sequence[str]):
    """Initializer.

    Args:
      rows: Rows of `paper_tables.csv`.
      tables: Names of the tables to look at, such as `III`.
    """
    self._rows = [row for row in rows if row['table'] in tables]

  @classmethod
  def read(cls, path: Path, tables: Sequence[str]) -> 'PaperTables':
    """Reads the tables.

    Args:
      path: `paper_tables.csv`.
      tables: Names of the tables to look at, such as `III`.
    """
    return cls(csv.DictReader(path.read_text(encoding='utf-8').splitlines()), tables)

  def find(self, cell: Mapping[str, str], stage: str, description: Mapping[str, str]) -> str:
    """Returns the paper's number, as it is written there; empty if there is none.

    Args:
      cell: Label of each axis. A coordinate that a row leaves empty holds for every label.
      stage: `joint` or `post`.
      description: Values, in whatever case, of columns that are no coordinates.
    """
    for row in self._rows:
      coordinates = {
        name: value for name, value in row.items() if value and name not in self._DESCRIPTION
      }
      if not coordinates.items() <= cell.items():
        continue
      if all(row[name].lower() == value.lower() for name, value in description.items()):
        return row[stage]
    return ''


def bd_rates(results: Results, anchor: Curve, paper: PaperTables) -> Table:
  """Compares every cell of a sweep with an anchor by BD-rate.

  Args:
    results: A sweep's results.
    anchor: The anchor's curve.
    paper: The paper's numbers.

  Raises:
    CurveError: if a result is no curve.
  """
  description = {'images': results.images, 'measure': BD_RATE}
  cell_results = {}
  remarks = []
  for stage in STAGES:
    for cell_index, cell in enumerate(results.sweep.cells()):
      by_seed, cell_remarks = _compare(anchor, results.curves(cell_index, stage))
      remarks += cell_remarks
      cell_results[cell_index, stage] = CellResult(
        by_seed=by_seed,
        runs=results.count(cell_index, stage),
        paper=paper.find(cell, stage, description),
      )

  warnings = [f'{count} curves: {remark}' for remark, count in Counter(remarks).items()]
  return Table(results.images, f'BD-rate, % ({METHOD})', cell_results, warnings)


def _compare(anchor: Curve, curves: Mapping[int, Curve]) -> tuple[dict[int, float], list[str]]:
  """Returns the BD-rates of curves by seed, in percent, and reasons to doubt them."""
  by_seed = {}
  remarks = []
  for seed, curve in curves.items():
    try:
      comparison = bd_rate.compare(anchor, curve)
    except CurveError as error:
      # A codec that did not converge may have no quality in common with the anchor.
      by_seed[seed] = math.nan
      remarks.append(str(error))
    else:
      by_seed[seed] = comparison.percent[METHOD]
      remarks += comparison.warnings
  return by_seed, remarks


def average(sweep: Sweep, tables: Sequence[Table], paper: PaperTables) -> Table:
  """Returns the mean over folders of images, seed by seed, which the paper calls `Avg`.

  Args:
    sweep: The sweep.
    tables: BD-rates on each folder.
    paper: The paper's numbers.
  """
  cells = sweep.cells()
  description = {'images': 'Avg', 'measure': BD_RATE}
  cell_results = {}
  for cell_index, stage in tables[0].results:
    over_images = [table.results[cell_index, stage] for table in tables]
    by_seed = {}
    for seed in over_images[0].by_seed:
      if all(seed in result.by_seed for result in over_images):
        values = [result.by_seed[seed] for result in over_images]
        by_seed[seed] = float(np.mean(values))

    cell_results[cell_index, stage] = CellResult(
      by_seed,
      min(result.runs for result in over_images),
      paper.find(cells[cell_index], stage, description),
    )
  return Table('Avg', tables[0].measure, cell_results)


def best_cells(sweep: Sweep, tables: Sequence[Table]) -> list[int]:
  """Returns the indices of the cells to show.

  Of cells that differ in the sweep's axis `best_of` alone, that is the one with the least mean
  after the post stage, over the tables that have it. If the sweep has no such axis, all are shown.

  Args:
    sweep: The sweep.
    tables: Results by which cells are compared.
  """
  if not sweep.best_of:
    return list(range(len(sweep.cells())))

  # Score and index of the best cell, by the labels of the other axes.
  best: dict[tuple, tuple[float, int]] = {}
  for cell_index, cell in enumerate(sweep.cells()):
    means = [table.results[cell_index, 'post'].mean for table in tables]
    known = [mean for mean in means if not math.isnan(mean)]
    score = float(np.mean(known)) if known else math.inf
    others = tuple(item for item in cell.items() if item[0] != sweep.best_of)
    if others not in best or score < best[others][0]:
      best[others] = score, cell_index
  return [cell_index for _, cell_index in best.values()]
