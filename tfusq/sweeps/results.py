"""Results of runs: a file of each while a sweep lasts, and one CSV of all that are gathered."""

import functools
import re
from collections.abc import Iterable
from pathlib import Path

from tfusq import files
from tfusq.curves.curve import Curve, read_curve
from tfusq.curves.several import join
from tfusq.sweeps import branches, runs_file
from tfusq.sweeps.runs_file import ResultKey
from tfusq.sweeps.sweep import Run, Sweep, SweepError

RUNS_FILE = 'runs.csv'

_FILE_NAME = re.compile(r'lambda_([^/]+)-seed_(\d+)(?:-fork_(\d+))?-(joint|post)-(.+)\.json')


class ResultsFolder:
  """A folder of results, of one sweep or of several that share it.

  A result is a curve of a single point, a run's codec of one stage on one folder of images. An
  evaluation writes each into a file, `Run.result`. `gather` copies all of these into `runs.csv`,
  which is enough to report them and to know that they need not be made again. Where a result is in
  both, the curve file is taken, which is at least as new.

  Attributes:
    path: The folder.
  """

  def __init__(self, path: Path):
    """Initializer.

    Args:
      path: The folder; it need not exist.
    """
    self.path = path

  @functools.cached_property
  def _gathered(self) -> dict[ResultKey, Curve]:
    return self._read_gathered()

  def _read_gathered(self):
    path = self.path / RUNS_FILE
    return runs_file.read(path) if path.exists() else {}

  def has(self, run: Run, stage: str, images: str) -> bool:
    """Returns whether a result is there.

    Args:
      run: The run.
      stage: `joint` or `post`.
      images: Name of the folder of images.

    Raises:
      SweepError: if `runs.csv` cannot be read.
    """
    key = ResultKey.of(run, stage, images)
    return (self.path / key.path).exists() or key in self._gathered

  def read(self, run: Run, stage: str, images: str) -> Curve:
    """Returns a result, a curve of a single point.

    Args:
      run: The run.
      stage: `joint` or `post`.
      images: Name of the folder of images.

    Raises:
      CurveError: if its file holds no curve.
      SweepError: if there is no such result, or `runs.csv` cannot be read.
    """
    key = ResultKey.of(run, stage, images)
    path = self.path / key.path
    if path.exists():
      return read_curve(path)
    if key not in self._gathered:
      raise SweepError(f'neither {path} nor {RUNS_FILE} has the result of {key.codec}')
    return self._gathered[key]

  def gather(self) -> None:
    """Copies the results in all curve files of the folder into `runs.csv`.

    What `runs.csv` has already stays, and so do the curve files. It is replaced in one step, so
    that it is never incomplete. What branches have gone on from is written into `branches.csv`.

    Raises:
      CurveError: if a result's file holds no curve.
      SweepError: if a result has more than one point, or `runs.csv` cannot be read.
    """
    # Read anew: another process may have gathered results of its own meanwhile.
    curves = self._read_gathered()
    for path in sorted(self.path.glob('*/*.json')):
      match = _FILE_NAME.fullmatch(path.name)
      if match:
        lmbda, seed, fork, stage, images = match.groups('')
        key = ResultKey(path.parent.name, lmbda, seed, stage, images, fork)
        curves[key] = read_curve(path)
    if not curves:
      return

    found = [branches.branch_of(key, curve) for key, curve in curves.items()]
    branches.add(self.path, [branch for branch in found if branch])

    data = runs_file.to_csv(curves)
    path = self.path / RUNS_FILE
    if not path.exists() or path.read_bytes() != data:
      files.write(path, data)


class Results:
  """A sweep's results on one folder of images.

  Attributes:
    sweep: The sweep.
    images: Name of the folder of images.
  """

  def __init__(self, sweep: Sweep, folder: ResultsFolder, images: str):
    """Initializer.

    Args:
      sweep: The sweep.
      folder: Folder of results.
      images: Name of the folder of images.
    """
    self.sweep = sweep
    self.images = images
    self._folder = folder

  def curves(self, cell_index: int, stage: str) -> dict[int, Curve]:
    """Returns a cell's curve for each seed whose results at all lambdas are there.

    Args:
      cell_index: Index in the sweep's `cells()`.
      stage: `joint` or `post`.

    Raises:
      CurveError: if a result is no curve, or results are of different images.
      SweepError: if `runs.csv` cannot be read.
    """
    name = f'{self.sweep.cell_label(cell_index)}, {stage}'
    curves = {}
    for seed in self.sweep.seeds:
      runs = self.sweep.runs_of(cell_index, seed)
      if all(self._folder.has(run, stage, self.images) for run in runs):
        points = [self._folder.read(run, stage, self.images) for run in runs]
        curves[seed] = join(name, points)
    return curves

  def first_curves(self, cell_indices: Iterable[int], stage: str) -> list[Curve]:
    """Returns a curve of each cell that has one, that of the first seed.

    Args:
      cell_indices: Indices in the sweep's `cells()`.
      stage: `joint` or `post`.

    Raises:
      CurveError: if a result is no curve, or results are of different images.
      SweepError: if `runs.csv` cannot be read.
    """
    curves = []
    for cell_index in cell_indices:
      by_seed = self.curves(cell_index, stage)
      if by_seed:
        curves.append(next(iter(by_seed.values())))
    return curves

  def count(self, cell_index: int, stage: str) -> int:
    """Returns the number of a cell's results that are there, over lambdas and seeds.

    Args:
      cell_index: Index in the sweep's `cells()`.
      stage: `joint` or `post`.

    Raises:
      SweepError: if `runs.csv` cannot be read.
    """
    count = 0
    for seed in self.sweep.seeds:
      for run in self.sweep.runs_of(cell_index, seed):
        count += self._folder.has(run, stage, self.images)
    return count
