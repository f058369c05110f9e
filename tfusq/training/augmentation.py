"""Changes of training patches: a smaller scale, mirror images, and transposition.

Each is a function of random numbers of its own, so that one more leaves the others as they are.
"""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from tfusq.training.decoding import Box

# Radius of Pillow's bicubic filter in pixels of the result; of a smaller result it is an average.
_RADIUS = 2


class Scaling(NamedTuple):
  """A scaling of a photograph.

  Attributes:
    height: Number of rows before it.
    width: Number of columns before it.
    new_height: Number of rows after it.
    new_width: Number of columns after it.
  """

  height: int
  width: int
  new_height: int
  new_width: int


def draw_scaling(
  random: np.random.Generator,
  height: int,
  width: int,
  least_side: int,
  scales: tuple[float, float],
) -> Scaling:
  """Draws how much smaller a photograph becomes.

  The factor is uniform between two bounds. Both are raised to where the shorter side would be less
  than `least_side`, but to no more than 1.

  Args:
    random: Random numbers.
    height: Number of rows of the photograph.
    width: Number of columns.
    least_side: Number of pixels that both sides keep, where they have them.
    scales: Bounds of the factor.
  """
  least_factor = min(least_side / min(height, width), 1.0)
  low, high = (max(scale, least_factor) for scale in scales)
  factor = random.uniform(low, high)
  sides = [max(round(factor * side), min(side, least_side)) for side in (height, width)]
  return Scaling(height, width, *sides)


def source_of(scaling: Scaling, box: Box) -> Box:
  """Returns the part of a photograph that a part of the scaled one is made from.

  Args:
    scaling: The scaling.
    box: Part of the scaled photograph.
  """
  top, bottom = _interval(box.top, box.height, scaling.height, scaling.new_height)
  left, right = _interval(box.left, box.width, scaling.width, scaling.new_width)
  return Box(top, left, bottom - top, right - left)


def scale(image: np.ndarray, source: Box, scaling: Scaling, box: Box) -> np.ndarray:
  """Returns a part of a scaled photograph.

  Args:
    image: `uint8[source.height, source.width, 3]`, the part that it is made from.
    source: Place of `image` in the photograph, of `source_of`.
    scaling: The scaling.
    box: Part of the scaled photograph.

  Returns:
    `uint8[box.height, box.width, 3]`.
  """
  rows = scaling.height / scaling.new_height
  columns = scaling.width / scaling.new_width
  edges = (
    box.left * columns - source.left,
    box.top * rows - source.top,
    (box.left + box.width) * columns - source.left,
    (box.top + box.height) * rows - source.top,
  )
  size = (box.width, box.height)
  # The last product may be above the last pixel by a rounding, which Pillow refuses.
  edges = (*edges[:2], min(edges[2], source.width), min(edges[3], source.height))
  return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC, edges))


def flip(random: np.random.Generator, patch: np.ndarray) -> np.ndarray:
  """Mirrors a patch upside down, and left to right, each with a probability of a half."""
  upside_down, left_to_right = random.integers(2, size=2)
  if upside_down:
    patch = patch[::-1]
  return patch[:, ::-1] if left_to_right else patch


def transpose(random: np.random.Generator, patch: np.ndarray) -> np.ndarray:
  """Exchanges rows and columns of a patch with a probability of a half."""
  return patch.swapaxes(0, 1) if random.integers(2) else patch


def _interval(start: int, length: int, side: int, new_side: int) -> tuple[int, int]:
  """Returns the pixels before a scaling that decide those after it, along one side."""
  ratio = side / new_side
  first = math.floor((start - _RADIUS) * ratio) - 1
  last = math.ceil((start + length + _RADIUS) * ratio) + 1
  return max(first, 0), min(last, side)
