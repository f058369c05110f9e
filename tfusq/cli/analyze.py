"""`tfusq analyze`: the paper's simulations, and what a run's code costs."""

import argparse
import importlib
import sys
from pathlib import Path

from tfusq import files
from tfusq.cli.arguments import (
  IMAGES_HELP,
  Commands,
  add_command,
  add_force,
  add_gin_search_path,
  seed,
)

STUDIES = {
  'information': 'mutual information of a Gaussian latent and its surrogate (Fig. 1)',
  'distortion': 'distortion that a trained synthesis sees, compared with rounding (Fig. 2 and 3)',
  'rate': 'estimated minus true rate, of scalars and pairs (Fig. 4 and 5)',
  'laplacian': 'rate and distortion of a scalar Laplacian source (Fig. 7)',
  'network': "greatest bias of STE's gradient against the networks' size, on MNIST (Fig. 6)",
  'gradient': "bias and variance of the rate's gradient (Sec. 4.4, as in Table II)",
}
# The files of those analyses that write others than their own name.
OUTPUTS = {
  'distortion': ('distortion', 'distortion_temperature', 'distortion_of_pairs'),
  'rate': ('rate', 'rate_of_pairs'),
  'gradient': ('gradient', 'gradient_latent', 'gradient_temperature'),
  'scales': ('scales', 'scales_histogram'),
}
_SURROGATES_HELP = 'plugin, at its typical temperatures, or at others, such as "SUA(alpha=10)"'


def add(commands: Commands) -> None:
  """Adds the command, with a sub-command for each analysis."""
  description = "the paper's simulations, and what a run's code costs"
  parser = commands.add_parser('analyze', help=description, description=description)
  analyses = parser.add_subparsers(dest='analysis', metavar='ANALYSIS', required=True)

  for name, description in STUDIES.items():
    _add_study(analyses, name, description)
  _add_pages(analyses)
  _add_runs(analyses)


def _add_study(analyses, name, description):
  command = add_command(analyses, name, study, description)
  command.add_argument(
    'names',
    nargs='*',
    metavar='surrogate',
    help=f'{_SURROGATES_HELP}; by default all that are registered',
  )
  command.add_argument('--seed', type=seed, default=0, help='seed of everything random')
  _add_output(command)
  if name == 'network':
    command.add_argument('--mnist', required=True, help='folder with train-images-idx3-ubyte.gz')


def _add_pages(analyses):
  command = add_command(
    analyses,
    'table2',
    table2,
    "bias and variance of gradient estimators of the rate, compared with the paper's",
  )
  command.add_argument('--samples', type=int, default=8000, help='noise samples at each point')

  command = add_command(analyses, 'card', card, "one page on surrogates, compared with the paper's")
  command.add_argument('names', nargs='+', metavar='surrogate', help=_SURROGATES_HELP)
  command.add_argument('--seed', type=seed, default=0, help='seed of everything random')
  command.add_argument('--out', default='card.html', help='HTML to write')
  command.add_argument('--full', action='store_true', help='finer, and tens of minutes, not two')
  add_force(command)

  command = add_command(
    analyses,
    'statements',
    statements,
    "the paper's statements in Sec. 4.2 to 4.4, and whether the results in a folder bear them out",
  )
  command.add_argument('folder', help='folder with the CSV files of the studies')


def _add_runs(analyses):
  command = add_command(
    analyses,
    'code_length',
    code_length,
    "bytes of a run's strings over the images of a folder, compared with the float64 ideal",
  )
  command.add_argument('--model_dir', required=True, help='run directory')
  add_gin_search_path(command)
  command.add_argument('folder', help=IMAGES_HELP)

  command = add_command(
    analyses,
    'scales',
    scales,
    'the scales that trained codecs estimate over images, and the share at the bound (Fig. 8)',
  )
  command.add_argument(
    '--model_dir',
    action='append',
    required=True,
    help='run directory; repeatable, and codecs are numbered in this order',
  )
  add_gin_search_path(command)
  command.add_argument('folder', help=IMAGES_HELP)
  _add_output(command, 'all images, not the first six')

  command = add_command(
    analyses,
    'run',
    diagnose,
    'mismatch and gradient noise of a training run at its checkpoints, and what to change',
  )
  command.add_argument('model_dir', help='run directory')
  command.add_argument('folder', help=IMAGES_HELP)
  add_gin_search_path(command)
  _add_output(command, '24 images and 16 draws of the noise, not six of each')


def _add_output(command, full='finer, and tens of minutes instead of one'):
  command.add_argument('--out', default='analyses', help='folder for CSV and PNG')
  command.add_argument('--full', action='store_true', help=full)
  add_force(command)


def study(arguments: argparse.Namespace) -> None:
  """Runs one of the paper's simulations with surrogates, and keeps its results."""
  from tfusq.analysis.study import Effort, surrogates

  _check_output(arguments)
  simulation = importlib.import_module(f'tfusq.analysis.studies.{arguments.analysis}')
  effort = Effort(arguments.full, arguments.seed)
  subjects = surrogates(arguments.names)
  if not arguments.names:
    least = min(effort.scales())
    subjects = [subject for subject in subjects if _measurable(subject, least)]
  data = {'mnist': arguments.mnist} if 'mnist' in arguments else {}
  _keep(arguments, simulation.measure(subjects, effort, **data))


def table2(arguments: argparse.Namespace) -> None:
  """Prints Table II."""
  from tfusq.analysis.studies.table2 import report

  print(report(arguments.samples))


def card(arguments: argparse.Namespace) -> None:
  """Writes a page on surrogates."""
  from tfusq.analysis.card import write_card
  from tfusq.analysis.study import Effort, surrogates

  files.check_output(arguments.out, arguments.force)
  page = write_card(surrogates(arguments.names), Effort(arguments.full, arguments.seed))
  files.write(arguments.out, page.encode(), arguments.force)
  print(arguments.out)


def statements(arguments: argparse.Namespace) -> None:
  """Prints the paper's statements with what was measured."""
  from tfusq.analysis import statements
  from tfusq.analysis.study import table

  print(table(statements.check(Path(arguments.folder))))


def code_length(arguments: argparse.Namespace) -> None:
  """Prints what a run's code costs."""
  from tfusq import runs
  from tfusq.analysis.studies.code_length import report

  codec = runs.load_run(arguments.model_dir, arguments.gin_search_path)
  print(report(codec, arguments.folder))


def scales(arguments: argparse.Namespace) -> None:
  """Collects the scales that runs' codecs estimate, and keeps their distribution."""
  from tfusq import runs
  from tfusq.analysis.studies import scales

  _check_output(arguments)
  codecs = (runs.load_run(path, arguments.gin_search_path) for path in arguments.model_dir)
  _keep(arguments, scales.measure(codecs, arguments.folder, None if arguments.full else 6))


def diagnose(arguments: argparse.Namespace) -> None:
  """Measures a training run, and says what to change."""
  from tfusq import runs
  from tfusq.analysis.studies import advice, diagnosis, tradeoff

  _check_output(arguments)
  codec = runs.load_run(arguments.model_dir, arguments.gin_search_path)
  images, draws = (24, 16) if arguments.full else (6, 6)
  found = diagnosis.diagnose(codec, arguments.model_dir, arguments.folder, images, draws)
  _keep(arguments, [tradeoff.study(found)])
  print('\n'.join(advice.recommend(found)) or 'no rule asks for a change')


def _measurable(surrogate, least_scale):
  """Whether a surrogate's law can be tabulated; says so where it can't, and leaves it out."""
  from tfusq.analysis import quadrature
  from tfusq.analysis.study import label

  try:
    quadrature.conditional(surrogate, least_scale)
  except Exception as error:  # whatever a plugin raises
    print(f'left out: {label(surrogate)}: {type(error).__name__}: {error}', file=sys.stderr)
    return False
  return True


def _check_output(arguments):
  """Fails early if an output exists."""
  from tfusq.analysis.study import AnalysisError

  out = Path(arguments.out)
  if out.exists() and not out.is_dir():
    raise AnalysisError(f'--out is a folder for CSV and PNG, and {out} is a file')
  for name in OUTPUTS.get(arguments.analysis, (arguments.analysis,)):
    for kind in ('csv', 'png'):
      files.check_output(out / f'{name}.{kind}', arguments.force)


def _keep(arguments, results):
  from tfusq.analysis.study import keep

  for result in results:
    keep(result, Path(arguments.out), arguments.force)
