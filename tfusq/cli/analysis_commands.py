"""What the commands `tfusq analyze` do; as in `tfusq.commands`, errors of use are raised."""

import argparse
import importlib
import sys
from pathlib import Path

from tfusq import files
from tfusq.analysis import card as cards
from tfusq.analysis import quadrature
from tfusq.analysis import statements as checklist
from tfusq.analysis import study as study_module
from tfusq.analysis.studies import code_length as code_lengths
from tfusq.analysis.studies import diagnosis
from tfusq.analysis.studies import scales as scale_studies
from tfusq.analysis.studies import table2 as tables
from tfusq.cli.analysis_arguments import OUTPUTS
from tfusq.runs import load_run


def table2(arguments: argparse.Namespace) -> None:
  """Prints Table II."""
  tables.print_table2(arguments.samples)


def code_length(arguments: argparse.Namespace) -> None:
  """Prints what a run's code costs."""
  code_lengths.print_code_length(
    load_run(arguments.model_dir, arguments.gin_search_path), arguments.folder
  )


def study(arguments: argparse.Namespace) -> None:
  """Does one of the paper's simulations with surrogates, and keeps its figures."""
  _check_output(arguments)
  simulation = importlib.import_module(f'tfusq.analysis.studies.{arguments.analysis}')
  effort = study_module.Effort(arguments.full, arguments.seed)
  subjects = study_module.surrogates(arguments.names)
  if not arguments.names:
    least = min(effort.scales())
    subjects = [each for each in subjects if _measurable(each, least)]
  data = {'mnist': arguments.mnist} if 'mnist' in arguments else {}
  _keep(arguments, simulation.run(subjects, effort, **data))


def scales(arguments: argparse.Namespace) -> None:
  """Collects the scales that runs' codecs estimate, and keeps their distribution."""
  _check_output(arguments)
  codecs = (load_run(path, arguments.gin_search_path) for path in arguments.model_dir)
  _keep(arguments, scale_studies.run(codecs, arguments.folder, None if arguments.full else 6))


def run(arguments: argparse.Namespace) -> None:
  """Measures a training run, and says what to change."""
  _check_output(arguments)
  codec = load_run(arguments.model_dir, arguments.gin_search_path)
  found = diagnosis.diagnose(
    codec, arguments.model_dir, arguments.folder, *((24, 16) if arguments.full else (6, 6))
  )
  _keep(arguments, [diagnosis.study(found)])
  print('\n'.join(diagnosis.recommend(found)) or 'no rule asks for a change')


def card(arguments: argparse.Namespace) -> None:
  """Writes a page on surrogates."""
  files.check_output(arguments.out, arguments.force)
  page = cards.write_card(
    study_module.surrogates(arguments.names), study_module.Effort(arguments.full, arguments.seed)
  )
  files.write(arguments.out, page.encode(), arguments.force)
  print(arguments.out)


def statements(arguments: argparse.Namespace) -> None:
  """Prints the paper's statements with what was measured."""
  print(study_module.table(checklist.check(Path(arguments.folder))))


def _measurable(surrogate, least_scale):
  """Whether a law can be tabulated; one that can't costs its own row only."""
  try:
    quadrature.conditional(surrogate, least_scale)
  except Exception as error:  # whatever a plugin raises
    print(
      f'left out: {study_module.label(surrogate)}: {type(error).__name__}: {error}', file=sys.stderr
    )
    return False
  return True


def _check_output(arguments):
  """Refuses before the work what would be refused after it."""
  out = Path(arguments.out)
  if out.exists() and not out.is_dir():
    raise study_module.AnalysisError(f'--out is a folder for CSV and PNG, and {out} is a file')
  for name in OUTPUTS.get(arguments.analysis, (arguments.analysis,)):
    for kind in ('csv', 'png'):
      files.check_output(out / f'{name}.{kind}', arguments.force)


def _keep(arguments, results):
  for result in results:
    study_module.keep(result, Path(arguments.out), arguments.force)
