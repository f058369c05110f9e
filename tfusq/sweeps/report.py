"""The report of a sweep: its tables as text and as CSV, and the curves to draw."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tfusq.curves.anchors import AnchorError, pinned
from tfusq.curves.curve import Curve, CurveError
from tfusq.curves.reference import read_anchor
from tfusq.sweeps import costs
from tfusq.sweeps.results import Results, ResultsFolder
from tfusq.sweeps.sweep import STAGES, Sweep
from tfusq.sweeps.tables import PaperTables, Table, average, bd_rates, best_cells

_MIN_LAMBDAS = 2  # points of a curve that has a BD-rate at all
_MIN_LAMBDAS_WITH_COSTS = 3  # where costs say more than a BD-rate on two points


class Picture(NamedTuple):
  """Curves to draw.

  Attributes:
    images: Name of the folder of images.
    curves: Curves of the cells that are shown, after the post stage.
    anchor: The anchor's curve.
  """

  images: str
  curves: list[Curve]
  anchor: Curve


class Report(NamedTuple):
  """What a report consists of.

  Attributes:
    text: Tables to read.
    table_csv: All numbers of the tables as CSV; None if there is no table.
    pictures: A picture for each folder of images that has an anchor.
  """

  text: str
  table_csv: bytes | None
  pictures: list[Picture]


def make_report(
  sweep: Sweep,
  folder: ResultsFolder,
  images: Sequence[str],
  anchors: Sequence[str],
  paper_path: Path,
) -> Report:
  """Reports what is finished of a sweep.

  Args:
    sweep: The sweep.
    folder: Folder of results.
    images: Names of the folders of images.
    anchors: Names or files of anchors, the first of which that is of the same images is taken; if
      empty, the pinned ones.
    paper_path: `paper_tables.csv`.

  Raises:
    AnchorError: if no anchor is of the same images, and the sweep has no costs to report instead.
    CurveError: if a result is no curve.
    SweepError: if `runs.csv` cannot be read.
  """
  paper = PaperTables.read(paper_path, sweep.tables)
  lines = []
  bd_rate_tables = []
  cost_tables = []
  anchor_by_images = {}
  results_by_images = {name: Results(sweep, folder, name) for name in images}
  for name, results in results_by_images.items():
    if sweep.cost_anchor:
      cost_tables += costs.tabulate(results, paper)
    anchor, remark = _choose_anchor(results, anchors)
    lines.append(f'{name}: {remark}')
    if anchor:
      anchor_by_images[name] = anchor
      bd_rate_tables.append(bd_rates(results, anchor, paper))

  shown = best_cells(sweep, bd_rate_tables or cost_tables)
  if len(bd_rate_tables) > 1:
    bd_rate_tables.append(average(sweep, bd_rate_tables, paper))
  tables = bd_rate_tables + cost_tables
  lines += [format_table(sweep, table, shown) for table in tables]

  pictures = []
  for name, anchor in anchor_by_images.items():
    curves = results_by_images[name].first_curves(shown, 'post')
    pictures.append(Picture(name, curves, anchor))
  return Report('\n'.join(lines), to_csv(sweep, tables, shown) if tables else None, pictures)


def _choose_anchor(results: Results, names: Sequence[str]) -> tuple[Curve | None, str]:
  """Returns the anchor of BD-rates, or None, and a line that says which, or why there is none."""
  sweep = results.sweep
  curves = results.first_curves(range(len(sweep.cells())), 'post')
  if not curves:
    return None, 'no cell has all its rates yet'
  needed = _MIN_LAMBDAS_WITH_COSTS if sweep.cost_anchor else _MIN_LAMBDAS
  if len(sweep.lmbdas) < needed:
    return None, (
      f'{len(sweep.lmbdas)} lambdas are too few for BD-rates; Sweep.cost_anchor gives costs'
    )
  try:
    anchor, digest = _find_anchor(names or pinned.names(), curves)
  except AnchorError as error:
    if not sweep.cost_anchor:
      raise
    return None, str(error)
  return anchor, f'anchor {anchor.name}, sha256 {digest}'


def _find_anchor(names: Sequence[str], curves: list[Curve]) -> tuple[Curve, str]:
  """Returns the first anchor that is of the curves' images, and the hash of its file."""
  reasons = []
  for name in names:
    try:
      return read_anchor(name, curves)
    except (AnchorError, CurveError) as error:
      reasons.append(str(error))
  raise AnchorError(
    'no anchor is of these images; evaluate a live one and give its file with '
    f'--anchor ({"; ".join(reasons)})'
  )


def format_table(sweep: Sweep, table: Table, cell_indices: Sequence[int]) -> str:
  """Returns a table to read, with the order of every two cells, or that it is undecided.

  Args:
    sweep: The sweep.
    table: Results.
    cell_indices: Cells to show; see `best_cells`.
  """
  labels = [sweep.cell_label(cell_index) for cell_index in cell_indices]
  width = max(map(len, labels)) + 2
  stages = [stage for stage in STAGES if (cell_indices[0], stage) in table.results]
  total = len(sweep.lmbdas) * len(sweep.seeds)

  lines = [f"{table.images}: {table.measure}; mean over seeds (each seed), the paper's"]
  for cell_index, label in zip(cell_indices, labels):
    columns = [stage + _format_result(table.results[cell_index, stage], total) for stage in stages]
    lines.append(f'{label:<{width}}' + '   '.join(columns))
  for stage in stages:
    lines += _order(sweep, table, cell_indices, stage)
  lines += [f'warning: {remark}' for remark in table.warnings]
  return '\n'.join(lines)


def _format_result(result, total):
  if not result.by_seed:
    return f'{f"{result.runs} of {total}":>9} {"":<16}{result.paper:>7}'
  mean = '—' if math.isnan(result.mean) else f'{result.mean:.2f}'
  by_seed = ' '.join(f'{value:.2f}' for value in result.by_seed.values())
  return f'{mean:>9} {f"({by_seed})":<16}{result.paper:>7}'


def _order(sweep, table, cell_indices, stage):
  """Returns lines that compare every two cells."""
  spread = table.spread(stage, cell_indices)
  if math.isnan(spread):
    return [f'{stage}: cells can not be compared with fewer than two seeds']
  lines = [
    f'{stage}: spread {spread:.2f} points; what is less than {2 * spread:.2f} apart is undecided'
  ]
  means = {}
  for cell_index in cell_indices:
    mean = table.results[cell_index, stage].mean
    if not math.isnan(mean):
      means[cell_index] = mean

  ranking = sorted(means, key=means.__getitem__)
  for rank, better in enumerate(ranking):
    for worse in ranking[rank + 1 :]:
      if table.group(better) != table.group(worse):
        continue
      difference = means[worse] - means[better]
      verdict = 'better' if difference >= 2 * spread else 'undecided'
      labels = f'{sweep.cell_label(better)} than {sweep.cell_label(worse)}'
      lines.append(f'  {verdict:<10}{difference:>7.2f}  {labels}')
  return lines


def to_csv(sweep: Sweep, tables: Sequence[Table], cell_indices: Sequence[int]) -> bytes:
  """Returns all numbers of tables as CSV: a line for each table, cell and stage.

  Args:
    sweep: The sweep.
    tables: Results.
    cell_indices: Cells that are shown, over which the spread is taken.
  """
  cells = sweep.cells()
  buffer = io.StringIO()
  writer = csv.writer(buffer, lineterminator='\n')
  writer.writerow(['images', 'measure', *sweep.axes, 'stage', 'mean', 'spread', 'by_seed', 'paper'])
  for table in tables:
    for (cell_index, stage), result in table.results.items():
      labels = [cells[cell_index].get(axis, '') for axis in sweep.axes]
      spread = table.spread(stage, cell_indices)
      by_seed = ' '.join(f'{seed}:{value:.4f}' for seed, value in result.by_seed.items())
      writer.writerow(
        [
          table.images,
          table.measure,
          *labels,
          stage,
          f'{result.mean:.4f}',
          f'{spread:.4f}',
          by_seed,
          result.paper,
        ]
      )
  return buffer.getvalue().encode()
