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
  any_path,
  local_path,
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
# Analyses that measure all registered estimators of gradients, too.
_WITH_ESTIMATORS = ('gradient', 'laplacian')
# Names of the files that an analysis writes, where they are not just its own.
OUTPUTS = {
  'distortion': ('distortion', 'distortion_temperature', 'distortion_of_pairs'),
  'rate': ('rate', 'rate_of_pairs'),
  'gradient': ('gradient', 'gradient_latent', 'gradient_temperature'),
  'scales': ('scales', 'scales_histogram'),
  'refinement': ('refinement', 'refinement_means'),
}
_CODEC_HELP = 'run directory, or folder of an exported codec'
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
  command = add_command(analyses, name, run_study, description)
  command.add_argument(
    'names',
    nargs='*',
    metavar='surrogate',
    help=f'{_SURROGATES_HELP}; by default all that are registered',
  )
  command.add_argument('--seed', type=seed, default=0, help='seed of everything random')
  _add_output(command)
  if name == 'network':
    command.add_argument(
      '--mnist', type=local_path, required=True, help='folder with train-images-idx3-ubyte.gz'
    )


def _add_pages(analyses):
  command = add_command(
    analyses,
    'table2',
    print_table_2,
    "bias and variance of gradient estimators of the rate, compared with the paper's",
  )
  command.add_argument('--samples', type=int, default=8000, help='noise samples at each point')

  command = add_command(
    analyses, 'card', write_page, "one page on surrogates, compared with the paper's"
  )
  command.add_argument('names', nargs='+', metavar='surrogate', help=_SURROGATES_HELP)
  command.add_argument('--seed', type=seed, default=0, help='seed of everything random')
  command.add_argument('--out', type=local_path, default='card.html', help='HTML to write')
  command.add_argument(
    '--full', action='store_true', help='finer, and tens of minutes instead of two'
  )
  add_force(command)

  command = add_command(
    analyses,
    'statements',
    check_statements,
    "the paper's statements in Sec. 4.2 to 4.4, and whether the results in a folder bear them out",
  )
  command.add_argument('folder', type=local_path, help='folder with the CSV files of the studies')


def _add_runs(analyses):
  command = add_command(
    analyses,
    'code_length',
    measure_code_length,
    "bytes of a run's strings over the images of a folder, compared with the float64 ideal",
  )
  _add_codec_and_images(command)

  _add_refinement(analyses)
  command = add_command(
    analyses,
    'scales',
    collect_scales,
    'the scales that trained codecs estimate over images, and the share at the bound (Fig. 8)',
  )
  command.add_argument(
    '--model_dir',
    type=any_path,
    action='append',
    required=True,
    help=f'{_CODEC_HELP}; repeatable, and codecs are numbered in this order',
  )
  add_gin_search_path(command)
  command.add_argument('folder', type=any_path, help=IMAGES_HELP)
  _add_output(command, 'all images, not the first six')

  command = add_command(
    analyses,
    'run',
    diagnose_run,
    'mismatch and gradient noise of a training run at its checkpoints, and what to change',
  )
  command.add_argument('model_dir', type=any_path, help='run directory')
  command.add_argument('folder', type=any_path, help=IMAGES_HELP)
  add_gin_search_path(command)
  _add_output(command, '24 images and 16 draws of the noise, not six of each')


def _add_refinement(analyses):
  command = add_command(
    analyses,
    'refinement',
    measure_refinement,
    'what `compress --refine` saves, by the surrogates that latents are refined through',
  )
  _add_codec_and_images(command)
  command.add_argument(
    '--gin_file',
    type=local_path,
    action='append',
    help='gin file that binds a refinement; repeatable; by default all of gin/refinements',
  )
  command.add_argument(
    '--iterations',
    type=int,
    nargs='+',
    default=[100],
    help='numbers of iterations; 0 chooses symbols by their rate alone (default: 100)',
  )
  command.add_argument('--quality', type=float, help='quality of a codec of variable rate')
  command.add_argument('--seed', type=seed, default=0, help="seed of the surrogates' noise")
  _add_folder(command)


def _add_codec_and_images(command):
  command.add_argument('--model_dir', type=any_path, required=True, help=_CODEC_HELP)
  add_gin_search_path(command)
  command.add_argument('folder', type=any_path, help=IMAGES_HELP)


def _add_output(command, full='finer, and tens of minutes instead of one'):
  _add_folder(command)
  command.add_argument('--full', action='store_true', help=full)


def _add_folder(command):
  command.add_argument('--out', type=local_path, default='analyses', help='folder for CSV and PNG')
  add_force(command)


def run_study(arguments: argparse.Namespace) -> None:
  """Runs one of the paper's simulations with surrogates, and writes its results."""
  from tfusq.analysis.study import Effort, registered_estimators, surrogates

  _check_output(arguments)
  study = importlib.import_module(f'tfusq.analysis.studies.{arguments.analysis}')
  effort = Effort(arguments.full, arguments.seed)

  left_out = []
  if arguments.names:
    subjects = surrogates(arguments.names)
  else:
    subjects, left_out = _measurable_surrogates(min(effort.scales()))
  if arguments.analysis in _WITH_ESTIMATORS:
    _, estimators_left_out = registered_estimators()
    left_out += estimators_left_out
  _report_left_out(left_out)

  data = {'mnist': arguments.mnist} if 'mnist' in arguments else {}
  _write(arguments, study.measure(subjects, effort, **data))


def print_table_2(arguments: argparse.Namespace) -> None:
  """Prints Table II."""
  from tfusq.analysis.studies.table2 import report

  print(report(arguments.samples))


def write_page(arguments: argparse.Namespace) -> None:
  """Writes a page on surrogates."""
  from tfusq.analysis.card import write_card
  from tfusq.analysis.study import Effort, registered_estimators, surrogates

  files.check_output(arguments.out, arguments.force)
  subjects = surrogates(arguments.names)
  _, estimators_left_out = registered_estimators()
  _report_left_out(estimators_left_out)

  page = write_card(subjects, Effort(arguments.full, arguments.seed))
  files.write(arguments.out, page.encode(), arguments.force)
  print(arguments.out)


def check_statements(arguments: argparse.Namespace) -> None:
  """Prints the paper's statements with what was measured."""
  from tfusq.analysis import statements
  from tfusq.analysis.study import format_rows

  print(format_rows(statements.check(Path(arguments.folder))))


def measure_code_length(arguments: argparse.Namespace) -> None:
  """Prints what a run's code costs."""
  from tfusq import runs
  from tfusq.analysis.studies.code_length import report

  codec = runs.load_run(arguments.model_dir, arguments.gin_search_path)
  print(report(codec, arguments.folder))


def measure_refinement(arguments: argparse.Namespace) -> None:
  """Measures what refining a codec's latents saves."""
  from tfusq import gin_files, runs
  from tfusq.analysis.studies import refinement

  _check_output(arguments)
  folder = Path(gin_files.search_path()[0]) / 'refinements'
  refinements = {}
  for gin_file in arguments.gin_file or sorted(map(str, folder.glob('*.gin'))):
    name = Path(gin_file).stem
    refinements[name] = runs.build_refinement(gin_file, arguments.gin_search_path)

  codec = runs.load_run(arguments.model_dir, arguments.gin_search_path)
  studies = refinement.measure(
    codec,
    refinements,
    arguments.folder,
    arguments.iterations,
    arguments.quality,
    arguments.seed,
  )
  _write(arguments, studies)


def collect_scales(arguments: argparse.Namespace) -> None:
  """Collects the scales that runs' codecs estimate, and writes their distribution."""
  from tfusq import runs
  from tfusq.analysis.studies import scales

  _check_output(arguments)
  codecs = (runs.load_run(path, arguments.gin_search_path) for path in arguments.model_dir)
  image_count = None if arguments.full else 6
  _write(arguments, scales.measure(codecs, arguments.folder, image_count))


def diagnose_run(arguments: argparse.Namespace) -> None:
  """Measures a training run, and says what to change."""
  from tfusq import runs
  from tfusq.analysis.studies import advice, diagnosis, tradeoff

  _check_output(arguments)
  codec = runs.load_run(arguments.model_dir, arguments.gin_search_path)
  images, draws = (24, 16) if arguments.full else (6, 6)
  measured = diagnosis.diagnose(codec, arguments.model_dir, arguments.folder, images, draws)
  _write(arguments, [tradeoff.study(measured)])
  print('\n'.join(advice.recommend(measured)) or 'no rule asks for a change')


def _measurable_surrogates(least_scale):
  """Returns the registered surrogates whose law can be tabulated, and why others are left out.

  A plugin that is broken must not keep the others from being measured.
  """
  from tfusq.analysis import quadrature
  from tfusq.analysis.study import label, registered_surrogates

  registered, left_out = registered_surrogates()
  measurable = []
  for surrogate in registered:
    try:
      quadrature.conditional(surrogate, least_scale)
    except Exception as error:  # whatever a plugin raises
      left_out.append(f'{label(surrogate)}: {type(error).__name__}: {error}')
    else:
      measurable.append(surrogate)

  return measurable, left_out


def _report_left_out(reasons):
  # A plugin that can't be imported is left out of the surrogates and of the estimators.
  for reason in dict.fromkeys(reasons):
    print(f'left out: {reason}', file=sys.stderr)


def _check_output(arguments):
  """Fails early if an output exists."""
  from tfusq.analysis.study import AnalysisError

  out = Path(arguments.out)
  if out.exists() and not out.is_dir():
    raise AnalysisError(f'--out is a folder for CSV and PNG, and {out} is a file')
  for name in OUTPUTS.get(arguments.analysis, (arguments.analysis,)):
    for kind in ('csv', 'png'):
      files.check_output(out / f'{name}.{kind}', arguments.force)


def _write(arguments, results):
  """Prints the rows of results, and writes them and their pictures."""
  from tfusq.analysis.study import format_rows, write_study

  for result in results:
    # Printed first, so that hours of work are not lost if writing fails.
    if result.printed:
      print(format_rows(result.rows))
    csv_path, picture_path = write_study(result, Path(arguments.out), arguments.force)
    print(f'{csv_path} {picture_path}\n')
