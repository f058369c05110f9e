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
  any_path,
  local_path,
)


def add(commands: Commands) -> None:
  """Adds the command."""
  command = add_command(
    commands, 'sweep', sweep, 'train and evaluate a grid of codecs, or report on it'
  )
  command.add_argument(
    'file', type=local_path, help='gin file that binds Sweep, such as paper/table_iii.gin'
  )
  command.add_argument(
    '--results',
    type=local_path,
    required=True,
    help='folder for results; finished runs are not repeated',
  )
  command.add_argument(
    '--images',
    type=any_path,
    action='append',
    required=True,
    help='folder to evaluate on; repeatable',
  )
  command.add_argument(
    '--model_dir', type=local_path, default='runs', help='folder for run directories'
  )
  add_gin_bindings(
    command, 'such as "TRAIN_IMAGES = \'FOLDER\'"; those of Sweep and Trunk change the sweep'
  )
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
    help="print and write the tables, with the paper's numbers, and a picture",
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
  """Does the runs of a sweep, or makes the report on them."""
  from tfusq import config
  from tfusq.sweeps.job import Job, part
  from tfusq.sweeps.results import ResultsFolder
  from tfusq.sweeps.sweep import SweepError

  bindings = arguments.gin_bindings
  sweep_bindings = [item for item in bindings if item.startswith(('Sweep.', 'Trunk.'))]
  config.parse([arguments.file], sweep_bindings, arguments.gin_search_path)
  if not config.bound_parameters('Sweep'):
    raise SweepError(f'{arguments.file} binds no Sweep')
  grid = config.build_configurable('Sweep')
  results = ResultsFolder(Path(arguments.results))
  if arguments.report:
    if grid.trunk:
      _report_forks(grid, results, arguments)
    else:
      _report(grid, results, arguments.images, arguments.anchor)
    return

  job = Job(
    model_dir=Path(arguments.model_dir),
    results=results,
    images=arguments.images,
    gin_bindings=[binding for binding in bindings if binding not in sweep_bindings],
    gin_search_path=arguments.gin_search_path,
  )
  runs = part(grid.runs(), arguments.part)
  job.check(runs)
  if arguments.dry_run:
    for command in job.all_commands(runs):
      print(shlex.join(['tfusq', *command]))
    return
  _perform(job, runs)


def _perform(job, runs):
  """Does runs, prints what became of each, and gathers the results."""
  from tfusq.sweeps.job import perform
  from tfusq.sweeps.sweep import SweepError

  failures = []
  for number, outcome in enumerate(perform(job, runs), 1):
    print(f'{number} of {len(runs)}  {outcome.run.name}: {outcome.remark}', flush=True)
    if outcome.failure:
      failures.append(outcome.failure)
    # At once: a machine may be gone before the sweep ends.
    if outcome.is_new:
      job.results.gather()
  job.results.gather()
  if failures:
    raise SweepError('\n'.join([f'{len(failures)} of {len(runs)} runs failed', *failures]))


def _report(grid, results, folders, anchors):
  """Gathers results; prints the report, and writes it and its pictures into their folder."""
  from tfusq import config
  from tfusq.curves import plot
  from tfusq.sweeps.report import make_report
  from tfusq.sweeps.sweep import images_name

  results.gather()
  images = [images_name(folder) for folder in folders]
  paper_path = Path(config.search_path()[0]) / 'paper' / 'paper_tables.csv'
  report = make_report(grid, results, images, anchors, paper_path)
  print(report.text)
  if report.table_csv:
    files.write(results.path / 'report.txt', f'{report.text}\n'.encode())
    files.write(results.path / 'report.csv', report.table_csv)
  for picture in report.pictures:
    title = f'{picture.images}, post stage'
    figure = plot.plot_curves(picture.curves, [picture.anchor], title=title)
    for suffix in plot.FORMATS:
      plot.save(figure, results.path / f'report-{picture.images}{suffix}', force=True)


def _report_forks(grid, results, arguments):
  """Gathers results; prints the report of forks, and writes it into their folder.

  Sweeps whose branches share trunks share a folder of results, where each has a report of its own.
  """
  from tfusq.sweeps.fork_report import make_fork_report
  from tfusq.sweeps.sweep import images_name

  results.gather()
  report = make_fork_report(grid, results, [images_name(folder) for folder in arguments.images])
  print(report.text)
  if report.table_csv:
    name = f'report-{Path(arguments.file).stem}'
    files.write(results.path / f'{name}.txt', f'{report.text}\n'.encode())
    files.write(results.path / f'{name}.csv', report.table_csv)
