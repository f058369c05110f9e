"""Symbols <-> strings by TensorFlow Compression's range coder, over integer tables made once.

Every table has 16-bit precision, gives each of its symbols a count of at least 1, and ends with an
escape. An integer outside the table's window is coded as the escape here, and by raw bits after all
table symbols of its part: 8 bits for the distance from the window if it is small, else 32 bits. The
range coder's own escape (an Elias gamma code) is not used, because its decoder does not end on some
damaged strings; here the number of digits is bounded by the number of symbols.

The tables are stored in the codec that both ends read. They are not made anew at each end, because
another machine's floating-point functions would make others.
"""

import abc
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfusq.coding.range_coder import operations
from tfusq.quantization.rounding import MAX_SYMBOL

# Bits of a table's counts: the most that the range coder's operations take.
PRECISION = 16
# Counts above this would leave the escape and the rarest symbols no room.
MAX_WINDOW = 2**14
# Probability that a table leaves to its escape; below a 16-bit count, so that widening the window
# further would change nothing.
TAIL_MASS = 2.0**-18

# Escaped symbols are written in digits of 8 bits: one digit below 255 for a distance that is small,
# else 255 and three digits, which hold every symbol.
_DIGIT_BITS = 8
_LONG_MARK = 255
_LONG_DIGITS = 3
SHORT_BITS = _DIGIT_BITS
LONG_BITS = _DIGIT_BITS + _DIGIT_BITS * _LONG_DIGITS
assert 2 * MAX_SYMBOL + 1 < 256**_LONG_DIGITS

# Windows of at most this many symbols are never trimmed.
_UNTRIMMED_WINDOW = 256


class Coder(tf.Module, metaclass=abc.ABCMeta):
  """Codes symbols, given the entropy model's parameters of each: the base class.

  A latent is coded in parts, one after the other into one string. A subclass must define:

  * `index(parameters)`: everything about the parameters that coding depends on, in integers, so
    that both ends can compare it;
  * `encode(handle, symbols, index)` and `decode(handle, index)`, which depend on the parameters by
    the index alone, and of which the second inverts the first for all symbols;
  * `price(bits, symbols, index)`: an estimate of what `encode` writes.

  All of them also run in graphs and in loops within graphs. What they need is stored in variables,
  which an exported codec holds.

  Attributes:
    lookup: `int32[n]`, the tables as the range coder reads them, the table of raw digits last.
  """

  def __init__(self, lookup: np.ndarray, tables: int):
    """Initializer.

    Args:
      lookup: Integers `precision, 0, ..., 2^precision` of each table, one after the other, `[n]`.
      tables: Number of tables in `lookup`.
    """
    super().__init__()
    # All 256 digits with equal counts.
    raw_table = np.concatenate([[_DIGIT_BITS], np.arange(2**_DIGIT_BITS + 1)])
    self._raw_table = tables
    lookup = np.concatenate([lookup, raw_table]).astype(np.int32)
    with tf.device('/cpu:0'):  # the range coder's operations have no other kernels
      self.lookup = tf.Variable(lookup, trainable=False)

  @abc.abstractmethod
  def index(self, parameters: Any) -> tf.Tensor:
    """Returns the integers that decoding depends on.

    Args:
      parameters: The entropy model's parameters, for a latent of any shape.

    Returns:
      `int32`, of the latent's shape or with one axis more.
    """

  @abc.abstractmethod
  def encode(self, handle: tf.Tensor, symbols: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Codes one part.

    Args:
      handle: Range encoder, from `encoder` or from the part before; a scalar variant.
      symbols: `int32`, any shape, at most `MAX_SYMBOL` in magnitude.
      index: Result of `index` for the same components.

    Returns:
      The handle for the next part, or for `finalize`.
    """

  @abc.abstractmethod
  def decode(self, handle: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes one part.

    Args:
      handle: Range decoder, from `decoder` or from the part before; a scalar variant.
      index: The index that the part was encoded with.

    Returns:
      The handle for the next part, and the symbols, `int32`.
    """

  @abc.abstractmethod
  def price(self, bits: tf.Tensor, symbols: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Estimates the length of the symbols in this code from the entropy model's own estimate.

    Args:
      bits: `-log2 P` of each symbol by the entropy model, float.
      symbols: `int32`, of the same shape.
      index: Result of `index` for the same components.

    Returns:
      Bits of the dtype and shape of `bits`: equal to them except where the code cannot follow, such
      as at an escape.
    """

  def encoder(self) -> tf.Tensor:
    """Returns the handle of a new range encoder; end it with `finalize`."""
    return operations().create_range_encoder([], self.lookup)

  def decoder(self, string: tf.Tensor) -> tf.Tensor:
    """Returns the handle of a range decoder of the scalar `string`, which must be undamaged."""
    return operations().create_range_decoder(string, self.lookup)

  @staticmethod
  def finalize(handle: tf.Tensor) -> tf.Tensor:
    """Returns the scalar string of all parts that were coded into `handle`."""
    return operations().entropy_encode_finalize(handle)

  def encode_outside(
    self, handle: tf.Tensor, symbols: tf.Tensor, low: tf.Tensor, high: tf.Tensor
  ) -> tf.Tensor:
    """Codes symbols outside of windows by raw bits, few for those that are near.

    First the distances `d` of all symbols from their windows are written as one digit, with the
    sign in the last bit, or 255 where that is too large. Then those that are too large are written
    as symbols, in three digits, lowest digit first.

    Args:
      handle: Handle of a range encoder.
      symbols: `int32[n]`, outside of the windows.
      low: `int32[n]`, the first integer of each symbol's window.
      high: `int32[n]`, the first integer after it.

    Returns:
      The handle of the range encoder.
    """
    distance = _distance_outside(symbols, low, high)
    handle = self._encode_digits(handle, tf.minimum(distance, _LONG_MARK)[:, None])

    far = _to_unsigned(tf.boolean_mask(symbols, distance >= _LONG_MARK))
    shifted = tf.bitwise.right_shift(far[:, None], _DIGIT_BITS * tf.range(_LONG_DIGITS))
    return self._encode_digits(handle, tf.bitwise.bitwise_and(shifted, 2**_DIGIT_BITS - 1))

  def decode_outside(
    self, handle: tf.Tensor, low: tf.Tensor, high: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes the symbols that `encode_outside` coded.

    Args:
      handle: Handle of a range decoder.
      low: `int32[n]`, the first integer of each symbol's window.
      high: `int32[n]`, the first integer after it.

    Returns:
      The handle of the range decoder, and the symbols, `int32[n]`.
    """
    handle, distance = self._decode_digits(handle, tf.stack([tf.size(low), 1]))
    signed = _to_signed(distance[:, 0])
    symbols = signed + tf.where(signed < 0, low, high)

    far = tf.where(distance[:, 0] >= _LONG_MARK)
    handle, digits = self._decode_digits(handle, tf.stack([tf.shape(far)[0], _LONG_DIGITS]))
    shifted = tf.bitwise.left_shift(digits, _DIGIT_BITS * tf.range(_LONG_DIGITS))
    far_symbols = _to_signed(tf.reduce_sum(shifted, -1))
    return handle, tf.tensor_scatter_nd_update(symbols, far, far_symbols)

  def _encode_digits(self, handle, digits):
    return operations().entropy_encode_index(
      handle, tf.fill(tf.shape(digits), self._raw_table), digits
    )

  def _decode_digits(self, handle, shape):
    return operations().entropy_decode_index(
      handle, tf.fill(shape, self._raw_table), shape, tf.int32
    )


def entries(table: tf.Variable, index: tf.Tensor) -> tf.Tensor:
  """Returns `table[index]`, read from the variable's value.

  A gather from the variable itself, within a loop, fails where variables are turned into constants,
  as for TensorFlow Compression's own programs.

  Args:
    table: Vector of any dtype, `[n]`.
    index: Integers in [0, n), any shape.

  Returns:
    Entries of the table's dtype, of the shape of `index`.
  """
  return tf.gather(table.value(), index)


def bits_outside(symbols: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
  """Returns the number of raw bits that `Coder.encode_outside` writes for each symbol.

  Args:
    symbols: `int32`, any shape.
    low: First integers of the symbols' windows, of the same shape.
    high: First integers after the windows, of the same shape.

  Returns:
    `float32`, of the same shape; without meaning for symbols within their windows.
  """
  distance = _distance_outside(symbols, low, high)
  return tf.where(distance < _LONG_MARK, float(SHORT_BITS), float(LONG_BITS))


def wrap(symbols: tf.Tensor) -> tf.Tensor:
  """Takes `int32` symbols modulo 2^24 into [-2^23, 2^23), so that differences fit raw digits."""
  return tf.bitwise.bitwise_and(symbols + 2**23, 2**24 - 1) - 2**23


def trim(pmf: np.ndarray) -> tuple[np.ndarray, int]:
  """Drops integers from both ends of a window that cost less as escapes.

  In a table every symbol has a count, so that a symbol with less probability takes mass from the
  others; as an escape, it costs raw bits. Let `k` integers be dropped from each end, and

      waste(k)  = sum over the integers kept of max(2^-16 - p, 0)
      escape(k) = 1 - sum over the integers kept of p

  The others' probabilities are scaled by `1 - waste`, which costs `waste / ln 2` bits. An escape
  takes the bits of its probability, at least a count, and raw bits. So the expected length of a
  symbol in bits is, near enough,

      length(k) = waste(k) / ln 2
                + escape(k) (LONG_BITS - log2 max(escape(k), 2^-16))
                + sum over the integers kept of -p log2 p

  and `k` is where it is least. A window of at most 256 symbols stays as it is: real latents have
  more mass in their tails than the model says, and it costs less inside of the window.

  Args:
    pmf: Probabilities of consecutive integers, `[n]`, about symmetric around the middle.

  Returns:
    The probabilities that are kept, and the number of integers dropped at each end.
  """
  if len(pmf) <= _UNTRIMMED_WINDOW:
    return pmf, 0

  one_count = 2.0**-PRECISION
  half = len(pmf) // 2
  # Integers are dropped in pairs: sums over pairs, from the ends inwards, are those for each k.
  escape = _sum_of_outermost_pairs(pmf, half) + max(1 - pmf.sum(), 0)
  idle = np.maximum(one_count - pmf, 0)
  waste = idle.sum() - _sum_of_outermost_pairs(idle, half)
  # By symmetry, twice that of the left half; the sum over all integers is the same for all k.
  left = pmf[:half]
  entropy = -left * np.log2(np.maximum(left, 1e-30)) * 2
  dropped_entropy = np.append(0, np.cumsum(entropy))

  escape_bits = escape * (LONG_BITS - np.log2(np.maximum(escape, one_count)))
  length = waste / math.log(2) + escape_bits - dropped_entropy
  dropped = int(np.argmin(length))
  return pmf[dropped : len(pmf) - dropped], dropped


class Tables(Coder):
  """Codes each symbol by one table, chosen by the entropy model's parameters.

  Attributes:
    minima: `int32[tables]`, the smallest integer in each table's window.
    sizes: `int32[tables]`, the number of integers in it.
    escape_bits: `float32[tables]`, the length of each table's escape in bits.
  """

  def __init__(
    self,
    pmfs: list[np.ndarray],
    minima: list[int],
    table: Callable[[Any], tf.Tensor],
    shift: Callable[[Any], tf.Tensor] | None = None,
  ):
    """Makes the tables.

    Args:
      pmfs: For each table the probabilities of `minimum, minimum + 1, ...`, at most `MAX_WINDOW`
        of them; what is missing from 1 is the escape's.
      minima: The first integer of each table.
      table: Function from an entropy model's parameters to the table of each symbol, `int32`.
      shift: Function from the parameters to the integers that are subtracted from the symbols
        before the tables apply, `int32`, at most `MAX_SYMBOL` in magnitude; None subtracts nothing.

    Raises:
      ValueError: if a table is empty, too wide, or holds what is no probability.
    """
    tables = [_quantized(pmf) for pmf in pmfs]
    sizes = [len(pmf) for pmf in pmfs]
    escape_bits = [PRECISION - np.log2(counts[-1] - counts[-2]) for counts in tables]

    super().__init__(np.concatenate(tables), len(tables))
    with tf.device('/cpu:0'):
      self.minima = tf.Variable(np.asarray(minima, np.int32), trainable=False)
      self.sizes = tf.Variable(sizes, trainable=False, dtype=tf.int32)
      self.escape_bits = tf.Variable(escape_bits, trainable=False, dtype=tf.float32)
    self._table = table
    self._shift = shift

  def index(self, parameters):
    table = self._table(parameters)
    if self._shift is None:
      return table
    return tf.stack([table, self._shift(parameters)], -1)

  def encode(self, handle, symbols, index):
    table, shift = self._table_and_shift(index)
    low, high = self._window(table)
    symbols = wrap(symbols - shift)
    outside = (symbols < low) | (symbols >= high)

    # The escape follows the window's symbols.
    entry = tf.where(outside, high - low, symbols - low)
    handle = operations().entropy_encode_index(handle, table, entry)
    return self.encode_outside(
      handle,
      tf.boolean_mask(symbols, outside),
      tf.boolean_mask(low, outside),
      tf.boolean_mask(high, outside),
    )

  def decode(self, handle, index):
    table, shift = self._table_and_shift(index)
    low, high = self._window(table)
    handle, entry = operations().entropy_decode_index(handle, table, tf.shape(table), tf.int32)
    symbols = low + entry

    outside = tf.where(symbols >= high)
    handle, escaped = self.decode_outside(
      handle, tf.gather_nd(low, outside), tf.gather_nd(high, outside)
    )
    symbols = tf.tensor_scatter_nd_update(symbols, outside, escaped)
    return handle, wrap(symbols + shift)

  def price(self, bits, symbols, index):
    table, shift = self._table_and_shift(index)
    low, high = self._window(table)
    symbols = wrap(symbols - shift)
    outside = (symbols < low) | (symbols >= high)

    escape = entries(self.escape_bits, table) + bits_outside(symbols, low, high)
    # Every symbol of a window has a count, of at most `PRECISION` bits.
    inside = tf.minimum(bits, tf.constant(PRECISION, bits.dtype))
    return tf.where(outside, tf.cast(escape, bits.dtype), inside)

  def _table_and_shift(self, index):
    if self._shift is None:
      return index, 0
    return index[..., 0], index[..., 1]

  def _window(self, table):
    """Returns the first integers of tables' windows, and the first integers after them."""
    low = entries(self.minima, table)
    return low, low + entries(self.sizes, table)


def _quantized(pmf):
  """Returns `[precision, 0, ..., 2^precision]`, the escape's count last."""
  pmf = np.asarray(pmf, np.float64)
  if not 0 < len(pmf) <= MAX_WINDOW:
    raise ValueError(f'a table holds 1 to {MAX_WINDOW} symbols, not {len(pmf)}')
  if not (np.isfinite(pmf).all() and (pmf >= 0).all() and pmf.sum() < 1 + 1e-4):
    raise ValueError(f'a table needs probabilities; their sum is {pmf.sum()}')

  escape = max(1 - pmf.sum(), 0)
  probabilities = np.append(pmf, escape).astype(np.float32)
  counts = operations().pmf_to_quantized_cdf(probabilities, precision=PRECISION)
  return np.append(PRECISION, counts.numpy())


def _sum_of_outermost_pairs(values, pairs):
  """Returns the sums of the `k` first and `k` last values, `[pairs + 1]`, for k = 0 to `pairs`."""
  return np.append(0, np.cumsum(values[:pairs] + values[::-1][:pairs]))


def _distance_outside(symbols, low, high):
  """Returns how far symbols are outside of [low, high), unsigned; from below they are odd."""
  return _to_unsigned(symbols - tf.where(symbols < low, low, high))


def _to_unsigned(x):
  """Maps 0, -1, 1, -2, 2, ... to 0, 1, 2, 3, 4, ..."""
  return tf.where(x >= 0, 2 * x, -2 * x - 1)


def _to_signed(x):
  """Inverts `_to_unsigned`."""
  half = tf.bitwise.right_shift(x, 1)
  even = tf.equal(tf.bitwise.bitwise_and(x, 1), 0)
  return tf.where(even, half, -half - 1)
