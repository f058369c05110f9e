"""The report of a sweep of forks: costs compared on the same images in the same forks.

The cost of an image is R + lambda D on real bytes. Everything is in percent of the mean cost of
`Sweep.cost_anchor` after its joint stage. Two cells are compared on the forks that both have.
"""

import csv
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfusq.curves.curve import CurveError
from tfusq.sweeps import branches, costs, paired
from tfusq.sweeps.paired import Difference
from tfusq.sweeps.results import ResultsFolder
from tfusq.sweeps.sweep import STAGES, Sweep

# Trunk and fork of a branch: what its like in other cells shares.
_Fork = tuple[int, int | None]


class ForkReport(NamedTuple):
  """What a report of forks consists of.

  Attributes:
    text: Tables to read.
    table_csv: A line for each pair of cells, as CSV; None if no two can be compared yet.
  """

  text: str
  table_csv: bytes | None


class _Costs(NamedTuple):
  """Costs of all branches at one lambda on one folder of images.

  Attributes:
    images: Name of the folder of images.
    lmbda: Weight of the distortion.
    by_cell: For each cell and stage, the cost of each image, by fork.
    unit: A hundredth of the mean cost of the anchor's joint stage; None while it has none.
  """

  images: str
  lmbda: float
  by_cell: dict[tuple[int, str], dict[_Fork, np.ndarray]]
  unit: float | None


class _Pair(NamedTuple):
  """Two cells compared after a stage; the difference is that of the second, in percent."""

  first: int
  second: int
  difference: Difference


def make_fork_report(sweep: Sweep, folder: ResultsFolder, images: Sequence[str]) -> ForkReport:
  """Reads what is finished of a sweep of forks, and compares every two cells.

  Args:
    sweep: The sweep.
    folder: Folder of results.
    images: Names of the folders of images.

  Raises:
    CurveError: if a result is no curve, or results are of different images.
    SweepError: if a file of results can't be read.
  """
  cell_names = {run.name.split('/')[0] for run in sweep.runs()}
  known = [branch for branch in branches.read(folder.path) if branch.cell in cell_names]
  warnings = [f'warning: {line}' for line in branches.differing_trunks(known)]

  lines = []
  rows = []
  for name in images:
    for lmbda in sweep.lmbdas:
      found = _read_costs(sweep, folder, name, lmbda)
      more_lines, more_rows = _compare_all(sweep, found)
      lines += more_lines
      rows += more_rows
  text = '\n'.join([*warnings, *lines])
  return ForkReport(text, _to_csv(rows) if rows else None)


def _read_costs(sweep: Sweep, folder: ResultsFolder, images: str, lmbda: float) -> _Costs:
  by_cell: dict[tuple[int, str], dict[_Fork, np.ndarray]] = {}
  hashes = None
  for cell_index in range(len(sweep.cells())):
    for stage in STAGES:
      by_fork: dict[_Fork, np.ndarray] = {}
      for run in sweep.branches_of(cell_index, lmbda):
        if not folder.has(run, stage, images):
          continue
        curve = folder.read(run, stage, images)
        if hashes not in (None, curve.hashes):
          raise CurveError(f'{run.name}, {stage} is of other images than other branches')
        hashes = curve.hashes
        by_image = costs.by_image(curve, costs.MEASURES[0])
        by_fork[run.seed, run.fork] = np.array([by_image[name] for name in sorted(by_image)])
      by_cell[cell_index, stage] = by_fork

  anchor = by_cell[sweep.cells().index(dict(sweep.cost_anchor or {})), 'joint']
  unit = float(np.mean(list(anchor.values()))) / 100 if anchor else None
  return _Costs(images, lmbda, by_cell, unit)


def _compare_all(sweep: Sweep, found: _Costs) -> tuple[list[str], list[list[str]]]:
  """Returns the lines of a text and the rows of a table."""
  title = f'{found.images}, lambda {found.lmbda}: R + lambda D'
  anchor = ', '.join((sweep.cost_anchor or {}).values())
  if found.unit is None:
    return [f'{title}: no branch of {anchor} is finished yet'], []

  lines = [f'{title} in percent of {anchor}, joint; mean (each trunk)', *_means(sweep, found)]
  rows = []
  for stage in STAGES:
    pairs = _pairs(sweep, found, stage)
    lines += _describe(sweep, stage, pairs)
    for pair in pairs:
      rows.append(_row(sweep, found, stage, pair))
  return lines, rows


def _means(sweep: Sweep, found: _Costs) -> list[str]:
  """Returns a line for each cell: its cost beside the anchor's on the forks that both have."""
  anchor_index = sweep.cells().index(dict(sweep.cost_anchor or {}))
  reference = found.by_cell[anchor_index, 'joint']
  width = max(len(sweep.cell_label(index)) for index in range(len(sweep.cells()))) + 2
  lines = []
  for cell_index in range(len(sweep.cells())):
    columns = []
    for stage in STAGES:
      by_fork = found.by_cell[cell_index, stage]
      values = _differences(reference, by_fork, found.unit)
      by_trunk = []
      for seed in sweep.seeds:
        of_trunk = [value.mean() for (other, _), value in values.items() if other == seed]
        if of_trunk:
          by_trunk.append(f'{np.mean(of_trunk):.2f}')
      mean = f'{np.mean(list(values.values())):.2f}' if values else ''
      count = f'{len(by_fork)} of {len(sweep.seeds) * sweep.forks}'
      trunks = f'({" ".join(by_trunk)})'
      columns.append(f'{stage} {mean:>7} {trunks:<16} {count}')
    lines.append(f'{sweep.cell_label(cell_index):<{width}}' + '   '.join(columns))
  return lines


def _differences(
  first: dict[_Fork, np.ndarray], second: dict[_Fork, np.ndarray], unit: float | None
) -> dict[_Fork, np.ndarray]:
  """Returns by how much the second costs more, percent, of each image in the forks of both."""
  assert unit is not None
  return {fork: (second[fork] - first[fork]) / unit for fork in first if fork in second}


def _pairs(sweep: Sweep, found: _Costs, stage: str) -> list[_Pair]:
  """Returns every two cells with a fork in common, the better one first."""
  pairs = []
  cells = range(len(sweep.cells()))
  for first in cells:
    for second in cells[first + 1 :]:
      one, other = found.by_cell[first, stage], found.by_cell[second, stage]
      values = _differences(one, other, found.unit)
      if not values:
        continue
      difference = paired.difference(np.array(list(values.values())))
      if difference.mean < 0:
        pairs.append(_Pair(second, first, difference._replace(mean=-difference.mean)))
      else:
        pairs.append(_Pair(first, second, difference))
  return pairs


def _verdict(sweep: Sweep, difference: Difference) -> str:
  if difference.is_decided:
    return 'better'
  if sweep.least_effect is not None and difference.is_within(sweep.least_effect):
    return 'alike'
  return 'undecided'


def _describe(sweep: Sweep, stage: str, pairs: list[_Pair]) -> list[str]:
  known = [pair for pair in pairs if not np.isnan(pair.difference.half_width)]
  if not known:
    return [f'{stage}: no two cells have two forks in common yet']
  least = max(pair.difference.half_width for pair in known)
  share = f'{100 * paired.CONFIDENCE:.0f} %'
  lines = [
    f'{stage}: differences paired by image and fork, with half the width of a {share} interval;',
    f'  the smallest difference that would have been decided for each of these pairs: {least:.2f}',
  ]
  if sweep.least_effect is not None:
    lines.append(f'  alike: decided to differ by less than {sweep.least_effect:g}')
  for pair in sorted(known, key=lambda pair: -pair.difference.mean):
    mean, half_width, forks, images = pair.difference
    labels = f'{sweep.cell_label(pair.first)} than {sweep.cell_label(pair.second)}'
    verdict = _verdict(sweep, pair.difference)
    sizes = f'{forks} forks, {images} images'
    lines.append(f'  {verdict:<10}{mean:>6.2f} +- {half_width:.2f}  {labels} ({sizes})')
  return lines


_COLUMNS = ('images', 'lmbda', 'stage', 'better', 'worse', 'verdict')


def _row(sweep: Sweep, found: _Costs, stage: str, pair: _Pair) -> list[str]:
  mean, half_width, forks, images = pair.difference
  return [
    found.images,
    str(found.lmbda),
    stage,
    sweep.cell_label(pair.first),
    sweep.cell_label(pair.second),
    _verdict(sweep, pair.difference),
    f'{mean:.4f}',
    f'{half_width:.4f}',
    str(forks),
    str(images),
  ]


def _to_csv(rows: list[list[str]]) -> bytes:
  buffer = io.StringIO()
  writer = csv.writer(buffer, lineterminator='\n')
  writer.writerow([*_COLUMNS, 'difference', 'half_width', 'forks', 'number_of_images'])
  writer.writerows(rows)
  return buffer.getvalue().encode()
