"""A grid of codecs, each trained in two stages and evaluated, by the commands a user would type.

A cell is one choice on every axis, such as the model, the pair of surrogates, the bound; a run is a
cell at one lambda and one seed. What is finished is known by its result files alone, so that runs
may be done in any order, on several machines, and their checkpoints be thrown away.
"""

import fcntl
import itertools
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tfusq.errors import Error
from tfusq.image_files import list_images

Statements = str | Sequence[str]


class SweepError(Error, ValueError):
  """A sweep that can't be run or reported; says why."""


class Run(NamedTuple):
  """One cell at one lambda and one seed.

  Attributes:
    cell: Label of each axis.
    lmbda: Weight of the distortion.
    seed: Of weights, noise and data.
    joint: gin files and bindings of the joint stage, in their order.
    post: The same of the post stage.
  """

  cell: dict[str, str]
  lmbda: float
  seed: int
  joint: list[str]
  post: list[str]

  @property
  def name(self) -> str:
    """Folder of its results and checkpoints."""
    return f'{cell_name(self.cell)}/lambda_{self.lmbda}-seed_{self.seed}'

  def result(self, results: Path, stage: str, images: str) -> Path:
    """Returns the curve file, of a single point, of a stage on a folder of images."""
    return results / f'{self.name}-{stage}-{images_name(images)}.json'

  def picture(self, results: Path) -> Path:
    """Returns the picture of its training."""
    return results / f'{self.name}-training.png'

  def title(self, *more: str) -> str:
    """Returns its cell's labels, and more, as one line."""
    return ' '.join((*self.cell.values(), *more))


def images_name(folder: str) -> str:
  """Returns what a folder of images is called in results and tables."""
  return Path(folder).resolve().name


def cell_name(cell: Mapping[str, str]) -> str:
  """Returns a cell's labels as a file's name."""
  return '__'.join(
    re.sub(r'[^a-z0-9.-]+', '_', label.lower()).strip('_') for label in cell.values()
  )


class Sweep:
  """What to train; bound by a gin file such as those in `gin/paper`."""

  def __init__(
    self,
    grids: Sequence[Mapping[str, Mapping[str, Statements]]],
    lmbdas: Sequence[float],
    seeds: Sequence[int],
    common: Statements,
    joint: Statements,
    post: Statements,
    joint_axes: Sequence[str] = (),
    best_of: str | None = None,
    tables: Sequence[str] = (),
    cost_anchor: Mapping[str, str] | None = None,
  ):
    """Initializer.

    Args:
      grids: Each the product of its axes: for each axis, what gin files and bindings each label
        stands for. A string that ends in `.gin` is a file, any other a binding.
      lmbdas: Weights of the distortion, at each of which every cell is trained.
      seeds: With each of which every cell is trained.
      common: gin files and bindings of both stages.
      joint: gin files and bindings of the joint stage.
      post: gin files and bindings of the post stage, which begins with the joint run's networks.
      joint_axes: Axes whose statements the joint stage alone takes.
      best_of: Axis of which a report shows the label that is best after the post stage.
      tables: Tables of the paper whose figures a report shows beside, such as `III`.
      cost_anchor: Labels of the cell to whose rate-distortion cost at each lambda a report compares
        the others; BD-rates are reported too if there are three lambdas at least.

    Raises:
      SweepError: if an argument is out of range, or two cells have the same labels.
    """
    self.lmbdas, self.seeds = tuple(lmbdas), tuple(seeds)
    if not (grids and self.lmbdas and self.seeds):
      raise SweepError('a sweep needs grids, lmbdas and seeds')
    self._common, self._joint, self._post = map(_statements, (common, joint, post))
    self.joint_axes, self.best_of, self.tables = tuple(joint_axes), best_of, tuple(tables)
    self.cost_anchor = cost_anchor
    self._cells = [
      dict(zip(grid, choice))
      for grid in grids
      for choice in itertools.product(*(_options(axis, grid) for axis in grid))
    ]
    names = [cell_name(cell) for cell in self.cells()]
    for name in names:
      if names.count(name) > 1:
        raise SweepError(f'two cells of the sweep are both {name}')
    self.axes = list(dict.fromkeys(axis for cell in self._cells for axis in cell))
    if best_of not in (None, *self.axes):
      raise SweepError(f'best_of must be one of {", ".join(self.axes)}, not {best_of}')
    if cost_anchor is not None and cost_anchor not in self.cells():
      raise SweepError(f'cost_anchor must be the labels of a cell, not {cost_anchor}')

  def cells(self) -> list[dict[str, str]]:
    """Returns the label of each axis, for every cell."""
    return [{axis: label for axis, (label, _) in cell.items()} for cell in self._cells]

  def runs(self) -> list[Run]:
    """Returns all runs: every cell at every lambda with one seed, before the next seed."""
    return [
      self._run(cell, lmbda, seed)
      for seed in self.seeds
      for cell in self._cells
      for lmbda in self.lmbdas
    ]

  def _run(self, cell, lmbda, seed):
    both = [
      statement
      for axis, (_, statements) in cell.items()
      if axis not in self.joint_axes
      for statement in statements
    ]
    own = [
      statement
      for axis, (_, statements) in cell.items()
      if axis in self.joint_axes
      for statement in statements
    ]
    bound = [f'LMBDA = {lmbda}', f'SEED = {seed}']
    labels = {axis: label for axis, (label, _) in cell.items()}
    return Run(
      labels,
      lmbda,
      seed,
      [*self._common, *both, *own, *self._joint, *bound],
      [*self._common, *both, *self._post, *bound],
    )


def _statements(value: Statements) -> list[str]:
  statements = [value] if isinstance(value, str) else list(value)
  for statement in statements:
    if not isinstance(statement, str):
      raise SweepError(f'a gin file or binding is a string, not {statement!r}')
  return statements


def _options(axis, grid):
  options = grid[axis]
  if not (isinstance(options, Mapping) and options):
    raise SweepError(f'the axis {axis} must map labels to gin files and bindings, not {options!r}')
  return [(str(label), _statements(value)) for label, value in options.items()]


class Job(NamedTuple):
  """How to do runs.

  Attributes:
    model_dir: Folder for run directories.
    results: Folder for results.
    images: Folders to evaluate on.
    gin_bindings: Further bindings of every training, such as of TRAIN_IMAGES.
    gin_search_path: Folders.
  """

  model_dir: Path
  results: Path
  images: list[str]
  gin_bindings: list[str]
  gin_search_path: list[str]

  def check(self) -> None:
    """Refuses what would fail only after days of training.

    Raises:
      SweepError: if two folders of images have one name.
      ImageError: if one holds no images.
    """
    names = [images_name(folder) for folder in self.images]
    for folder, name in zip(self.images, names):
      if names.count(name) > 1:
        raise SweepError(f'two folders of images are called {name}, as their results would be')
      list_images(folder)

  def missing(self, run: Run) -> list[tuple[str, str]]:
    """Returns the stages and folders of images whose results are not there."""
    return [
      (stage, images)
      for stage in ('joint', 'post')
      for images in self.images
      if not run.result(self.results, stage, images).exists()
    ]

  def commands(self, run: Run) -> list[list[str]]:
    """Returns the arguments of `tfusq`, command by command, that make what is missing."""
    missing = self.missing(run)
    if not missing:
      return []
    joint, post = (self.model_dir / run.name / stage for stage in ('joint', 'post'))
    commands = [['train', '--model_dir', str(joint), *self._gin(run.joint)]]
    drawn = ['--model_dir', str(joint)]
    wants_post = any(stage == 'post' for stage, _ in missing)
    if wants_post:
      commands.append(
        ['train', '--model_dir', str(post), '--init_from', str(joint), *self._gin(run.post)]
      )
    for stage, images in missing:
      path = run.result(self.results, stage, images)
      commands.append(
        [
          'evaluate',
          images,
          '--model_dir',
          str(self.model_dir / run.name / stage),
          *self._search(),
          '--name',
          run.title(stage),
          '--json',
          str(path),
          '--csv',
          str(path.with_suffix('.csv')),
          '--force',
        ]
      )
    if wants_post or post.exists():
      drawn += ['--model_dir', str(post)]
    commands.append(
      [
        'plot',
        *drawn,
        '--title',
        run.title(f'lambda {run.lmbda} seed {run.seed}'),
        '--out',
        str(run.picture(self.results)),
        '--force',
      ]
    )
    return commands

  def _gin(self, statements):
    for statement in [*statements, *self.gin_bindings]:
      yield from ('--gin_file' if statement.endswith('.gin') else '--gin_bindings', statement)
    yield from self._search()

  def _search(self):
    for folder in self.gin_search_path:
      yield from ('--gin_search_path', folder)


def part(runs: list[Run], which: str) -> list[Run]:
  """Returns the k-th of n parts of the runs, for the tasks of an array job.

  Args:
    runs: All of them.
    which: `k/n`, k from 1 to n.

  Raises:
    SweepError: if it is written otherwise.
  """
  match = re.fullmatch(r'(\d+)/(\d+)', which)
  if not match or not 1 <= int(match[1]) <= int(match[2]):
    raise SweepError(f'a part is K/N with K from 1 to N, not {which}')
  return runs[int(match[1]) - 1 :: int(match[2])]


def perform(job: Job, runs: list[Run]) -> list[str]:
  """Does one run after another; leaves out what is finished or what another process is at.

  Output goes to `log` in each run's folder.

  Args:
    job: How.
    runs: What.

  Returns:
    What failed: the run, its last line of output, and where the rest is.
  """
  failures = []
  for place, run in enumerate(runs, 1):
    folder = job.model_dir / run.name
    label = f'{place} of {len(runs)}  {run.name}'
    if not job.missing(run):
      print(f'{label}: finished before')
      continue
    with _locked(folder) as lock:
      if lock is None:
        print(f'{label}: another process is at it')
        continue
      start = time.monotonic()
      failure = next(
        filter(None, (_call(command, folder / 'log', lock) for command in job.commands(run))), None
      )
      minutes = (time.monotonic() - start) / 60
      print(f'{label}: {failure or f"{minutes:.1f} minutes"}', flush=True)
      if failure:
        failures.append(f'{run.name}: {failure} (see {folder / "log"})')
  return failures


def _call(command: list[str], log: Path, lock: int) -> str | None:
  """Runs a command, which holds the lock too; returns why if it fails."""
  with log.open('a') as file:
    file.write(f'+ tfusq {shlex.join(command)}\n')
    file.flush()
    start = file.tell()
    code = subprocess.run(
      [sys.executable, '-m', 'tfusq', *command],
      stdin=subprocess.DEVNULL,
      stdout=file,
      stderr=subprocess.STDOUT,
      check=False,
      pass_fds=[lock],
    ).returncode
  if not code:
    return None
  lines = log.read_bytes()[start:].decode(errors='replace').strip().split('\n')
  return next(
    (line for line in reversed(lines) if line.startswith('tfusq ')),
    f'exit code {code}: {lines[-1]}',
  )


@contextmanager
def _locked(folder: Path) -> Iterator[int | None]:
  """Gives the lock of a run, or None if others hold it.

  It is held until this process and all that it passed the lock to have ended, so that a command
  which outlives a killed sweep keeps others out.
  """
  folder.mkdir(parents=True, exist_ok=True)
  with (folder / 'lock').open('w') as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      yield None
    else:
      yield file.fileno()
