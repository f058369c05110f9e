"""What could not be evaluated, and why: it keeps nothing else from being evaluated."""

from collections.abc import Sequence
from typing import NamedTuple

from tfusq import errors
from tfusq.errors import Error


class EvaluationError(Error, RuntimeError):
  """Images or operating points that could not be evaluated, one line for each; all others were."""


class Failure(NamedTuple):
  """An image that could not be evaluated.

  Attributes:
    image: Name of the image; empty if it is the point that could not be opened.
    point: Label of the operating point; empty if the image could not be read.
    reason: One line.
  """

  image: str
  point: str
  reason: str

  def __str__(self) -> str:
    image = ' '.join(self.image.splitlines())  # a name may have line breaks
    where = ' at '.join(filter(None, [image, self.point]))
    return f'{where}: {self.reason}'


def reason(error: Exception) -> str:
  """Returns in one line why an image or a point failed."""
  text = ' '.join(errors.message(error).split())
  if not isinstance(error, MemoryError):
    return text
  return f'out of memory: {text}' if str(error) else 'out of memory'


def summary(
  failures: Sequence[Failure], left_out_images: Sequence[str], left_out_points: Sequence[str]
) -> str:
  """Returns what is left out, a line for each image and each point, with the first reason of each.

  Args:
    failures: All failures.
    left_out_images: Names of the images that are in no mean.
    left_out_points: Labels of the points that are not in the curve.
  """
  lines = []
  for label in left_out_points:
    lines.append(_first([failure for failure in failures if failure.point == label]))

  for image in left_out_images:
    of_image = [failure for failure in failures if failure.image == image]
    remaining = [failure for failure in of_image if failure.point not in left_out_points]
    lines.append(_first(remaining))

  parts = []
  if left_out_images:
    parts.append(f'{_count(left_out_images, "image")} left out of all means')
  if left_out_points:
    parts.append(f'{_count(left_out_points, "operating point")} left out of the curve')
  return '\n  '.join([f'{", ".join(parts)}:', *lines])


def _first(failures: Sequence[Failure]) -> str:
  """Returns the first of some failures, with the number of the others."""
  others = f' (and {len(failures) - 1} more)' if len(failures) > 1 else ''
  return f'{failures[0]}{others}'


def _count(names: Sequence[str], noun: str) -> str:
  return f'1 {noun} is' if len(names) == 1 else f'{len(names)} {noun}s are'
