"""Trunks: runs that are trained until they are good enough, and from which branches go on."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tfusq.errors import Error


class TrunkError(Error, ValueError):
  """A trunk that can't be trained as it is bound; says why."""


class Trunk:
  """The trunks of a sweep, one for each lambda and seed; bound by the sweep's gin file.

  A trunk is trained for `steps` steps and then evaluated. While it needs more than a share of
  JPEG's rate for the same PSNR, it trains on. Its schedules must therefore not depend on the number
  of its steps.

  Attributes:
    name: Name of its folder among the runs. Sweeps that have equal trunks give them one name.
    statements: gin files and bindings of its training.
    steps: Number of steps after which it is first evaluated.
    extension: Number of steps between evaluations after that.
    most_steps: Number of steps after which it is given up.
    images: Folder of photographs that it is evaluated on, none of which it has seen.
    saving: Percent by which its rate must be below JPEG's.
  """

  def __init__(
    self,
    name: str,
    statements: Sequence[str],
    images: str,
    steps: int,
    extension: int,
    most_steps: int,
    saving: float = 20.0,
  ):
    """Initializer.

    Args:
      name: Name of its folder among the runs, a single word.
      statements: gin files and bindings of its training.
      images: Folder of photographs that it is evaluated on, none of which it has seen.
      steps: Number of steps after which it is first evaluated.
      extension: Number of steps between evaluations after that.
      most_steps: Number of steps after which it is given up.
      saving: Percent by which its rate must be below JPEG's at the same mean PSNR.

    Raises:
      TrunkError: if an argument is out of range.
    """
    if not name or '/' in name:
      raise TrunkError(f'Trunk.name must be the name of a folder, not {name!r}')
    for statement in statements:
      if not isinstance(statement, str):
        raise TrunkError(f'Trunk.statements: a gin file or binding is a string, not {statement!r}')
    if not (0 < steps <= most_steps and extension > 0):
      raise TrunkError(
        'Trunk takes 0 < steps <= most_steps and a positive extension, not '
        f'{steps}, {most_steps} and {extension}'
      )
    if not saving < 100:
      raise TrunkError(f'Trunk.saving must be less than 100 percent, not {saving}')
    self.name = name
    self.statements = list(statements)
    self.images = images
    self.steps = steps
    self.extension = extension
    self.most_steps = most_steps
    self.saving = saving

  def ladder(self) -> Iterator[int]:
    """Yields the numbers of steps after which it is evaluated."""
    yield from range(self.steps, self.most_steps + 1, self.extension)


class TrunkRun(NamedTuple):
  """A trunk at one lambda and one seed.

  Attributes:
    trunk: Settings that all trunks of the sweep have in common.
    lmbda: Weight of the distortion.
    seed: Seed of weights, noise and data.
    statements: gin files and bindings of its training, in their order, without its steps.
  """

  trunk: Trunk
  lmbda: float
  seed: int
  statements: list[str]

  @property
  def name(self) -> str:
    """Path of its checkpoints and results, relative to the folder of either."""
    return f'{self.trunk.name}/lambda_{self.lmbda}-seed_{self.seed}'
