"""What a sweep shows: figures of every cell, joint and post, beside the paper's.

The figure is the BD-rate against an anchor, or, as in Table IV, the rate-distortion cost at each
lambda against that of one cell, both in percent. The spread is the standard deviation over seeds,
pooled over the cells of a stage that are shown. Two cells that are less than twice the spread apart
are undecided.
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfusq.curves.bd_rate import METHODS, bd_rate
from tfusq.curves.curve import Curve, CurveError, join, read_curve
from tfusq.sweeps.sweep import Sweep

STAGES = ('joint', 'post')
METHOD = METHODS[0]
NO_AXES = ('table', 'images', 'rates', 'measure', *STAGES)  # columns that are no coordinates


class Figure(NamedTuple):
  """A cell's figure in one stage.

  Attributes:
    by_seed: Percent by seed, for those all of whose lambdas are there; NaN if not comparable.
    runs: How many results are there.
    paper: The paper's, percent, or what it has in its place; empty if it has none.
  """

  by_seed: dict[int, float]
  runs: int
  paper: str

  @property
  def mean(self) -> float:
    """Over seeds; NaN if there are none, or one does not compare."""
    return float(np.mean(list(self.by_seed.values()))) if self.by_seed else math.nan


class Table(NamedTuple):
  """Figures of one kind on one folder of images.

  Attributes:
    images: Name of the folder.
    measure: What the figures are.
    figures: By number of the cell and stage.
    warnings: Of the comparisons.
    zeros: Keys of figures that are 0 by definition, and say nothing of the spread.
    comparable: Gives of a cell's number what those have in common that compare with it.
  """

  images: str
  measure: str
  figures: dict[tuple[int, str], Figure]
  warnings: Sequence[str] = ()
  zeros: frozenset[tuple[int, str]] = frozenset()
  comparable: Callable[[int], object] = lambda number: None

  def spread(self, stage: str, numbers: Iterable[int]) -> float:
    """Returns the spread of some cells in a stage, percentage points; NaN with less than two seeds.

    Those without a figure are left out.
    """
    samples = (
      list(self.figures[number, stage].by_seed.values())
      for number in numbers
      if (number, stage) in self.figures and (number, stage) not in self.zeros
    )
    return pooled_deviation(sample for sample in samples if not np.isnan(sample).any())


def tabulate(
  sweep: Sweep, results: Path, images: str, anchor: Curve, paper: list[dict[str, str]]
) -> Table:
  """Compares every cell of a sweep with an anchor by BD-rate.

  Args:
    sweep: What was to be run.
    results: Folder of results.
    images: Name of the folder of images.
    anchor: What to compare with.
    paper: Rows of the paper's tables.
  """
  figures, warnings = {}, []
  for stage in STAGES:
    for number, cell in enumerate(sweep.cells()):
      by_seed = {}
      for seed, curve in curves_of(sweep, results, cell, stage, images).items():
        try:
          result = bd_rate(anchor, curve)
        except CurveError as error:  # as of a codec that did not converge
          by_seed[seed] = math.nan
          warnings.append(str(error))
        else:
          by_seed[seed] = result.percent[METHOD]
          warnings += result.warnings
      figures[number, stage] = Figure(
        by_seed,
        _count(sweep, results, cell, stage, images),
        figure_of_paper(paper, sweep.tables, _what(images), cell, stage),
      )
  return Table(
    images,
    f'BD-rate, % ({METHOD})',
    figures,
    [f'{count} curves: {remark}' for remark, count in Counter(warnings).items()],
  )


def curves_of(
  sweep: Sweep, results: Path, cell: dict[str, str], stage: str, images: str
) -> dict[int, Curve]:
  """Returns a cell's curve for each seed all of whose lambdas are there."""
  paths = _paths(sweep, results, cell, stage, images)
  name = ', '.join((*cell.values(), stage))
  return {
    seed: join(name, map(read_curve, own))
    for seed, own in paths.items()
    if all(path.exists() for path in own)
  }


def _count(*place):
  return sum(path.exists() for own in _paths(*place).values() for path in own)


def _paths(sweep, results, cell, stage, images):
  runs = [run for run in sweep.runs() if run.cell == cell]
  return {
    seed: [run.result(results, stage, images) for run in runs if run.seed == seed]
    for seed in sweep.seeds
  }


def pooled_deviation(samples: Iterable[Sequence[float]]) -> float:
  """Returns the standard deviation within samples, pooled over those of two and more values."""
  samples = [sample for sample in samples if len(sample) > 1]
  freedom = sum(len(sample) - 1 for sample in samples)
  if not freedom:
    return math.nan
  return math.sqrt(sum(np.var(sample) * len(sample) for sample in samples) / freedom)


def read_paper(path: Path) -> list[dict[str, str]]:
  """Reads the figures of the paper's tables, `paper_tables.csv`."""
  return list(csv.DictReader(path.read_text().splitlines()))


def figure_of_paper(
  rows: list[dict[str, str]],
  tables: Sequence[str],
  what: dict[str, str],
  cell: dict[str, str],
  stage: str,
) -> str:
  """Returns the paper's figure of a cell, as it is written there; empty if there is none.

  Args:
    rows: The paper's tables.
    tables: Those to look at.
    what: Values that columns other than the coordinates must have, whatever their case.
    cell: Label of each axis; what a row leaves empty holds for every label.
    stage: `joint` or `post`.
  """
  for row in rows:
    coordinates = {name: value for name, value in row.items() if value and name not in NO_AXES}
    if (
      row['table'] in tables
      and coordinates.items() <= cell.items()
      and all(row[name].lower() == value.lower() for name, value in what.items())
    ):
      return row[stage]
  return ''


def average(sweep: Sweep, tables: list[Table], paper: list[dict[str, str]]) -> Table:
  """Returns the mean over folders of images, as the paper's `Avg`, seed by seed."""
  figures = {}
  for number, stage in tables[0].figures:
    own = [table.figures[number, stage] for table in tables]
    seeds = [seed for seed in own[0].by_seed if all(seed in figure.by_seed for figure in own)]
    figures[number, stage] = Figure(
      {seed: float(np.mean([figure.by_seed[seed] for figure in own])) for seed in seeds},
      min(figure.runs for figure in own),
      figure_of_paper(paper, sweep.tables, _what('Avg'), sweep.cells()[number], stage),
    )
  return Table('Avg', tables[0].measure, figures)


def _what(images):
  return {'images': images, 'measure': 'rate-distortion'}


def text(sweep: Sweep, table: Table, numbers: Sequence[int]) -> str:
  """Returns a table for reading, with every two cells' order, or that it is undecided.

  Args:
    sweep: What was to be run.
    table: Its figures.
    numbers: Cells to show; see `best_cells`.
  """
  width = max(len(cell_label(sweep, number)) for number in numbers) + 2
  stages = [stage for stage in STAGES if (numbers[0], stage) in table.figures]
  lines = [f"{table.images}: {table.measure}; mean over seeds (each seed), the paper's"]
  for number in numbers:
    lines.append(
      f'{cell_label(sweep, number):<{width}}'
      + '   '.join(f'{stage}{_cell(sweep, table.figures[number, stage])}' for stage in stages)
    )
  for stage in stages:
    lines += _order(sweep, table, numbers, stage)
  return '\n'.join([*lines, *(f'warning: {remark}' for remark in table.warnings)])


def _cell(sweep, figure):
  total = len(sweep.lmbdas) * len(sweep.seeds)
  seeds = ' '.join(f'{value:.2f}' for value in figure.by_seed.values())
  shown = _percent(figure.mean) if figure.by_seed else f'{figure.runs} of {total}'
  return f'{shown:>9} {f"({seeds})" if figure.by_seed else "":<16}{figure.paper:>7}'


def _percent(value):
  return '—' if math.isnan(value) else f'{value:.2f}'


def _order(sweep, table, numbers, stage):
  spread = table.spread(stage, numbers)
  if math.isnan(spread):
    return [f'{stage}: nothing is decided with less than two seeds']
  lines = [
    f'{stage}: spread {spread:.2f} points; what is less than {2 * spread:.2f} apart is undecided'
  ]
  means = {number: table.figures[number, stage].mean for number in numbers}
  order = sorted((number for number in numbers if not math.isnan(means[number])), key=means.get)
  for place, better in enumerate(order):
    for worse in order[place + 1 :]:
      if table.comparable(better) == table.comparable(worse):
        apart = means[worse] - means[better]
        verdict = 'better' if apart >= 2 * spread else 'undecided'
        lines.append(
          f'  {verdict:<10}{apart:>7.2f}  {cell_label(sweep, better)} than '
          f'{cell_label(sweep, worse)}'
        )
  return lines


def best_cells(sweep: Sweep, tables: Sequence[Table]) -> list[int]:
  """Returns, of cells that differ in `best_of` alone, the number of the best after the post stage.

  The best in the mean over the tables that have it; all cells, if the sweep has no such axis.
  """
  cells = sweep.cells()
  if not sweep.best_of:
    return list(range(len(cells)))
  best = {}
  for number, cell in enumerate(cells):
    means = [table.figures[number, 'post'].mean for table in tables]
    known = [mean for mean in means if not math.isnan(mean)]
    score = np.mean(known) if known else math.inf
    group = tuple(item for item in cell.items() if item[0] != sweep.best_of)
    if group not in best or score < best[group][0]:
      best[group] = score, number
  return [number for _, number in best.values()]


def cell_label(sweep: Sweep, number: int) -> str:
  """Returns a cell's labels."""
  return ', '.join(sweep.cells()[number].values())


def to_csv(sweep: Sweep, tables: list[Table], numbers: Sequence[int]) -> bytes:
  """Returns all figures as CSV: a line for each table, cell and stage.

  The spread is over the cells `numbers`, those that are shown.
  """
  buffer = io.StringIO()
  writer = csv.writer(buffer, lineterminator='\n')
  writer.writerow(['images', 'measure', *sweep.axes, 'stage', 'mean', 'spread', 'by_seed', 'paper'])
  for table in tables:
    for (number, stage), figure in table.figures.items():
      cell = sweep.cells()[number]
      writer.writerow(
        [
          table.images,
          table.measure,
          *(cell.get(axis, '') for axis in sweep.axes),
          stage,
          f'{figure.mean:.4f}',
          f'{table.spread(stage, numbers):.4f}',
          ' '.join(f'{seed}:{value:.4f}' for seed, value in figure.by_seed.items()),
          figure.paper,
        ]
      )
  return buffer.getvalue().encode()
