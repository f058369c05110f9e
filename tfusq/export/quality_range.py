"""The qualities of a codec of variable rate, as its `codec.json` states them."""

from typing import Any, NamedTuple

import numpy as np

from tfusq.errors import Error


class QualityError(Error, ValueError):
  """A quality or lambda that a codec does not have; says which it has."""


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

  def step(self, quality: float) -> int:
    """Returns the step that is nearest to a quality.

    Raises:
      QualityError: if there is no such quality.
    """
    levels = len(self.lambdas)
    if not 1 <= quality <= levels:
      raise QualityError(f'this codec has the qualities from 1 to {levels}, not {quality:g}')
    return round((quality - 1) * self.steps_per_level)

  def step_of_lmbda(self, lmbda: float) -> int:
    """Returns the step whose lambda is nearest, on a logarithmic scale.

    Raises:
      QualityError: if the lambda is not between those of the lowest and the highest quality.
    """
    first, last = self.lambdas[0], self.lambdas[-1]
    if not first <= lmbda <= last:
      raise QualityError(f'this codec has the lambdas from {first:g} to {last:g}, not {lmbda:g}')
    levels = np.arange(len(self.lambdas))
    level = np.interp(np.log(lmbda), np.log(self.lambdas), levels)
    return round(float(level) * self.steps_per_level)

  def lmbda(self, step: int) -> float:
    """Returns the lambda of a step."""
    level, further = divmod(step, self.steps_per_level)
    if not further:
      return self.lambdas[level]
    share = further / self.steps_per_level
    return self.lambdas[level] ** (1 - share) * self.lambdas[level + 1] ** share
