"""Tables of symmetric densities that have a location (mean) and a scale.

A table holds integer counts of one density's unit bins. Means and scales are real numbers, so a
finite set of tables stands for all of them, and each symbol is coded by the nearest one. The code
length lost by a table that is not exact, in nats a symbol, is about

    (scale error / scale)^2          for a relative error of the scale
    (mean error / scale)^2 / 2       for an error of the mean

which is the divergence between two Gaussians (between two Laplacians, half of the former and the
same as the latter). The numbers of tables below keep either under 1e-3 in the worst case, and at a
third of that on average. With 256 scales, 16-bit counts and mean 0, code lengths of 0.006 % above
the ideal were measured; 64 scales and 12-bit counts, a common choice, gave 0.085 %.

The choice of a table uses single additions, multiplications and roundings only, which IEEE 754
defines to the last bit: equal parameters give equal tables on any machine, which `exp` and `log`
would not. That is why the networks give the scale by its logarithm.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from tfusq.coding.tables import MAX_WINDOW, TAIL_MASS, Tables, trim
from tfusq.quantization.rounding import MAX_SYMBOL

# Neighbouring scales differ by 3 % (256 levels between 0.11 and 256) and by 6 % (128). Where every
# scale has tables for several means, half of the levels halve the size of an exported codec.
_CENTRED_SCALES = 256
_SHIFTED_SCALES = 128

# Means per unit interval that have tables at a scale: at least 25 / scale, so that a mean is off by
# at most scale / 50. It is rounded up to a power of two, because the product with a fraction is
# then exact, and limited to 256, which only scales below 0.1 reach.
_FRACTIONS_TIMES_SCALE = 25
_LOG2_MAX_FRACTIONS = 8

# A narrow density has a table for each of so many distances of its mean from the border of its bin,
# for the border below and for the one above. A Gaussian's reach to 4.5 scales and are 0.035
# scales apart.
_NARROW_DISTANCES = 128
# Narrow scales whose inverses are stored, 1.1 % apart from 1e-6 to 0.11. They are numbers and not
# tables, so that many are cheap.
_NARROW_SCALES = 1024


class LocationScaleParameters(Protocol):
  """What a table is chosen by.

  Attributes:
    mean: Location, of the latent's shape, float32.
    log_scale: Natural logarithm of the scale, of the same shape.
  """

  @property
  def mean(self) -> tf.Tensor: ...

  @property
  def log_scale(self) -> tf.Tensor: ...


class LocationScaleDensity(NamedTuple):
  """A family of symmetric densities, as far as its tables depend on it.

  Attributes:
    bits: Function of `y`, `mean` and `scale`, `float64[n]` each: `-log2` of the mass in
      `[y - 1/2, y + 1/2]`, `float64[n]`.
    quantile: Function of a probability `tail`: the distance from the mean, in scales, beyond which
      the mass on one side is `tail`.
    narrow_scale: Scale at and below which the mass beyond `mean + 1/2` is less than half a 16-bit
      count, so that the tables of all smaller scales are equal.
    min_scale: Smallest scale that parameters have.
    max_scale: Greatest scale that parameters have.
  """

  bits: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
  quantile: Callable[[float], float]
  narrow_scale: float
  min_scale: float
  max_scale: float


class Levels:
  """Geometrically spaced numbers, of which the nearest to a given logarithm is found.

  Attributes:
    values: `float64[count]`, increasing.
  """

  def __init__(self, low: float, high: float, count: int):
    """Initializer.

    Args:
      low: First number, positive.
      high: Last number.
      count: Number of levels, at least 2.
    """
    self.values = np.geomspace(low, high, count)
    self._log_low = math.log(low)
    self._levels_per_unit = (count - 1) / math.log(high / low)

  def nearest(self, log_value: tf.Tensor) -> tf.Tensor:
    """Returns the `int32` index of the level that is nearest to `exp(log_value)`."""
    level = tf.round((log_value - self._log_low) * self._levels_per_unit)
    return tf.cast(tf.clip_by_value(level, 0, len(self.values) - 1), tf.int32)


def centred_tables(density: LocationScaleDensity) -> Tables:
  """Makes the tables of symbols `round(y - mean)`, one for each level of the scale.

  The density of the symbols has mean 0. Scales below `narrow_scale` share its table.

  Args:
    density: The density.

  Returns:
    Tables whose indexes are made of `LocationScaleParameters`.
  """
  levels = Levels(density.narrow_scale, density.max_scale, _CENTRED_SCALES)
  pmfs, minima = _probabilities(density, np.zeros_like(levels.values), levels.values)

  def table(parameters: LocationScaleParameters) -> tf.Tensor:
    return levels.nearest(parameters.log_scale)

  return Tables(pmfs, minima, table)


def shifted_tables(density: LocationScaleDensity) -> Tables:
  """Makes the tables of symbols `round(y)`, by scale and by the fraction of the mean.

  The integer part of the mean is subtracted from the symbols, so that the mean of a table lies in
  [-1/2, 1/2]. Two families of tables share the work:

  * Scales above `narrow_scale`: for each level of the scale, a number of fractions in inverse
    proportion to it.
  * Narrow scales: all the mass lies in the mean's own bin and the one across the nearest border,
    and how much lies across depends on `(1/2 - |fraction|) / scale` alone, the distance of the
    border in scales. Tables by that distance, to either side, serve all narrow scales.

  Args:
    density: The density.

  Returns:
    Tables whose indexes are made of `LocationScaleParameters`.
  """
  wide = _WideTables(density)
  narrow = _NarrowTables(density)
  means = np.concatenate([wide.means, narrow.means])
  scales = np.concatenate([wide.scales, narrow.scales])
  pmfs, minima = _probabilities(density, means, scales)
  log_narrow_scale = math.log(density.narrow_scale)

  def shift(parameters: LocationScaleParameters) -> tf.Tensor:
    return tf.cast(_nearest_symbol(parameters.mean), tf.int32)

  def table(parameters: LocationScaleParameters) -> tf.Tensor:
    log_scale = parameters.log_scale
    fraction = parameters.mean - _nearest_symbol(parameters.mean)
    # A mean beyond the largest symbol has none that is near.
    fraction = tf.clip_by_value(fraction, -0.5, 0.5)

    return tf.where(
      log_scale > log_narrow_scale,
      wide.nearest(fraction, log_scale),
      len(wide.scales) + narrow.nearest(fraction, log_scale),
    )

  return Tables(pmfs, minima, table, shift)


class _WideTables:
  """Means and scales of the tables of scales above `narrow_scale`, by scale, then by mean."""

  def __init__(self, density):
    self._levels = Levels(density.narrow_scale, density.max_scale, _SHIFTED_SCALES)
    log2_counts = np.ceil(np.log2(_FRACTIONS_TIMES_SCALE / self._levels.values))
    counts = 2 ** np.clip(log2_counts, 0, _LOG2_MAX_FRACTIONS).astype(int)

    self.scales = np.repeat(self._levels.values, counts)
    # The middles of `count` equal parts of [-1/2, 1/2].
    self.means = np.concatenate([(np.arange(count) + 0.5) / count - 0.5 for count in counts])
    self._starts = tf.constant(np.cumsum(counts) - counts, tf.int32)
    self._counts = tf.constant(counts, tf.float32)

  def nearest(self, fraction, log_scale):
    level = self._levels.nearest(log_scale)
    count = tf.gather(self._counts, level)
    part = tf.clip_by_value(tf.floor((fraction + 0.5) * count), 0.0, count - 1)
    return tf.gather(self._starts, level) + tf.cast(part, tf.int32)


class _NarrowTables:
  """Means and scales of the tables of narrow densities, negative means first.

  They are made at `narrow_scale`, where the last distance is about half a bin, so that the mass
  beyond the bin's other border is less than a count in each of them.
  """

  def __init__(self, density):
    self._levels = Levels(density.min_scale, density.narrow_scale, _NARROW_SCALES)
    self._inverses = tf.constant(1 / self._levels.values, tf.float32)

    # At the last distance the mass across the border is `TAIL_MASS`, which no table gives a count.
    distances = np.linspace(0, density.quantile(TAIL_MASS), _NARROW_DISTANCES)
    self._last_distance = distances[-1]
    self._tables_per_scale = (_NARROW_DISTANCES - 1) / distances[-1]
    above = 0.5 - distances * density.narrow_scale
    self.means = np.concatenate([-above, above])
    self.scales = np.full(2 * _NARROW_DISTANCES, density.narrow_scale)

  def nearest(self, fraction, log_scale):
    inverse_scale = tf.gather(self._inverses, self._levels.nearest(log_scale))
    distance = (0.5 - tf.abs(fraction)) * inverse_scale
    distance = tf.minimum(distance, self._last_distance)
    table = tf.cast(tf.round(distance * self._tables_per_scale), tf.int32)
    return tf.where(fraction < 0, 0, _NARROW_DISTANCES) + table


def _nearest_symbol(mean):
  return tf.clip_by_value(tf.round(mean), -MAX_SYMBOL, MAX_SYMBOL)


def _probabilities(
  density: LocationScaleDensity, means: np.ndarray, scales: np.ndarray
) -> tuple[list[np.ndarray], list[int]]:
  """Returns the probabilities of the integers around each mean.

  Args:
    density: The density.
    means: `float64[tables]`.
    scales: `float64[tables]`.

  Returns:
    For each table the probabilities of its integers, `float64[size]`, and the first integer.
  """
  reach = density.quantile(TAIL_MASS / 2) * scales
  first = np.floor(means - reach)
  last = np.ceil(means + reach)
  sizes = np.minimum(last - first + 1, MAX_WINDOW).astype(int)

  # The integers of all tables one after the other, so that one call computes their bits.
  ends = np.cumsum(sizes)
  y = np.arange(ends[-1]) - np.repeat(ends - sizes - first, sizes)
  bits = density.bits(
    tf.constant(y, tf.float64),
    tf.constant(np.repeat(means, sizes), tf.float64),
    tf.constant(np.repeat(scales, sizes), tf.float64),
  )

  pmfs, minima = [], []
  for pmf, start in zip(np.split(np.exp2(-bits.numpy()), ends[:-1]), first):
    kept, dropped = trim(pmf)
    pmfs.append(kept)
    minima.append(int(start) + dropped)
  return pmfs, minima
