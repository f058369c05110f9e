"""Regions of a picture, one after another, so that memory does not grow with the picture.

The networks' activations for a gradient take a few thousand bytes a pixel. A large picture is
therefore refined in regions; what lies around a region is seen with it, and held:

      around    region   around
    |........|##########|........|
"""

from typing import NamedTuple

import tensorflow as tf

from tfusq.models import CentredModel
from tfusq.refinement.picture import Latents
from tfusq.transforms import tiling

# Greatest side of a region, and what is seen around it, in pixels.
SIDE = 1024
SURROUNDINGS = 128

# Side of a picture on which the positions of latents are counted.
_PROBE = 256


class _Interval(NamedTuple):
  """A region along one axis, in pixels.

  Attributes:
    first: First pixel that is seen.
    last: Pixel after the last one that is seen.
    start: First pixel of the region.
    stop: Pixel after the last one of the region.
  """

  first: tf.Tensor
  last: tf.Tensor
  start: tf.Tensor
  stop: tf.Tensor

  def seen_positions(self, factor: int) -> slice:
    """Returns the positions of a latent that are seen.

    Args:
      factor: Pixels to a position.
    """
    return slice(self.first // factor, -(-self.last // factor))

  def mask(self, factor: int) -> tf.Tensor:
    """Returns which of the positions that are seen belong to the region, `float32[n]`."""
    positions = tf.range(self.first // factor, -(-self.last // factor)) * factor
    return tf.cast((positions >= self.start) & (positions < self.stop), tf.float32)


class Region(NamedTuple):
  """A region of a picture.

  Attributes:
    rows: Its rows.
    columns: Its columns.
  """

  rows: _Interval
  columns: _Interval

  def of_image(self, image: tf.Tensor) -> tf.Tensor:
    """Returns what is seen of a picture, `[height, width, 3]`."""
    return image[self.rows.first : self.rows.last, self.columns.first : self.columns.last]

  def alone(self, image: tf.Tensor) -> tf.Tensor:
    """Returns the region of a picture without what is around it, `[height, width, 3]`."""
    return image[self.rows.start : self.rows.stop, self.columns.start : self.columns.stop]

  @property
  def pixels(self) -> tf.Tensor:
    """Number of its pixels, a scalar float64."""
    height = self.rows.stop - self.rows.start
    width = self.columns.stop - self.columns.start
    return tf.cast(height, tf.float64) * tf.cast(width, tf.float64)


class Regions:
  """The regions of pictures of one model.

  Attributes:
    factors: Pixels on each side to a position, by the latents' names.
  """

  def __init__(self, centred_model: CentredModel):
    """Counts the positions of latents.

    Args:
      centred_model: A codec's model, its variables created.
    """
    with tf.init_scope():
      latents = centred_model.model.latents(tf.zeros([1, _PROBE, _PROBE, 3]))
    self.factors = {name: _PROBE // y.shape[1] for name, y in latents.items()}
    self._cell = max(self.factors.values())

  def count(self, image: tf.Tensor) -> tf.Tensor:
    """Returns the number of a picture's regions, a scalar `int32`.

    Args:
      image: `[height, width, 3]`.
    """
    rows, columns = (self._counts(size) for size in tf.unstack(tf.shape(image)[:2]))
    return rows * columns

  def region(self, image: tf.Tensor, number: tf.Tensor) -> Region:
    """Returns a region of a picture.

    Args:
      image: `[height, width, 3]`.
      number: Number of the region in raster order, a scalar `int32`.
    """
    height, width = tf.unstack(tf.shape(image)[:2])
    columns = self._counts(width)
    return Region(
      self._interval(height, number // columns), self._interval(width, number % columns)
    )

  def latents(self, latents: Latents, region: Region) -> Latents:
    """Returns what is seen of a picture's latents with a region."""
    seen = {}
    for name, y in latents.items():
      rows = region.rows.seen_positions(self.factors[name])
      columns = region.columns.seen_positions(self.factors[name])
      seen[name] = y[:, rows, columns]
    return seen

  def masks(self, region: Region) -> Latents:
    """Returns which positions that are seen belong to a region, `float32[1, rows, columns, 1]`."""
    masks = {}
    for name, factor in self.factors.items():
      rows, columns = region.rows.mask(factor), region.columns.mask(factor)
      masks[name] = (rows[:, None] * columns)[None, ..., None]
    return masks

  def written(self, latents: Latents, region: Region, seen: Latents) -> Latents:
    """Returns a picture's latents with those that are seen with a region in their place."""
    result = {}
    for name, y in latents.items():
      factor = self.factors[name]
      row, column = region.rows.first // factor, region.columns.first // factor
      result[name] = tf.ensure_shape(tiling.write(y, seen[name], row, column), y.shape)
    return result

  def _counts(self, size):
    return -(-size // SIDE)

  def _interval(self, size, number):
    cells = -(-size // self._cell)
    side = -(-cells // self._counts(size)) * self._cell
    start = number * side
    stop = tf.minimum(start + side, size)
    first = tf.maximum(start - SURROUNDINGS, 0)
    return _Interval(first, tf.minimum(stop + SURROUNDINGS, size), start, stop)
