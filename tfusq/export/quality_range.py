"""The qualities of a codec of variable rate, as its `codec.json` states them."""

from typing import Any, NamedTuple

import numpy as np


class QualityRange(NamedTuple):
  """Qualities of a codec of variable rate, from 1 to the number of its levels.

  Attributes:
    lambdas: Lambda of each level.
    steps_per_level: Number of steps from a level to the next.
    default: Quality that is taken where none is named.
  """

  lambdas: tuple[float, ...]
  steps_per_level: int
  default: float

  @classmethod
  def stated_in(cls, description: dict[str, Any]) -> 'QualityRange | None':
    """Returns what the contents of a `codec.json` say; None of a codec of one quality."""
    stated = description.get('qualities')
    if stated is None:
      return None
    return cls(tuple(stated['lambdas']), stated['steps_per_level'], stated['default'])

  @property
  def last_step(self) -> int:
    """The step of the highest quality."""
    return (len(self.lambdas) - 1) * self.steps_per_level

  def quality(self, step: int) -> float:
    """Returns the quality of a step."""
    return 1 + step / self.steps_per_level

  def of_lmbda(self, lmbda: float) -> float:
    """Returns the quality whose lambda is nearest, on a logarithmic scale."""
    levels = np.arange(len(self.lambdas))
    level = np.interp(np.log(lmbda), np.log(self.lambdas), levels)
    return self.quality(round(float(level) * self.steps_per_level))

  def lmbda(self, quality: float) -> float:
    """Returns the lambda of a quality."""
    levels = np.arange(1, len(self.lambdas) + 1)
    return float(np.exp(np.interp(quality, levels, np.log(self.lambdas))))
