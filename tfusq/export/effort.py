"""How long pictures are refined before they are coded."""

from typing import NamedTuple

from tfusq.errors import Error

# Iterations by name; without any, symbols are chosen by their rate alone.
PRESETS = {'fast': 0, 'good': 100, 'best': 500}

# As many as no refinement ends before its seconds.
_ANY_NUMBER = 2**62


class EffortError(Error, ValueError):
  """An effort that is none; says what is."""


class Effort(NamedTuple):
  """How long each picture is refined; until the first of the limits.

  Attributes:
    iterations: Number of iterations; None for as many as the seconds allow.
    seconds: Seconds of optimization; None for as many as the iterations take.
    seed: Seed of the noise. With a number of iterations and no limit of seconds, it decides about
      every bit of the file.
  """

  iterations: int | None = None
  seconds: float | None = None
  seed: int = 0

  def numbers(self) -> tuple[tuple[float, str], ...]:
    """Returns iterations, seconds and seed with their types, as exported functions take them.

    Raises:
      EffortError: if neither limit is given, or one is negative.
    """
    if self.iterations is None and self.seconds is None:
      raise EffortError('an effort is a number of iterations, of seconds, or both')
    iterations = _ANY_NUMBER if self.iterations is None else self.iterations
    seconds = float('inf') if self.seconds is None else self.seconds
    if not (iterations >= 0 and seconds > 0):
      raise EffortError(
        'an effort is at least 0 iterations and more than 0 seconds, not '
        f'{iterations} and {seconds}'
      )
    return (iterations, 'int64'), (seconds, 'float32'), (self.seed, 'int64')


def named(text: str) -> int:
  """Returns the number of iterations of a preset's name, or of a number.

  Args:
    text: Name in `PRESETS`, or a non-negative integer.

  Raises:
    EffortError: if it is neither.
  """
  if text in PRESETS:
    return PRESETS[text]
  if not text.isdecimal():
    raise EffortError(f'{text} is none of {", ".join(PRESETS)}, nor a number of iterations')
  return int(text)
