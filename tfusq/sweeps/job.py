"""The runs of a sweep, performed by the commands that a user would type.

A run is finished when its results are there, so that runs may be done in any order and on several
machines, and their checkpoints be thrown away.
"""

import dataclasses
import fcntl
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tfusq.image_files import list_images
from tfusq.sweeps.growing import Ground, folder_of, grow, next_commands
from tfusq.sweeps.results import ResultsFolder
from tfusq.sweeps.sweep import STAGES, Run, SweepError, images_name


@dataclasses.dataclass(frozen=True)
class Job:
  """Folders and bindings with which runs are done.

  Attributes:
    model_dir: Folder for run directories.
    results: Folder for results.
    images: Folders of images to evaluate on.
    gin_bindings: Further bindings of every training, such as of TRAIN_IMAGES.
    gin_search_path: Further folders in which gin files are looked up.
  """

  model_dir: Path
  results: ResultsFolder
  images: list[str]
  gin_bindings: list[str]
  gin_search_path: list[str]

  @property
  def ground(self) -> Ground:
    """Folders and arguments with which trunks are grown."""
    return Ground(self.model_dir, self.results.path, self._gin, self._search_path())

  def check(self, runs: Sequence[Run] = ()) -> None:
    """Refuses what would fail only after days of training.

    Args:
      runs: Runs to do; the photographs of their trunks are looked at too.

    Raises:
      SweepError: if two folders of images have one name.
      ImageError: if a folder of images holds none.
    """
    names = [images_name(folder) for folder in self.images]
    for folder, name in zip(self.images, names):
      if names.count(name) > 1:
        raise SweepError(f'two folders of images are called {name}, as their results would be')
      list_images(folder)
    for folder in {run.trunk.trunk.images for run in runs if run.trunk}:
      list_images(folder)

  def missing(self, run: Run) -> list[tuple[str, str]]:
    """Returns the stages and folders of images of which a run has no result."""
    missing = []
    for stage in STAGES:
      for folder in self.images:
        if not self.results.has(run, stage, images_name(folder)):
          missing.append((stage, folder))
    return missing

  def commands(self, run: Run) -> list[list[str]]:
    """Returns the commands that make what is missing of a run, each the arguments of `tfusq`."""
    missing = self.missing(run)
    if not missing:
      return []
    joint = self.model_dir / run.name / 'joint'
    post = self.model_dir / run.name / 'post'

    # A training that is complete ends at once, so that asking for it again costs little.
    begin = ['train', '--model_dir', str(joint)]
    if run.trunk:
      begin += ['--fork_from', str(folder_of(self.ground, run.trunk))]
    commands = [[*begin, *self._gin(run.joint)]]
    wants_post = any(stage == 'post' for stage, _ in missing)
    if wants_post:
      begin = ['train', '--model_dir', str(post), '--init_from', str(joint)]
      commands.append([*begin, *self._gin(run.post)])

    for stage, folder in missing:
      commands.append(self._evaluation(run, stage, folder))

    drawn = ['--model_dir', str(joint)]
    if wants_post or post.exists():
      drawn += ['--model_dir', str(post)]
    title = run.title(f'lambda {run.lmbda} seed {run.seed}')
    picture = str(run.picture(self.results.path))
    commands.append(['plot', *drawn, '--title', title, '--out', picture, '--force'])
    return commands

  def all_commands(self, runs: Iterable[Run]) -> list[list[str]]:
    """Returns the commands that make what is missing of runs, with those of the trunks ahead.

    Of a trunk that is not good enough yet, they are those up to its next evaluation.
    """
    commands = []
    grown = set()
    for run in runs:
      own = self.commands(run)
      if own and run.trunk and self.needs_trunk(run) and run.trunk.name not in grown:
        grown.add(run.trunk.name)
        commands += next_commands(self.ground, run.trunk)
      commands += own
    return commands

  def needs_trunk(self, run: Run) -> bool:
    """Returns whether a run that is missing is a branch that has not begun."""
    # Its first checkpoint has all that it takes from the trunk.
    return run.trunk is not None and not (self.model_dir / run.name / 'joint/checkpoint').exists()

  def _evaluation(self, run, stage, folder):
    path = run.result(self.results.path, stage, folder)
    return [
      'evaluate',
      folder,
      '--model_dir',
      str(self.model_dir / run.name / stage),
      *self._search_path(),
      '--at_lmbda',
      str(run.lmbda),
      '--name',
      run.title(stage),
      '--json',
      str(path),
      '--csv',
      str(path.with_suffix('.csv')),
      '--force',
    ]

  def _gin(self, statements):
    arguments = []
    for statement in [*statements, *self.gin_bindings]:
      option = '--gin_file' if statement.endswith('.gin') else '--gin_bindings'
      arguments += [option, statement]
    return [*arguments, *self._search_path()]

  def _search_path(self):
    arguments = []
    for folder in self.gin_search_path:
      arguments += ['--gin_search_path', folder]
    return arguments


def part(runs: list[Run], fraction: str) -> list[Run]:
  """Returns the k-th of n parts of the runs, for the tasks of an array job.

  Branches are divided in blocks, so that a part needs as few trunks as can be.

  Args:
    runs: All runs.
    fraction: `k/n`, k from 1 to n.

  Raises:
    SweepError: if the fraction is written otherwise.
  """
  match = re.fullmatch(r'(\d+)/(\d+)', fraction)
  if not match or not 1 <= int(match[1]) <= int(match[2]):
    raise SweepError(f'a part is K/N with K from 1 to N, not {fraction}')
  number, parts = int(match[1]), int(match[2])
  if any(run.trunk for run in runs):
    return runs[len(runs) * (number - 1) // parts : len(runs) * number // parts]
  return runs[number - 1 :: parts]


@dataclasses.dataclass(frozen=True)
class Outcome:
  """What became of a run.

  Attributes:
    run: The run.
    remark: One line: the minutes that it took, or why it was not done.
    failure: Reason of a failure and path of the log; empty if it did not fail.
    is_new: Whether its results were made now.
  """

  run: Run
  remark: str
  failure: str = ''
  is_new: bool = False


def perform(job: Job, runs: Iterable[Run]) -> Iterator[Outcome]:
  """Does one run after another, but for those that are finished or that another process is doing.

  The commands' output goes to `log` in each run's folder.

  Args:
    job: Folders and bindings.
    runs: Runs to do.

  Yields:
    The outcome of each run, when it has ended.
  """
  for run in runs:
    if not job.missing(run):
      yield Outcome(run, 'finished before')
      continue
    folder = job.model_dir / run.name
    with _locked(folder) as lock:
      if lock is None:
        yield Outcome(run, 'another process is running it')
        continue
      start = time.monotonic()
      failure = _grow_trunk(job, run) or _call_all(job.commands(run), folder / 'log', lock)
      minutes = (time.monotonic() - start) / 60
    if failure:
      yield Outcome(run, failure, f'{run.name}: {failure} (see {folder / "log"})')
    else:
      yield Outcome(run, f'{minutes:.1f} minutes', is_new=True)


def _grow_trunk(job: Job, run: Run) -> str | None:
  """Trains the trunk of a branch that needs it; returns why it can't be forked, or None."""
  if run.trunk is None or not job.needs_trunk(run):
    return None
  folder = folder_of(job.ground, run.trunk)
  # Another process may be training it for branches of its own.
  with _locked(folder, wait=True) as lock:
    assert lock is not None
    return grow(job.ground, run.trunk, lambda command: _call(command, folder / 'log', lock))


def _call_all(commands, log, lock):
  """Runs commands up to the first that fails; returns why it did, or None."""
  for command in commands:
    failure = _call(command, log, lock)
    if failure:
      return failure
  return None


def _call(command: list[str], log: Path, lock: int) -> str | None:
  """Runs a command, which holds the lock too; returns why it failed, or None."""
  with log.open('a') as file:
    file.write(f'+ tfusq {shlex.join(command)}\n')
    file.flush()
    start = file.tell()
    process = subprocess.run(
      [sys.executable, '-m', 'tfusq', *command],
      stdin=subprocess.DEVNULL,
      stdout=file,
      stderr=subprocess.STDOUT,
      check=False,
      pass_fds=[lock],
    )
  if not process.returncode:
    return None

  output = log.read_bytes()[start:].decode(errors='replace')
  lines = output.strip().split('\n')
  # The command line's own message, in front of which libraries may have written theirs.
  for line in reversed(lines):
    if line.startswith('tfusq '):
      return line
  return f'exit code {process.returncode}: {lines[-1]}'


@contextmanager
def _locked(folder: Path, wait: bool = False) -> Iterator[int | None]:
  """Gives the lock of a run, or None if another process holds it, unless it is to wait for it.

  It is held until this process and all that it passed the lock to have ended, so that a command
  which outlives a killed sweep keeps others out.
  """
  folder.mkdir(parents=True, exist_ok=True)
  with (folder / 'lock').open('w') as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
      yield None
    else:
      yield file.fileno()
