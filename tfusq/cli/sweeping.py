"""`tfusq sweep`: grids of trainings, and reports on them."""

import argparse
import shlex
from pathlib import Path

from tfusq import files
from tfusq.cli.arguments import (
  ANCHOR_HELP,
  Commands,
  add_command,
  add_gin_bindings,
  add_gin_search_path,
)


def add(commands: Commands) -> None:
  """Adds the command."""
  command = add_command(
    commands, 'sweep', sweep, 'train and evaluate a grid of codecs, or report on it'
  )
  command.add_argument('file', help='gin file that binds Sweep, such as paper/table_iii.gin')
  command.add_argument(
    '--results', required=True, help='folder for results; finished runs are not repeated'
  )
  command.add_argument(
    '--images', action='append', required=True, help='folder to evaluate on; repeatable'
  )
  command.add_argument('--model_dir', default='runs', help='folder for run directories')
  add_gin_bindings(command, 'such as "TRAIN_IMAGES = \'FOLDER\'"; those of Sweep change the sweep')
  add_gin_search_path(command)
  command.add_argument(
    '--part', default='1/1', metavar='K/N', help='do only the K-th of N parts, for array jobs'
  )
  command.add_argument(
    '--dry_run', action='store_true', help='print the commands of what is missing'
  )
  command.add_argument(
    '--report',
    action='store_true',
    help="print and write the table, beside the paper's numbers, and a picture",
  )
  command.add_argument(
    '--anchor',
    action='append',
    default=[],
    help=(
      f'reference of the report: {ANCHOR_HELP}; repeatable, for several folders of images; by '
      'default a pinned one'
    ),
  )


def sweep(arguments: argparse.Namespace) -> None:
  """Does the runs of a sweep, or reports them."""
  from tfusq import config
  from tfusq.sweeps import sweep

  own = [binding for binding in arguments.gin_bindings if binding.startswith('Sweep.')]
  config.parse([arguments.file], own, arguments.gin_search_path)
  if not config.bound_parameters('Sweep'):
    raise sweep.SweepError(f'{arguments.file} binds no Sweep')
  grid = config.build_configurable('Sweep')
  job = sweep.Job(
    Path(arguments.model_dir),
    Path(arguments.results),
    arguments.images,
    [binding for binding in arguments.gin_bindings if binding not in own],
    arguments.gin_search_path,
  )
  if arguments.report:
    _report(grid, job, arguments.anchor)
    return
  job.check()
  runs = sweep.part(grid.runs(), arguments.part)
  if arguments.dry_run:
    for run in runs:
      for command in job.commands(run):
        print(shlex.join(['tfusq', *command]))
    return
  failures = sweep.perform(job, runs)
  if failures:
    raise sweep.SweepError('\n'.join([f'{len(failures)} of {len(runs)} runs failed', *failures]))


def _report(grid, job, anchors):
  """Prints a sweep's tables; writes them, their figures and a picture beside the results."""
  from tfusq import config
  from tfusq.sweeps import costs as sweep_costs
  from tfusq.sweeps import report, sweep

  paper = report.read_paper(Path(config.search_path()[0]) / 'paper' / 'paper_tables.csv')
  lines, tables, costs, references = [], [], [], {}
  for images in map(sweep.images_name, job.images):
    if grid.cost_anchor:
      costs += sweep_costs.tabulate(grid, job.results, images, paper)
    curves = _curves(grid, job.results, images, range(len(grid.cells())))
    reference, line = _reference(grid, anchors, curves)
    lines.append(f'{images}: {line}')
    if reference:
      references[images] = reference
      tables.append(report.tabulate(grid, job.results, images, reference, paper))
  shown = report.best_cells(grid, tables or costs)
  if len(references) > 1:
    tables.append(report.average(grid, tables, paper))
  tables += costs
  text = '\n'.join([*lines, *(report.text(grid, table, shown) for table in tables)])
  print(text)
  if tables:
    files.write(job.results / 'report.txt', f'{text}\n'.encode())
    files.write(job.results / 'report.csv', report.to_csv(grid, tables, shown))
  for images, reference in references.items():
    _draw(job.results, images, _curves(grid, job.results, images, shown), reference)


def _reference(grid, anchors, curves):
  """Returns what BD-rates are against, or None, and a line that says so."""
  if not curves:
    return None, 'no cell has all its rates yet'
  if len(grid.lmbdas) < (3 if grid.cost_anchor else 2):
    return None, (
      f'{len(grid.lmbdas)} lambdas are too few for BD-rates; Sweep.cost_anchor gives costs'
    )
  from tfusq.curves.anchors import AnchorError

  try:
    reference, content = _anchor_of(anchors, curves)
  except AnchorError as error:
    if not grid.cost_anchor:
      raise
    return None, str(error)
  return reference, f'anchor {reference.name}, sha256 {content}'


def _curves(grid, results, images, numbers):
  """Returns the curves of some cells after the post stage, of the first seed that is complete."""
  from tfusq.sweeps import report

  cells = grid.cells()
  by_seed = [report.curves_of(grid, results, cells[number], 'post', images) for number in numbers]
  return [next(iter(found.values())) for found in by_seed if found]


def _draw(results, images, curves, reference):
  from tfusq.curves import plot

  figure = plot.plot_curves(curves, [reference], title=f'{images}, post stage')
  for kind in plot.FORMATS:
    plot.save(figure, results / f'report-{images}{kind}', force=True)


def _anchor_of(names, curves):
  """Returns the first that is of these images, of the anchors asked for or else the pinned ones."""
  from tfusq.curves.anchors import AnchorError, pinned
  from tfusq.curves.curve import CurveError
  from tfusq.curves.reference import read_anchor

  reasons = []
  for name in names or pinned.pinned():
    try:
      return read_anchor(name, curves)
    except (AnchorError, CurveError) as error:
      reasons.append(str(error))
  raise AnchorError(
    'no anchor is of these images; evaluate a live one and give its file with '
    f'--anchor ({"; ".join(reasons)})'
  )
