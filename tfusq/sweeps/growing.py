"""Trunks, trained by the commands that a user would type, until they are good enough to fork."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tfusq.curves.curve import read_curve
from tfusq.sweeps import trunk_checks
from tfusq.sweeps.sweep import images_name
from tfusq.sweeps.trunk import TrunkRun

# Runs a command, given the arguments of `tfusq`; returns why it failed, or None.
Call = Callable[[list[str]], str | None]


class Ground(NamedTuple):
  """Folders and arguments with which trunks are grown.

  Attributes:
    model_dir: Folder for run directories.
    results: Folder for results.
    gin: Function from gin files and bindings to the arguments that give them to `tfusq train`.
    search_path: Arguments that name further folders of gin files.
  """

  model_dir: Path
  results: Path
  gin: Callable[[Sequence[str]], list[str]]
  search_path: list[str]


def folder_of(ground: Ground, run: TrunkRun) -> Path:
  """Returns the run directory of a trunk."""
  return ground.model_dir / run.name


def grow(ground: Ground, run: TrunkRun, call: Call) -> str | None:
  """Trains a trunk until it is good enough; what is done already is not done again.

  Args:
    ground: Folders and arguments.
    run: The trunk.
    call: Runs a command.

  Returns:
    Why it can't be forked; None if it can.
  """
  percent = ''
  for steps in run.trunk.ladder():
    check = trunk_checks.find(ground.results, run, steps)
    if check is None:
      failure = _train_and_evaluate(ground, run, steps, call)
      if failure:
        return failure
      check = _check(ground, run, steps)
      trunk_checks.add(ground.results, check)

    if check.is_good(run):
      return None if _is_there(ground, run, steps) else call(_training(ground, run, steps))
    percent = f'{check.percent:.1f} %'
  return (
    f'the trunk {run.name} has {percent} of the rate of JPEG added after {run.trunk.most_steps} '
    f'steps, and must have -{run.trunk.saving:g} % or less'
  )


def next_commands(ground: Ground, run: TrunkRun) -> list[list[str]]:
  """Returns the commands up to a trunk's next evaluation; if it is good enough, its training."""
  for steps in run.trunk.ladder():
    check = trunk_checks.find(ground.results, run, steps)
    if check is None:
      return _commands(ground, run, steps)
    if check.is_good(run):
      return [] if _is_there(ground, run, steps) else [_training(ground, run, steps)]
  return []


def _is_there(ground: Ground, run: TrunkRun, steps: int) -> bool:
  return (folder_of(ground, run) / f'ckpt-{steps}.index').exists()


def _train_and_evaluate(ground, run, steps, call):
  for command in _commands(ground, run, steps):
    failure = call(command)
    if failure:
      return failure
  return None


def _commands(ground: Ground, run: TrunkRun, steps: int) -> list[list[str]]:
  images = run.trunk.images
  commands = []
  jpeg = _jpeg_path(ground, run)
  if not jpeg.exists():
    commands.append(['evaluate', images, '--anchor', 'jpeg', '--json', str(jpeg), '--force'])
  commands.append(_training(ground, run, steps))
  evaluate = ['evaluate', images, '--model_dir', str(folder_of(ground, run)), *ground.search_path]
  evaluate += ['--at_lmbda', str(run.lmbda)]
  commands.append([*evaluate, '--json', str(_path(ground, run, steps)), '--force'])
  return commands


def _training(ground: Ground, run: TrunkRun, steps: int) -> list[str]:
  statements = [*run.statements, f'train.steps = {steps}']
  return ['train', '--model_dir', str(folder_of(ground, run)), *ground.gin(statements)]


def _check(ground: Ground, run: TrunkRun, steps: int) -> trunk_checks.Check:
  curve = read_curve(_path(ground, run, steps))
  jpeg = read_curve(_jpeg_path(ground, run))
  return trunk_checks.make_check(run, steps, images_name(run.trunk.images), curve, jpeg)


def _path(ground: Ground, run: TrunkRun, steps: int) -> Path:
  return ground.results / f'{run.name}-steps_{steps}-{images_name(run.trunk.images)}.json'


def _jpeg_path(ground: Ground, run: TrunkRun) -> Path:
  return ground.results / run.trunk.name / f'jpeg-{images_name(run.trunk.images)}.json'
