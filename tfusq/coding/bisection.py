"""Range coding of mixtures: a symbol as a few binary decisions with static tables.

A mixture has too many parameters for tables of its own. Its cumulative distribution at an integer's
border is a sum over components of one table of the normal distribution function, in integers:
parameters are integers on fixed grids, and what lies between is single operations that IEEE 754
defines to the last bit. A symbol is found by halving a window around the mixture, each decision
coded by the one of 2^16 two-symbol tables that has its probability. So both ends agree, given equal
integer parameters, in loops too. What lies more than 2,048 from the origin is coded by an escape.

Measured on two cores (`tests/benchmarks/coding.py`): 0.002 % to 0.004 % above the ideal at 3 to 4
million symbols a second. A table for every symbol, the alternative, codes 0.1 to 0.7 million, and
0.03 % to 0.13 % above.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_compression as tfc
import tensorflow_probability as tfp

from tfusq.coding.tables import PRECISION, Coder, bits_outside, entries, wrap

_MEAN_UNIT = 2**12  # steps of a mean to 1
_WEIGHT_UNIT = 2**8  # steps of a logit to 1
_WEIGHT_SUM = 2**14
_WEIGHTS = np.round(2**16 * np.exp(-np.arange(12 * _WEIGHT_UNIT) / _WEIGHT_UNIT))
_CDF_PRECISION = 16  # bits of the normal distribution function; with the weights, 30
_CDF_REACH = 8  # scales to either side of the mean
_CDF_STEPS = 2**12  # steps to a scale
_LEAST_LOG_SCALE, _GREATEST_LOG_SCALE = math.log(1e-6), math.log(256.0)
_SCALE_LEVELS = 4096
_SMALLEST_WINDOW, _LARGEST_WINDOW = 2, 11  # logarithms of half a window's width
_REACH = 4.8  # scales that a window must hold, to either side


class _Mixture(NamedTuple):
  """Integers of n symbols, `[n, components]`, as floats where they are multiplied.

  Attributes:
    weights: `int32`, sum at most `_WEIGHT_SUM`.
    means: `float32`, in `1 / _MEAN_UNIT`, relative to the origin: exact to 4,096 from it.
    steepness: `float32`: steps of the normal table to one of a mean.
  """

  weights: tf.Tensor
  means: tf.Tensor
  steepness: tf.Tensor


class _Search(NamedTuple):
  """Where a bisection stands: `int32[n]`, borders below and above, and the mass below them."""

  low: tf.Tensor
  high: tf.Tensor
  mass_low: tf.Tensor
  mass_high: tf.Tensor


class Bisection(Coder):
  """Codes symbols that are distributed as Gaussian mixtures.

  The index of a symbol is `3 * components` integers: logits, means and logarithms of scales on
  their grids.
  """

  def __init__(self, zero_centre: bool):
    """Initializer.

    Args:
      zero_centre: Whether symbols are relative to the mixture's weighted mean.
    """
    counts = np.arange(1, 2**PRECISION)
    constant = np.ones_like(counts)
    lookup = np.stack([PRECISION * constant, 0 * constant, counts, 2**PRECISION * constant], -1)
    super().__init__(lookup.ravel(), len(counts))
    self._zero_centre = zero_centre
    t = np.arange(-_CDF_REACH * _CDF_STEPS, _CDF_REACH * _CDF_STEPS + 1) / _CDF_STEPS
    cdf = tfp.distributions.Normal(np.float64(0), np.float64(1)).cdf(t).numpy()
    with tf.device('/cpu:0'):
      self.cdf = tf.Variable(np.round(2**_CDF_PRECISION * cdf).astype(np.int32), trainable=False)
      scales = np.exp(np.linspace(_LEAST_LOG_SCALE, _GREATEST_LOG_SCALE, _SCALE_LEVELS))
      self.steepness = tf.Variable(
        (_CDF_STEPS / _MEAN_UNIT / scales).astype(np.float32), trainable=False
      )
      self.reach = tf.Variable((_REACH * scales).astype(np.float32), trainable=False)

  def index(self, parameters):
    logits, means, log_scales = parameters
    level = tf.round(
      (log_scales - _LEAST_LOG_SCALE)
      * ((_SCALE_LEVELS - 1) / (_GREATEST_LOG_SCALE - _LEAST_LOG_SCALE))
    )
    level = tf.cast(tf.clip_by_value(level, 0, _SCALE_LEVELS - 1), tf.int32)
    return tf.concat([*_logits_and_means(logits, means), level], -1)

  def encode(self, handle, symbols, index):
    mixture, shift, size = self._prepare(index)
    symbols = wrap(tf.reshape(symbols, [-1]) - shift)
    half = tf.bitwise.left_shift(1, size)
    inside = tf.clip_by_value(symbols, -half, half - 1)

    def decide(handle, table, middle, chosen):
      right = inside if chosen is None else tf.gather(inside, chosen)
      right = tf.cast(right >= middle, tf.int32)
      return tfc.entropy_encode_index(handle, table, right), right

    handle, found = self._bisect(handle, mixture, size, decide)
    edge = _at_edge(found.low, half)
    return self.encode_outside(
      handle, tf.boolean_mask(symbols, edge), *_inside(tf.boolean_mask(half, edge))
    )

  def decode(self, handle, index):
    mixture, shift, size = self._prepare(index)

    def decide(handle, table, middle, chosen):
      del middle, chosen
      return tfc.entropy_decode_index(handle, table, tf.shape(table), tf.int32)

    handle, found = self._bisect(handle, mixture, size, decide)
    half = tf.bitwise.left_shift(1, size)
    edge = tf.where(_at_edge(found.low, half))
    handle, outside = self.decode_outside(handle, *_inside(tf.gather_nd(half, edge)))
    symbols = wrap(tf.tensor_scatter_nd_update(found.low, edge, outside) + shift)
    return handle, tf.reshape(symbols, tf.shape(index)[:-1])

  def price(self, bits, symbols, index):
    """As of `Coder`; the code's own length where that is above `PRECISION` or has an escape."""
    mixture, shift, size = self._prepare(index)
    half = tf.bitwise.left_shift(1, size)
    symbols = wrap(tf.reshape(symbols, [-1]) - shift)
    inside = tf.clip_by_value(symbols, -half, half - 1)

    def decide(length, table, middle, chosen):
      right = (inside if chosen is None else tf.gather(inside, chosen)) >= middle
      count = tf.where(right, 2**PRECISION - 1 - table, table + 1)
      cost = PRECISION - tf.math.log(tf.cast(count, tf.float32)) / math.log(2)
      if chosen is not None:
        return tf.tensor_scatter_nd_add(length, chosen[:, None], cost), tf.cast(right, tf.int32)
      return length + cost, tf.cast(right, tf.int32)

    length, found = self._bisect(tf.zeros(tf.shape(inside)), mixture, size, decide)
    edge = _at_edge(found.low, half)
    length += tf.where(edge, bits_outside(symbols, *_inside(half)), 0.0)
    length, edge = (tf.reshape(x, tf.shape(bits)) for x in (length, edge))
    return tf.where((bits > PRECISION) | edge, tf.cast(length, bits.dtype), bits)

  def _prepare(self, index):
    """Returns the mixtures, the shifts, and the logarithms of half the windows' widths."""
    components = index.shape[-1] // 3
    rarity, means, level = tf.unstack(tf.reshape(index, [-1, 3, components]), axis=1)
    weights, centre = _weights_and_centre(rarity, means)
    whole = tf.round(centre / _MEAN_UNIT)
    origin = tf.cast(centre if self._zero_centre else whole * _MEAN_UNIT, tf.int32)
    means = tf.cast(means - origin[:, None], tf.float32)
    extent = tf.reduce_max(tf.abs(means) / _MEAN_UNIT + entries(self.reach, level), -1)
    # A window's outermost symbols are escapes: what the mixture reaches must lie within them.
    sizes = np.arange(_SMALLEST_WINDOW, _LARGEST_WINDOW)
    size = _SMALLEST_WINDOW + tf.raw_ops.Bucketize(
      input=extent, boundaries=(2.0**sizes - 2.5).tolist()
    )
    mixture = _Mixture(tf.cast(weights, tf.int32), means, entries(self.steepness, level))
    shift = tf.zeros_like(origin) if self._zero_centre else tf.cast(whole, tf.int32)
    return mixture, shift, size

  def _mass(self, mixture, border):
    """Returns the mass below `border - 1/2` of each mixture, in `2^-30`."""
    border = tf.cast(border, tf.float32) * _MEAN_UNIT - _MEAN_UNIT / 2
    t = tf.round((border[:, None] - mixture.means) * mixture.steepness)
    limit = _CDF_REACH * _CDF_STEPS
    t = tf.cast(tf.clip_by_value(t, -limit, limit), tf.int32) + limit
    return tf.reduce_sum(mixture.weights * entries(self.cdf, t), -1)

  def _bisect(self, handle, mixture, size, decide: Callable):
    """Halves every window until one symbol is left.

    Args:
      handle: Of the range coder.
      mixture: `_Mixture`.
      size: `int32[n]`, logarithms of half the windows' widths.
      decide: Codes decisions: from handle, tables, middles, and which symbols they are of (None:
        all), to the handle and `int32` 0 (below the middle) or 1.

    Returns:
      The handle and the `_Search` at its end, whose `low` are the symbols.
    """
    half = tf.bitwise.left_shift(1, size)
    total = tf.reduce_sum(mixture.weights, -1) * 2**_CDF_PRECISION
    state = _Search(-half, half, tf.zeros_like(half), total)
    for level in range(_LARGEST_WINDOW, _SMALLEST_WINDOW, -1):  # large windows only
      chosen = tf.where(size >= level)[:, 0]
      handle, part = self._halve(
        handle,
        *(
          tf.nest.map_structure(lambda x: tf.gather(x, chosen), group)  # noqa: B023
          for group in (mixture, state)
        ),
        decide,
        chosen,
      )
      state = _Search(
        *(
          tf.tensor_scatter_nd_update(whole, chosen[:, None], piece)
          for whole, piece in zip(state, part)
        )
      )
    for _ in range(_SMALLEST_WINDOW + 1):  # all of them
      handle, state = self._halve(handle, mixture, state, decide, None)
    return handle, state

  def _halve(self, handle, mixture, state, decide, chosen):
    middle = tf.bitwise.right_shift(state.low + state.high, 1)
    mass = tf.clip_by_value(self._mass(mixture, middle), state.mass_low, state.mass_high)
    left, whole = (tf.cast(x - state.mass_low, tf.float64) for x in (mass, state.mass_high))
    count = tf.round(tf.where(whole > 0, left / whole, 0.5) * 2**PRECISION)
    table = tf.cast(tf.clip_by_value(count, 1, 2**PRECISION - 1), tf.int32) - 1
    handle, right = decide(handle, table, middle, chosen)
    right = tf.cast(right, tf.bool)
    return handle, _Search(
      tf.where(right, middle, state.low),
      tf.where(right, state.high, middle),
      tf.where(right, mass, state.mass_low),
      tf.where(right, state.mass_high, mass),
    )


def centre(logits: tf.Tensor, means: tf.Tensor) -> tf.Tensor:
  """The weighted mean of each mixture as its code has it, a multiple of 2^-12, equal everywhere.

  Args:
    logits: `[..., components]`.
    means: Of the same shape.

  Returns:
    `[...]`, of their dtype, without a gradient.
  """
  _, weighted = _weights_and_centre(*_logits_and_means(logits, means))
  return tf.stop_gradient(tf.cast(weighted / _MEAN_UNIT, means.dtype))


def _logits_and_means(logits, means):
  """Returns how far below the greatest each logit is, and the means, as `int32` on their grids."""
  rarity = tf.round((tf.reduce_max(logits, -1, keepdims=True) - logits) * _WEIGHT_UNIT)
  rarity = tf.clip_by_value(rarity, 0, len(_WEIGHTS) - 1)
  means = tf.clip_by_value(tf.round(means * _MEAN_UNIT), -(2.0**29), 2.0**29)
  return tf.cast(rarity, tf.int32), tf.cast(means, tf.int32)


def _weights_and_centre(rarity, means):
  """Returns `float64` integers: weights of sum `_WEIGHT_SUM` or little less, and the centre."""
  # Floats of 53 bits hold sums and products of these integers exactly.
  weights = tf.gather(tf.constant(_WEIGHTS, tf.float64), rarity)
  weights = tf.floor(_WEIGHT_SUM * weights / tf.reduce_sum(weights, -1, keepdims=True))
  weighted = tf.reduce_sum(weights * tf.cast(means, tf.float64), -1)
  return weights, tf.round(weighted / tf.reduce_sum(weights, -1))


def _at_edge(symbols, half):
  return tf.equal(symbols, -half) | tf.equal(symbols, half - 1)


def _inside(half):
  """Returns the first integers of windows without their edges, and those after."""
  return 1 - half, half - 1
