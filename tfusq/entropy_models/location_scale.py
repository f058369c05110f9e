"""Densities with a location and a scale: Gaussian and Laplacian."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_compression as tfc

from tfusq.coding import MAX_WINDOW, TAIL_MASS, Coder, Tables, trim
from tfusq.entropy_models.base import EntropyModel, require_floor
from tfusq.entropy_models.bits import gaussian_bits, laplacian_bits, saturate
from tfusq.quantization.rounding import MAX_SYMBOL

MAX_SCALE = 256.0
MIN_BOUND = 1e-6


def require_bound(model: tf.Module, bound: float) -> float:
  """Returns a lower bound of a scale; raises `ValueError` unless it is one that tables reach."""
  if not MIN_BOUND <= bound <= MAX_SCALE:
    raise ValueError(
      f'{type(model).__name__}.bound must lie in [{MIN_BOUND}, {MAX_SCALE}], not {bound}'
    )
  return float(bound)


def bounded(log_scale: tf.Tensor, bound: float) -> tf.Tensor:
  """Holds the logarithm of a scale between those of `bound` and `MAX_SCALE`, Eq. (34)."""
  log_scale = tfc.upper_bound(log_scale, math.log(MAX_SCALE))
  return tfc.lower_bound(log_scale, math.log(bound))


class MeanScale(NamedTuple):
  """Parameters of a location-scale density, both of the latent's shape."""

  mean: tf.Tensor
  log_scale: tf.Tensor

  @property
  def scale(self) -> tf.Tensor:
    """The scale itself."""
    return tf.exp(self.log_scale)


class LocationScale(EntropyModel):
  """A symmetric density of mean and scale, integrated over unit bins, Eq. (23), (24).

  The network gives the mean and the logarithm of the scale. The scale is bounded from below,
  `max(scale, bound)`, with the passing gradient of Eq. (34), on the logarithm: below the bound,
  only what would raise the scale passes.

  Table indexes are made of the network's outputs by single additions, multiplications and
  roundings, which IEEE 754 defines to the last bit: equal outputs give equal indexes on any
  machine, which `exp` and `log` would not.

  Attributes:
    NARROW: A scale at and below which the mass beyond `mean +- 1/2`, on one side, is less than
      half a 16-bit count.
  """

  channels = 2
  NARROW: float

  def __init__(self, bound: float = 0.11, floor: float = 1e-9):
    """Initializer.

    Args:
      bound: Lower bound of the scale: about 0.11 in the joint stage, 1e-6 in the post stage
        (Sec. 5.2).
      floor: Probability below which bits are saturated, see `saturate`; 0 never.

    Raises:
      ValueError: if an argument is out of range.
    """
    super().__init__()
    self.bound = require_bound(self, bound)
    self.floor = require_floor(self, floor)

  @staticmethod
  def exact_bits(y: tf.Tensor, mean: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Returns the bits before saturation."""
    raise NotImplementedError

  @staticmethod
  def quantile(tail: float) -> float:
    """Returns how far from the mean, in scales, the mass beyond on one side is `tail`."""
    raise NotImplementedError

  def parameters(self, raw):
    mean, log_scale = tf.split(raw, 2, axis=-1)
    return MeanScale(mean, bounded(log_scale, self.bound))

  def centre(self, parameters):
    return parameters.mean

  def bits(self, y, parameters):
    return saturate(self.exact_bits(y, parameters.mean, parameters.scale), self.floor)

  def coder(self, zero_centre):
    return self._centred_coder() if zero_centre else self._shifted_coder()

  def _centred_coder(self) -> Coder:
    """Tables by scale; a narrow one is that of every scale below it."""
    scales = Levels(self.NARROW, MAX_SCALE, 256)
    pmfs, minima = self._pmfs(scales.values, np.zeros_like(scales.values))

    def table(parameters):
      return scales.nearest(parameters.log_scale)

    return Tables(pmfs, minima, table)

  def _shifted_coder(self) -> Coder:
    """Tables by scale and by the mean's distance from its nearest integer.

    A wide density needs few distances: an error of `e` costs `(e / scale)^2 / 2` nats. A narrow
    one has mass in two bins at most, by the distance of the mean from the border between them, in
    scales: one family of tables for all narrow scales.
    """
    wide = Levels(self.NARROW, MAX_SCALE, 128)
    counts = 2 ** np.clip(np.ceil(np.log2(25 / wide.values)), 0, 8).astype(int)
    scales = np.repeat(wide.values, counts)
    fractions = np.concatenate([(np.arange(count) + 0.5) / count - 0.5 for count in counts])
    starts = tf.constant(np.cumsum(counts) - counts, tf.int32)
    counts = tf.constant(counts, tf.float32)

    narrow = Levels(MIN_BOUND, self.NARROW, 1024)
    inverses = tf.constant(1 / narrow.values, tf.float32)
    distances = np.linspace(0, self.quantile(TAIL_MASS), 128)
    to_level = 127 / distances[-1]
    below, above = (sign * (0.5 - distances * self.NARROW) for sign in (-1, 1))
    pmfs, minima = self._pmfs(
      np.append(scales, np.full(256, self.NARROW)), np.concatenate([fractions, below, above])
    )

    def shift(parameters):
      rounded = tf.clip_by_value(tf.round(parameters.mean), -MAX_SYMBOL, MAX_SYMBOL)
      return tf.cast(rounded, tf.int32)

    def table(parameters):
      mean, log_scale = parameters
      fraction = mean - tf.clip_by_value(tf.round(mean), -MAX_SYMBOL, MAX_SYMBOL)
      fraction = tf.clip_by_value(fraction, -0.5, 0.5)
      level = wide.nearest(log_scale)
      count = tf.gather(counts, level)
      place = tf.clip_by_value(tf.floor((fraction + 0.5) * count), 0.0, count - 1)
      distance = (0.5 - tf.abs(fraction)) * tf.gather(inverses, narrow.nearest(log_scale))
      near = tf.round(tf.minimum(distance, distances[-1]) * to_level)
      return tf.where(
        log_scale > math.log(self.NARROW),
        tf.gather(starts, level) + tf.cast(place, tf.int32),
        len(scales) + tf.where(fraction < 0, 0, 128) + tf.cast(near, tf.int32),
      )

    return Tables(pmfs, minima, table, shift)

  def _pmfs(self, scales: np.ndarray, means: np.ndarray) -> tuple[list[np.ndarray], list[int]]:
    """Returns the probabilities over a window around each mean, and where the windows start."""
    reach = self.quantile(TAIL_MASS / 2) * scales
    first, last = np.floor(means - reach), np.ceil(means + reach)
    widths = np.minimum(last - first + 1, MAX_WINDOW).astype(int)
    ends = np.cumsum(widths)
    y = np.arange(ends[-1]) - np.repeat(ends - widths - first, widths)
    bits = self.exact_bits(
      *(
        tf.constant(x, tf.float64) for x in (y, np.repeat(means, widths), np.repeat(scales, widths))
      )
    )
    trimmed = [trim(pmf) for pmf in np.split(np.exp2(-bits.numpy()), ends[:-1])]
    return [pmf for pmf, _ in trimmed], [
      int(start) + dropped for start, (_, dropped) in zip(first, trimmed)
    ]


class Gaussian(LocationScale):
  """Gaussian with mean and scale, Eq. (23), (24)."""

  NARROW = 0.11
  exact_bits = staticmethod(gaussian_bits)

  @staticmethod
  def quantile(tail):
    return -float(tf.math.ndtri(tf.constant(tail, tf.float64)))


class Laplacian(LocationScale):
  """Laplacian with mean and scale `b`, of density `exp(-|y - mean| / b) / 2 b`."""

  NARROW = 0.045
  exact_bits = staticmethod(laplacian_bits)

  @staticmethod
  def quantile(tail):
    return -math.log(2 * tail)


class Levels:
  """Geometrically spaced numbers, and which is nearest to one given by its logarithm."""

  def __init__(self, low: float, high: float, count: int):
    self.values = np.geomspace(low, high, count)
    self._first = math.log(low)
    self._per_unit = (count - 1) / math.log(high / low)

  def nearest(self, log_value: tf.Tensor) -> tf.Tensor:
    """Returns the `int32` position of the nearest level."""
    position = tf.round((log_value - self._first) * self._per_unit)
    return tf.cast(tf.clip_by_value(position, 0, len(self.values) - 1), tf.int32)
