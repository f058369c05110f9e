"""A grid of codecs, each of which is trained in two stages.

A cell is one choice on every axis, such as the model, the pair of surrogates and the lower bound. A
run is a cell at one lambda and one seed.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tfusq.errors import Error
from tfusq.sweeps.trunk import Trunk, TrunkRun

STAGES = ('joint', 'post')

Statements = str | Sequence[str]


class SweepError(Error, ValueError):
  """A sweep that cannot be run or reported; says why."""


class Run(NamedTuple):
  """One cell at one lambda and one seed, or one branch of a fork of the trunk of that seed.

  Attributes:
    cell: Label of each axis.
    lmbda: Weight of the distortion.
    seed: Seed of weights, noise and data.
    joint: gin files and bindings of the joint stage, in their order.
    post: gin files and bindings of the post stage, in their order.
    fork: Number of the fork; None for a run that starts from scratch.
    trunk: Trunk that the joint stage goes on from, or None.
  """

  cell: dict[str, str]
  lmbda: float
  seed: int
  joint: list[str]
  post: list[str]
  fork: int | None = None
  trunk: TrunkRun | None = None

  @property
  def name(self) -> str:
    """Path of its results and checkpoints, relative to the folder of either."""
    name = f'{cell_name(self.cell)}/lambda_{self.lmbda}-seed_{self.seed}'
    return name if self.fork is None else f'{name}-fork_{self.fork}'

  def result(self, folder: Path, stage: str, images: str) -> Path:
    """Returns the path of the curve file, of a single point, that an evaluation makes.

    Args:
      folder: Folder of results.
      stage: `joint` or `post`.
      images: Folder of images, or its name.
    """
    return folder / f'{self.name}-{stage}-{images_name(images)}.json'

  def picture(self, folder: Path) -> Path:
    """Returns the path of the picture of its training in a folder of results."""
    return folder / f'{self.name}-training.png'

  def title(self, *suffixes: str) -> str:
    """Returns its cell's labels, followed by some suffixes, as one line."""
    return ' '.join((*self.cell.values(), *suffixes))


def images_name(folder: str) -> str:
  """Returns what a folder of images is called in results and tables."""
  return Path(folder).resolve().name


def cell_name(cell: Mapping[str, str]) -> str:
  """Returns a cell's labels as the name of a folder."""
  words = []
  for label in cell.values():
    word = re.sub(r'[^a-z0-9.-]+', '_', label.lower())
    words.append(word.strip('_'))
  return '__'.join(words)


class Sweep:
  """A union of grids to train; bound by a gin file such as those in `gin/paper`.

  Attributes:
    lmbdas: Weights of the distortion.
    seeds: Seeds.
    axes: Names of all axes, in the order of the grids.
    joint_axes: Axes whose statements the joint stage alone takes.
    best_of: Axis of which a report shows the best label alone, or None.
    tables: Names of the paper's tables that a report quotes.
    cost_anchor: Labels of the cell whose costs are the reference of a report, or None.
    trunk: Trunks of which all runs are branches, or None.
    forks: Number of forks of each trunk; 0 without trunks.
    least_effect: Least difference of costs that matters, percent, or None.
  """

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
    trunk: Trunk | None = None,
    forks: int = 0,
    least_effect: float | None = None,
  ):
    """Initializer.

    Args:
      grids: Grids, each the product of its axes: for each axis, the gin files and bindings that
        each label stands for. A string that ends in `.gin` is a file, any other a binding.
      lmbdas: Weights of the distortion, at each of which every cell is trained.
      seeds: Seeds, with each of which every cell is trained.
      common: gin files and bindings of both stages.
      joint: gin files and bindings of the joint stage.
      post: gin files and bindings of the post stage, which begins with the joint run's networks.
      joint_axes: Axes whose statements the joint stage alone takes.
      best_of: Axis of which a report shows the label that is best after the post stage.
      tables: Names of the paper's tables that a report quotes, such as `III`.
      cost_anchor: Labels of the cell with whose rate-distortion cost at each lambda a report
        compares the others; BD-rates are reported too if there are at least three lambdas.
      trunk: Trunks, one for each lambda and seed. Every cell's joint stage then is a branch of each
        of their forks, and a report compares costs, paired by image and fork.
      forks: Number of forks of each trunk.
      least_effect: Least difference of costs that matters, percent: a report of forks says which
        cells differ by less.

    Raises:
      SweepError: if an argument is out of range, or two cells have the same labels.
    """
    self.lmbdas = tuple(lmbdas)
    self.seeds = tuple(seeds)
    self.joint_axes = tuple(joint_axes)
    self.best_of = best_of
    self.tables = tuple(tables)
    self.cost_anchor = cost_anchor
    self.trunk = trunk
    self.forks = forks
    self.least_effect = least_effect
    self._common = _statements(common)
    self._joint = _statements(joint)
    self._post = _statements(post)

    if not (grids and self.lmbdas and self.seeds):
      raise SweepError('a sweep needs grids, lmbdas and seeds')
    # For each cell, the label and the statements of each axis.
    self._cells = []
    for grid in grids:
      self._cells += _product(grid)
    axes = itertools.chain.from_iterable(self._cells)
    self.axes = list(dict.fromkeys(axes))

    # Two cells of one name would write the same results.
    names = [cell_name(cell) for cell in self.cells()]
    for name in names:
      if names.count(name) > 1:
        raise SweepError(f'two cells of the sweep are both {name}')
    if best_of not in (None, *self.axes):
      raise SweepError(f'best_of must be one of {", ".join(self.axes)}, not {best_of}')
    if cost_anchor is not None and cost_anchor not in self.cells():
      raise SweepError(f'cost_anchor must be the labels of a cell, not {cost_anchor}')
    self._check_forks()

  def _check_forks(self):
    if self.trunk is None:
      if self.forks or self.least_effect is not None:
        raise SweepError('forks and least_effect are of a sweep with a trunk')
      return
    if not isinstance(self.trunk, Trunk):
      raise SweepError(f'trunk must be a Trunk, not {self.trunk!r}')
    if self.forks < 1 or self.cost_anchor is None:
      raise SweepError('a sweep with a trunk needs at least one of forks, and a cost_anchor')

  def cells(self) -> list[dict[str, str]]:
    """Returns the label of each axis, for every cell."""
    return [_labels(cell) for cell in self._cells]

  def cell_label(self, cell_index: int) -> str:
    """Returns the labels of a cell, given by its index in `cells()`, as one line."""
    return ', '.join(_labels(self._cells[cell_index]).values())

  def runs(self) -> list[Run]:
    """Returns all runs: every cell at every lambda with one seed, before the next seed.

    Of forks, those of one trunk come before the next trunk, and all cells before the next fork.
    """
    if self.trunk is not None:
      branches = itertools.product(self.seeds, self.lmbdas, range(self.forks), self._cells)
      return [self._run(cell, lmbda, seed, fork) for seed, lmbda, fork, cell in branches]
    grid = itertools.product(self.seeds, self._cells, self.lmbdas)
    return [self._run(cell, lmbda, seed) for seed, cell, lmbda in grid]

  def runs_of(self, cell_index: int, seed: int) -> list[Run]:
    """Returns the runs of a cell with one seed, by lambda.

    Args:
      cell_index: Index in `cells()`.
      seed: One of `seeds`.
    """
    return [self._run(self._cells[cell_index], lmbda, seed) for lmbda in self.lmbdas]

  def branches_of(self, cell_index: int, lmbda: float) -> list[Run]:
    """Returns the branches of a cell at a lambda, over trunks and forks.

    Args:
      cell_index: Index in `cells()`.
      lmbda: One of `lmbdas`.
    """
    cell = self._cells[cell_index]
    pairs = itertools.product(self.seeds, range(self.forks))
    return [self._run(cell, lmbda, seed, fork) for seed, fork in pairs]

  def _run(self, cell, lmbda, seed, fork=None):
    both_stages = []
    joint_alone = []
    for axis, (_, statements) in cell.items():
      if axis in self.joint_axes:
        joint_alone += statements
      else:
        both_stages += statements

    # Later statements override earlier ones, so that lambda and seed come last.
    bound = [f'LMBDA = {lmbda}', f'SEED = {seed}']
    trunk = None
    if self.trunk is not None:
      trunk = TrunkRun(self.trunk, lmbda, seed, [*self._common, *self.trunk.statements, *bound])
      bound.append(f'train.fork = {fork}')
    return Run(
      cell=_labels(cell),
      lmbda=lmbda,
      seed=seed,
      joint=[*self._common, *both_stages, *joint_alone, *self._joint, *bound],
      post=[*self._common, *both_stages, *self._post, *bound],
      fork=fork,
      trunk=trunk,
    )


def _labels(cell):
  return {axis: label for axis, (label, _) in cell.items()}


def _product(grid):
  """Returns the cells of one grid."""
  options = [_options(axis, grid[axis]) for axis in grid]
  return [dict(zip(grid, choice)) for choice in itertools.product(*options)]


def _options(axis, statements_by_label):
  """Returns the labels of an axis, each with its statements."""
  if not (isinstance(statements_by_label, Mapping) and statements_by_label):
    raise SweepError(
      f'the axis {axis} must map labels to gin files and bindings, not {statements_by_label!r}'
    )
  return [(str(label), _statements(value)) for label, value in statements_by_label.items()]


def _statements(value: Statements) -> list[str]:
  statements = [value] if isinstance(value, str) else list(value)
  for statement in statements:
    if not isinstance(statement, str):
      raise SweepError(f'a gin file or binding is a string, not {statement!r}')
  return statements
