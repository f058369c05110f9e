"""`tfusq train`, `tfusq summary` and `tfusq export`: from gin files to a codec."""

import argparse

from tfusq import files
from tfusq.cli.arguments import (
  Commands,
  add_command,
  add_force,
  add_gin,
  add_gin_search_path,
  any_path,
  local_path,
)


def add(commands: Commands) -> None:
  """Adds the commands."""
  command = add_command(commands, 'train', train, 'train a codec as gin files say, or resume a run')
  command.add_argument('--model_dir', type=any_path, required=True, help='run directory')
  add_gin(command)
  command.add_argument(
    '--init_from',
    type=any_path,
    help=(
      'run directory, folder of an exported codec, or name of an installed codec, whose networks a '
      'new run starts from, as far as they fit'
    ),
  )
  command.add_argument(
    '--fork_from',
    type=any_path,
    help=(
      'run directory of a trunk, from which a new run goes on as a branch: with its networks, and '
      "its optimizer's state where both train the same variables; train.fork numbers the forks, "
      'whose patches and noise differ'
    ),
  )
  command.add_argument(
    '--dry_run',
    action='store_true',
    help='build everything, read the photographs and evaluate one batch, but write nothing',
  )
  command.add_argument(
    '--accept_changed_photographs',
    action='store_true',
    help=(
      'resume a run though photographs were changed, added or removed since: go on with those that '
      'are there now, and record it in the run'
    ),
  )
  command.add_argument(
    '--accept_other_versions',
    action='store_true',
    help=(
      'resume a run under another version of TensorFlow, Keras or tfusq than it was trained with: '
      'the last digits of its floats differ'
    ),
  )

  command = add_command(
    commands, 'summary', summary, 'parameters and multiply-accumulates of a model'
  )
  add_gin(command)

  command = add_command(commands, 'export', export, "write a run's codec as a SavedModel")
  command.add_argument(
    '--model_dir',
    type=any_path,
    required=True,
    help='run directory, or folder of an exported codec, to export it in another form',
  )
  command.add_argument('--out', type=any_path, required=True, help='folder to write')
  add_gin_search_path(command)
  variant = command.add_mutually_exclusive_group()
  variant.add_argument(
    '--decoder_only',
    action='store_true',
    help='leave out what only compressing needs; decodes the files of the complete codec',
  )
  variant.add_argument(
    '--tfc',
    type=local_path,
    metavar='FOLDER',
    help="also write the codec here for TensorFlow Compression's tfci and model scripts",
  )
  command.add_argument(
    '--no_refine',
    action='store_true',
    help='leave out what `compress --refine` needs',
  )
  command.add_argument(
    '--weight_bits',
    type=int,
    choices=range(8, 25),
    metavar='8..24',
    help='round the weights to so many significant bits, of which an archive takes less room',
  )
  command.add_argument(
    '--gin_file',
    type=local_path,
    action='append',
    default=[],
    help='gin file of another refinement than refinements/sga.gin, such as refinements/sua_pge.gin',
  )
  add_force(command)


def train(arguments: argparse.Namespace) -> None:
  """Trains a codec as gin files say, or resumes a run."""
  from tfusq import config
  from tfusq.training import machine

  if not (arguments.gin_file or arguments.gin_bindings):
    raise config.ConfigError('say what to train: give --gin_file')

  init_from = _init_from(arguments.init_from, arguments.model_dir)
  config.parse(arguments.gin_file, arguments.gin_bindings, arguments.gin_search_path)
  with config.execution():
    print(machine.describe(), flush=True)
  outcome = config.build('train')(
    model_dir=arguments.model_dir,
    recipe=config.recipe,
    init_from=init_from,
    fork_from=arguments.fork_from,
    dry_run=arguments.dry_run,
    accept_changed_photographs=arguments.accept_changed_photographs,
    accept_other_versions=arguments.accept_other_versions,
  )
  print(outcome)


def _init_from(text: str | None, model_dir: str) -> str | None:
  """Finds the networks that a run starts from.

  Args:
    text: Folder of a run or of an exported codec, or name of an installed codec; None for none.
    model_dir: Run directory. A run that is resumed needs no more what it was begun with.

  Returns:
    The folder.
  """
  from tfusq.export import installed

  if text is None or files.to_path(text).exists():
    return text
  if text not in installed.names() and files.to_path(model_dir).exists():
    return text
  return str(installed.named(text).codec.path)


def summary(arguments: argparse.Namespace) -> None:
  """Prints a model's parameters and multiply-accumulates."""
  from tfusq import config
  from tfusq.models import CentredModel
  from tfusq.models.size import table

  if not arguments.gin_file:
    raise config.ConfigError('say which model: give --gin_file')

  # Entropy models take the bound from a stage, and some transforms lambda: neither changes a count.
  config.parse(
    arguments.gin_file,
    ['BOUND = 0.11', 'LMBDA = 0.013', *arguments.gin_bindings],
    arguments.gin_search_path,
  )
  model = config.build_parameter('Codec.model')
  try:
    # Centring changes no count either, and not every model admits it.
    centred_model = CentredModel(model, zero_centre=False)
  except TypeError as error:
    raise config.ConfigError(str(error)) from error

  centred_model.create()
  print(table(centred_model))


def export(arguments: argparse.Namespace) -> None:
  """Writes a run's codec."""
  from tfusq import runs
  from tfusq.export import tfc_client

  # Refuses existing outputs before the work instead of after it.
  if arguments.tfc:
    tfc_client.outputs(arguments.out, arguments.tfc, arguments.force)

  identity = runs.export_run(
    arguments.model_dir,
    arguments.out,
    arguments.gin_search_path,
    arguments.force,
    arguments.decoder_only,
    not arguments.no_refine,
    arguments.gin_file,
    arguments.weight_bits,
  )
  print(f'{arguments.out}: codec {identity}')

  if arguments.tfc:
    for path in tfc_client.export_for_tfc(arguments.out, arguments.tfc, arguments.force):
      print(path)
