"""Tables of densities that nothing conditions, one for each channel of a latent."""

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
import tensorflow as tf

from tfusq.coding.tables import MAX_WINDOW, TAIL_MASS, Tables

# Windows are searched for between minus and plus this integer; 21 halvings find an end.
_SEARCH_LIMIT = 2.0**20


class Density(Protocol):
  """Densities of the channels of a latent.

  Each function takes points, float32, broadcastable to `[..., channels]`, and returns
  `[..., channels]`.

  Attributes:
    channels: Number of channels.
  """

  channels: int

  def log_cdf(self, y: tf.Tensor) -> tf.Tensor:
    """Returns the logarithm of the mass below a point."""

  def log_survival(self, y: tf.Tensor) -> tf.Tensor:
    """Returns the logarithm of the mass above a point."""

  def mass(self, y: tf.Tensor) -> tf.Tensor:
    """Returns the mass in `[y - 1/2, y + 1/2]`."""


class NoParameters(Protocol):
  """What a table's position is known by.

  Attributes:
    empty: `[..., 0]`, a tensor without elements that has all axes of the latent but its channels.
  """

  @property
  def empty(self) -> tf.Tensor: ...


def per_channel_tables(density: Density) -> Tables:
  """Makes one table for each channel.

  A table's window leaves at most `TAIL_MASS / 2` to either side. Distribution functions are
  monotone, so that the window's ends are found by halving an interval: in milliseconds, where the
  search by gradients of TensorFlow Compression's own entropy models takes about 20 seconds.

  Args:
    density: Density of each channel.

  Returns:
    Tables whose indexes are made of `NoParameters`.
  """
  channels = density.channels
  log_tail = math.log(TAIL_MASS / 2)
  lowest = _first_integer(lambda y: density.log_cdf(y) > log_tail, channels)
  highest = _first_integer(lambda y: density.log_survival(y) < log_tail, channels)
  sizes = np.minimum(highest - lowest + 1, MAX_WINDOW).astype(int)

  # A window that is limited in size goes around the median.
  median = _first_integer(lambda y: density.log_cdf(y) > math.log(0.5), channels)
  minima = np.clip(median - sizes // 2, lowest, highest + 1 - sizes).astype(int)

  y = minima + np.arange(sizes.max())[:, None]
  masses = density.mass(tf.constant(y, tf.float32)).numpy()
  pmfs = []
  for channel, size in enumerate(sizes):
    pmf = masses[:size, channel].astype(np.float64)
    # Rounding in float32 may bring the sum above 1.
    pmfs.append(pmf / max(pmf.sum(), 1))

  def table(parameters: NoParameters) -> tf.Tensor:
    shape = tf.concat([tf.shape(parameters.empty)[:-1], [channels]], 0)
    return tf.broadcast_to(tf.range(channels), shape)

  return Tables(pmfs, minima.tolist(), table)


def _first_integer(holds: Callable[[tf.Tensor], tf.Tensor], channels: int) -> np.ndarray:
  """Returns the least integer of each channel that has a monotone property.

  Args:
    holds: Maps the upper ends of integers' bins, `float32[channels]`, to `bool[channels]`; false
      up to some number and true from there.
    channels: Number of channels.

  Returns:
    `float64[channels]`, within `_SEARCH_LIMIT` of 0.
  """
  low = np.full(channels, -_SEARCH_LIMIT)
  high = np.full(channels, _SEARCH_LIMIT)
  while (high - low).max() > 1:
    middle = np.floor((low + high) / 2)
    above = holds(tf.constant(middle + 0.5, tf.float32)).numpy()
    low = np.where(above, low, middle)
    high = np.where(above, middle, high)
  return high
