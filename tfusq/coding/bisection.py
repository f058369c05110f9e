"""Range coding of Gaussian mixtures: a symbol as a few binary decisions with static tables.

A mixture has too many parameters for tables of its own. Its cumulative distribution is known,
however, and a symbol is found by halving a window around the mixture: is it below the middle, or
not? With the masses `A` below the window, `B` below the middle and `C` below the window's end, the
answer "below" has the probability `(B - A) / (C - A)`. It is rounded to 16 bits, and each of the
2^16 - 1 probabilities has a two-symbol table. A window of `2^s` integers takes `s` decisions. Its
two outermost integers are escapes, whose symbols follow as raw bits.

Both ends must compute equal probabilities. The mass of a mixture below a border is

    sum over components of weight * Phi((border - mean) / scale)

where all is integers: weights, means and scales are rounded to fixed grids, `Phi` is a stored table
of integers, and its argument is computed by single float32 operations, which IEEE 754 defines to
the last bit. So both ends agree, on any machine and in loops too, given equal integer parameters.

Measured on two cores (`tests/benchmarks/coding.py`): 0.002 % to 0.004 % above the ideal at 3 to 4
million symbols a second. A table for every symbol, the alternative, codes 0.1 to 0.7 million, and
0.03 % to 0.13 % above.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf
from scipy.special import ndtr

from tfusq.coding.range_coder import operations
from tfusq.coding.tables import PRECISION, Coder, bits_outside, entries, wrap

# Steps of a mean to 1: float32 holds means of up to 4,096 from the window's middle exactly.
_MEAN_STEPS = 2**12
_MEAN_LIMIT = 2.0**29  # in steps, so that integers of 32 bits hold sums with them

# Masses are integers of 30 bits, for sums in int32: 14 bits of weights, 16 of `Phi`.
_WEIGHT_SUM = 2**14
_CDF_BITS = 16
_CDF_STEPS = 2**12  # entries of `Phi` to a scale
_CDF_REACH = 8  # scales to either side; 16 bits of `Phi` are constant beyond 4.4

# Weights by their logarithms' distance from the greatest, in steps of 1 / 256. At a distance of 12
# they are less than half a unit.
_LOGIT_STEPS = 2**8
_WEIGHTS = np.round(2**16 * np.exp(-np.arange(12 * _LOGIT_STEPS) / _LOGIT_STEPS))

# Levels of the scale, 0.5 % apart, between the bounds of the entropy model's scales.
_LOG_MIN_SCALE = math.log(1e-6)
_LOG_MAX_SCALE = math.log(256.0)
_SCALE_LEVELS = 4096

# Half a window's width is a power of two between 4 and 2,048.
_MIN_LOG2_HALF = 2
_MAX_LOG2_HALF = 11
# Scales that a window holds to either side of every mean: what lies beyond has a probability of
# 2e-6, less than a count.
_WINDOW_REACH = 4.8

_Carry: TypeAlias = tf.Tensor  # handle of a range coder, or lengths in bits


class _Mixtures(NamedTuple):
  """Parameters of n symbols' mixtures, integers on fixed grids.

  Attributes:
    weights: `int32[n, components]`, of sum `_WEIGHT_SUM` or a little less.
    means: `float32[n, components]`, in steps of `1 / _MEAN_STEPS`, relative to the window's middle.
    steepness: `float32[n, components]`, steps of the argument of `Phi` to one step of a mean.
  """

  weights: tf.Tensor
  means: tf.Tensor
  steepness: tf.Tensor


class _Search(NamedTuple):
  """State of n bisections: each symbol is in [low, high).

  Attributes:
    low: `int32[n]`.
    high: `int32[n]`.
    mass_low: `int32[n]`, mass below `low - 1/2`, in units of 2^-30.
    mass_high: `int32[n]`, mass below `high - 1/2`.
  """

  low: tf.Tensor
  high: tf.Tensor
  mass_low: tf.Tensor
  mass_high: tf.Tensor


class _Decisions(NamedTuple):
  """Decisions of m symbols between the lower and the upper half of what is left of their windows.

  Attributes:
    table: `int32[m]`; table `t` gives the lower half a count of `t + 1`.
    upper: `bool[m]`, whether the symbol is in the upper half; None where it is to be decoded.
    rows: `int64[m]`, positions of these symbols among all n; None where they are all.
  """

  table: tf.Tensor
  upper: tf.Tensor | None
  rows: tf.Tensor | None


# Codes decisions: from the carry and the decisions, returns the carry and `upper`, `bool[m]`.
_Decide = Callable[[_Carry, _Decisions], tuple[_Carry, tf.Tensor]]


class Bisection(Coder):
  """Codes symbols that are distributed as Gaussian mixtures.

  The index of a symbol is `3 * components` integers: logits, means and logarithms of scales on
  their grids.

  Attributes:
    cdf: `int32`, the normal distribution function times 2^16, `_CDF_STEPS` entries to a scale.
    steepness: `float32`, steps of `cdf` to one step of a mean, for each level of the scale.
    reach: `float32`, what a window must hold beside a mean, for each level of the scale.
  """

  def __init__(self, zero_centre: bool):
    """Initializer.

    Args:
      zero_centre: Whether symbols are relative to the mixture's weighted mean, or to 0.
    """
    # One table for each count that the lower half can have, [16, 0, count, 2^16].
    counts = np.arange(1, 2**PRECISION)
    ones = np.ones_like(counts)
    tables = np.stack([PRECISION * ones, 0 * ones, counts, 2**PRECISION * ones], -1)
    super().__init__(tables.ravel(), len(counts))
    self._zero_centre = zero_centre

    limit = _CDF_REACH * _CDF_STEPS
    cdf = ndtr(np.arange(-limit, limit + 1) / _CDF_STEPS)
    scales = np.exp(np.linspace(_LOG_MIN_SCALE, _LOG_MAX_SCALE, _SCALE_LEVELS))
    steepness = _CDF_STEPS / _MEAN_STEPS / scales
    with tf.device('/cpu:0'):
      self.cdf = tf.Variable(np.round(2**_CDF_BITS * cdf).astype(np.int32), trainable=False)
      self.steepness = tf.Variable(steepness.astype(np.float32), trainable=False)
      self.reach = tf.Variable((_WINDOW_REACH * scales).astype(np.float32), trainable=False)

  def index(self, parameters):
    logits, means, log_scales = parameters
    rarity, means = _logits_and_means(logits, means)
    levels_per_unit = (_SCALE_LEVELS - 1) / (_LOG_MAX_SCALE - _LOG_MIN_SCALE)
    level = tf.round((log_scales - _LOG_MIN_SCALE) * levels_per_unit)
    level = tf.cast(tf.clip_by_value(level, 0, _SCALE_LEVELS - 1), tf.int32)
    return tf.concat([rarity, means, level], -1)

  def encode(self, handle, symbols, index):
    mixtures, shift, half = self._prepare(index)
    symbols = wrap(tf.reshape(symbols, [-1]) - shift)
    handle, coded = self._bisect(handle, mixtures, half, _encode_decisions, symbols)

    escaped = _is_escape(coded, half)
    low, high = _inside_of(tf.boolean_mask(half, escaped))
    return self.encode_outside(handle, tf.boolean_mask(symbols, escaped), low, high)

  def decode(self, handle, index):
    mixtures, shift, half = self._prepare(index)
    handle, symbols = self._bisect(handle, mixtures, half, _decode_decisions)

    escaped = tf.where(_is_escape(symbols, half))
    low, high = _inside_of(tf.gather_nd(half, escaped))
    handle, outside = self.decode_outside(handle, low, high)
    symbols = wrap(tf.tensor_scatter_nd_update(symbols, escaped, outside) + shift)
    return handle, tf.reshape(symbols, tf.shape(index)[:-1])

  def price(self, bits, symbols, index):
    mixtures, shift, half = self._prepare(index)
    symbols = wrap(tf.reshape(symbols, [-1]) - shift)
    no_length = tf.zeros(tf.shape(symbols))
    length, coded = self._bisect(no_length, mixtures, half, _add_lengths, symbols)

    escaped = _is_escape(coded, half)
    low, high = _inside_of(half)
    length += tf.where(escaped, bits_outside(symbols, low, high), 0.0)
    length = tf.reshape(length, tf.shape(bits))
    escaped = tf.reshape(escaped, tf.shape(bits))
    # Decisions follow the mixture's bits closely, but none is surer than 1 - 2^-16.
    return tf.where((bits > PRECISION) | escaped, tf.cast(length, bits.dtype), bits)

  def _prepare(self, index):
    """Returns the mixtures, what is subtracted from symbols, and half the windows' widths."""
    components = index.shape[-1] // 3
    rarity, means, level = tf.unstack(tf.reshape(index, [-1, 3, components]), axis=1)
    weights, centre = _weights_and_centre(rarity, means)

    # A window's middle is the centre or, where symbols are not relative to it, the nearest integer.
    nearest_integer = tf.round(centre / _MEAN_STEPS)
    middle = centre if self._zero_centre else nearest_integer * _MEAN_STEPS
    middle = tf.cast(middle, tf.int32)
    means = tf.cast(means - middle[:, None], tf.float32)
    shift = tf.zeros_like(middle) if self._zero_centre else tf.cast(nearest_integer, tf.int32)

    # The least window that holds `extent` to either side. The last symbol before an escape is
    # `half - 2`, whose bin ends at `half - 3/2`; one more is left for the rounding of the middle.
    extent = tf.reduce_max(tf.abs(means) / _MEAN_STEPS + entries(self.reach, level), -1)
    extents = 2.0 ** np.arange(_MIN_LOG2_HALF, _MAX_LOG2_HALF) - 2.5
    larger = tf.raw_ops.Bucketize(input=extent, boundaries=extents.tolist())
    half = tf.bitwise.left_shift(1, _MIN_LOG2_HALF + larger)

    mixtures = _Mixtures(tf.cast(weights, tf.int32), means, entries(self.steepness, level))
    return mixtures, shift, half

  def _bisect(
    self,
    carry: _Carry,
    mixtures: _Mixtures,
    half: tf.Tensor,
    decide: _Decide,
    symbols: tf.Tensor | None = None,
  ) -> tuple[_Carry, tf.Tensor]:
    """Halves every window until one integer is left.

    Args:
      carry: Handle of a range coder, or what else `decide` hands on.
      mixtures: The mixtures of n symbols.
      half: `int32[n]`, half the windows' widths: windows are [-half, half).
      decide: Codes the decisions of all symbols at one step.
      symbols: `int32[n]`, the symbols; None where they are to be decoded.

    Returns:
      The last carry, and the integers, `int32[n]`: the symbols, or the nearest in their windows.
    """
    if symbols is not None:
      symbols = tf.clip_by_value(symbols, -half, half - 1)
    total = tf.reduce_sum(mixtures.weights, -1) * 2**_CDF_BITS
    search = _Search(-half, half, tf.zeros_like(half), total)

    # Few windows are large. They are halved by themselves until all windows have one size.
    for log2_half in range(_MAX_LOG2_HALF, _MIN_LOG2_HALF, -1):
      rows = tf.where(half >= 2**log2_half)[:, 0]
      carry, part = self._halve(
        carry,
        _gather_rows(mixtures, rows),
        _gather_rows(search, rows),
        decide,
        None if symbols is None else tf.gather(symbols, rows),
        rows,
      )
      search = _scatter_rows(search, part, rows)

    for _ in range(_MIN_LOG2_HALF + 1):
      carry, search = self._halve(carry, mixtures, search, decide, symbols, None)
    return carry, search.low

  def _halve(self, carry, mixtures, search, decide, symbols, rows):
    """Takes one step of the bisections of m symbols, which are `rows` of all."""
    middle = tf.bitwise.right_shift(search.low + search.high, 1)
    # The table of `Phi` is monotone; rounding of its argument need not be.
    mass = tf.clip_by_value(self._mass_below(middle, mixtures), search.mass_low, search.mass_high)

    # float64 divides integers of 30 bits with one rounding. A window without mass is halved evenly.
    mass_left = tf.cast(mass - search.mass_low, tf.float64)
    mass_all = tf.cast(search.mass_high - search.mass_low, tf.float64)
    probability = tf.where(mass_all > 0, mass_left / mass_all, 0.5)
    count = tf.clip_by_value(tf.round(probability * 2**PRECISION), 1, 2**PRECISION - 1)

    upper = None if symbols is None else symbols >= middle
    decisions = _Decisions(tf.cast(count, tf.int32) - 1, upper, rows)
    carry, upper = decide(carry, decisions)
    return carry, _Search(
      tf.where(upper, middle, search.low),
      tf.where(upper, search.high, middle),
      tf.where(upper, mass, search.mass_low),
      tf.where(upper, search.mass_high, mass),
    )

  def _mass_below(self, border, mixtures):
    """Returns the mass below `border - 1/2` of each mixture, `int32[m]`, in units of 2^-30."""
    border = tf.cast(border, tf.float32) * _MEAN_STEPS - _MEAN_STEPS / 2
    argument = tf.round((border[:, None] - mixtures.means) * mixtures.steepness)
    limit = _CDF_REACH * _CDF_STEPS
    entry = tf.cast(tf.clip_by_value(argument, -limit, limit), tf.int32) + limit
    return tf.reduce_sum(mixtures.weights * entries(self.cdf, entry), -1)


def centre(logits: tf.Tensor, means: tf.Tensor) -> tf.Tensor:
  """Returns the weighted mean of each mixture as its code has it, equal on every machine.

  Args:
    logits: Unnormalized logarithms of the weights, `[..., components]`, float.
    means: Means, of the same shape and dtype.

  Returns:
    Multiples of 2^-12, `[...]`, of their dtype, without a gradient.
  """
  rarity, means_on_grid = _logits_and_means(logits, means)
  _, weighted_mean = _weights_and_centre(rarity, means_on_grid)
  return tf.stop_gradient(tf.cast(weighted_mean / _MEAN_STEPS, means.dtype))


def _encode_decisions(handle, decisions):
  upper = tf.cast(decisions.upper, tf.int32)
  return operations().entropy_encode_index(handle, decisions.table, upper), decisions.upper


def _decode_decisions(handle, decisions):
  shape = tf.shape(decisions.table)
  handle, upper = operations().entropy_decode_index(handle, decisions.table, shape, tf.int32)
  return handle, tf.cast(upper, tf.bool)


def _add_lengths(lengths, decisions):
  """Adds the decisions' lengths in bits to those of all symbols, `float32[n]`."""
  lower_count = decisions.table + 1
  count = tf.where(decisions.upper, 2**PRECISION - lower_count, lower_count)
  length = PRECISION - tf.math.log(tf.cast(count, tf.float32)) / math.log(2)
  if decisions.rows is None:
    return lengths + length, decisions.upper
  return tf.tensor_scatter_nd_add(lengths, decisions.rows[:, None], length), decisions.upper


def _gather_rows(group: Any, rows: tf.Tensor) -> Any:
  """Returns the rows of each tensor of a named tuple."""
  return type(group)(*[tf.gather(values, rows) for values in group])


def _scatter_rows(group: Any, part: Any, rows: tf.Tensor) -> Any:
  """Returns `group` with its `rows` replaced by `part`."""
  scattered = []
  for values, new_values in zip(group, part):
    scattered.append(tf.tensor_scatter_nd_update(values, rows[:, None], new_values))
  return type(group)(*scattered)


def _logits_and_means(logits, means):
  """Returns logits, as distances below the greatest, and means, `int32` on their grids."""
  rarity = tf.round((tf.reduce_max(logits, -1, keepdims=True) - logits) * _LOGIT_STEPS)
  rarity = tf.clip_by_value(rarity, 0, len(_WEIGHTS) - 1)
  means = tf.clip_by_value(tf.round(means * _MEAN_STEPS), -_MEAN_LIMIT, _MEAN_LIMIT)
  return tf.cast(rarity, tf.int32), tf.cast(means, tf.int32)


def _weights_and_centre(rarity, means):
  """Returns weights of sum `_WEIGHT_SUM` or a little less, and the centre, integers in float64."""
  # Floats of 53 bits hold sums and products of these integers exactly.
  weights = tf.gather(tf.constant(_WEIGHTS, tf.float64), rarity)
  weights = tf.floor(_WEIGHT_SUM * weights / tf.reduce_sum(weights, -1, keepdims=True))
  weighted_sum = tf.reduce_sum(weights * tf.cast(means, tf.float64), -1)
  return weights, tf.round(weighted_sum / tf.reduce_sum(weights, -1))


def _is_escape(integers, half):
  return tf.equal(integers, -half) | tf.equal(integers, half - 1)


def _inside_of(half):
  """Returns the first integers of windows without their escapes, and the first after them."""
  return 1 - half, half - 1
