"""Symbols <-> strings by TensorFlow Compression's range coder, over integer tables made once.

Every table has 16-bit precision, gives each of its symbols a count, and ends with an escape: an
integer outside the table's window is coded as the escape here and by raw bits after the part: 8 for
how far outside, or 32 where that is too far. The coder's own escape (an Elias gamma code) is not
used, because it does not end on bad bits; this one is bounded by the number of symbols. The tables
are stored where both ends read them: another machine's floats would make others.
"""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_compression as tfc

from tfusq.quantization.rounding import MAX_SYMBOL

PRECISION = 16
# Counts above this would leave the escape and the rarest symbols no room.
MAX_WINDOW = 2**14
# Probability that a table leaves to its escape; below a 16-bit count, so that widening the window
# further would change nothing.
TAIL_MASS = 2.0**-18
_LONG_DIGITS = 3  # base 256
_LONG = 255  # the digit before them
SHORT_BITS, LONG_BITS = 8, 8 + 8 * _LONG_DIGITS
assert 2 * MAX_SYMBOL + 1 < 256**_LONG_DIGITS


class Coder(tf.Module):
  """Codes symbols given what an entropy model says of each: the base class.

  Attributes:
    lookup: `int32[n]`, the tables as the range coder reads them, a raw one for escapes last.
  """

  def __init__(self, lookup: np.ndarray, tables: int):
    """Initializer.

    Args:
      lookup: `[precision, 0, ..., 2^precision]` of each table, one after the other.
      tables: How many they are.
    """
    super().__init__()
    raw = np.concatenate([[8], np.arange(257)])
    self._raw = tables
    with tf.device('/cpu:0'):  # the coding operations have no other kernels
      self.lookup = tf.Variable(np.concatenate([lookup, raw]).astype(np.int32), trainable=False)

  def index(self, parameters) -> tf.Tensor:
    """Returns what decoding depends on, `int32` of the latent's shape or with one axis more.

    Args:
      parameters: The entropy model's.
    """
    raise NotImplementedError

  def encode(self, handle: tf.Tensor, symbols: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Codes one part.

    Args:
      handle: From `encoder`, or from the part before.
      symbols: `int32`, any shape, at most `MAX_SYMBOL` in magnitude.
      index: From `index`.

    Returns:
      The handle to go on with.
    """
    raise NotImplementedError

  def decode(self, handle: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes one part.

    Args:
      handle: From `decoder`, or from the part before.
      index: What `encode` was given.

    Returns:
      The handle to go on with, and the `int32` symbols.
    """
    raise NotImplementedError

  def price(self, bits: tf.Tensor, symbols: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """What the symbols cost in this code, given the entropy model's own estimate.

    Args:
      bits: `-log2 P` of each symbol.
      symbols: `int32` of the same shape.
      index: From `index`.

    Returns:
      `bits`, but an escape's length where the symbol is coded by one.
    """
    raise NotImplementedError

  def encoder(self) -> tf.Tensor:
    """Returns a handle to code into; end it with `finalize`."""
    return tfc.create_range_encoder([], self.lookup)

  def decoder(self, string: tf.Tensor) -> tf.Tensor:
    """Returns a handle to decode the scalar `string` from, which must be known to be whole."""
    return tfc.create_range_decoder(string, self.lookup)

  @staticmethod
  def finalize(handle: tf.Tensor) -> tf.Tensor:
    """Returns the scalar string of what was coded into `handle`."""
    return tfc.entropy_encode_finalize(handle)

  def encode_outside(
    self, handle: tf.Tensor, symbols: tf.Tensor, low: tf.Tensor, high: tf.Tensor
  ) -> tf.Tensor:
    """Codes symbols by raw bits, few for those that are near their windows.

    Args:
      handle: Of the range coder.
      symbols: `int32[n]`, outside of the windows.
      low: `int32[n]`, the first integer of each window.
      high: `int32[n]`, the first integer after it.

    Returns:
      The handle to go on with.
    """
    short = _zigzag(symbols - tf.where(symbols < low, low, high))
    handle = self._encode_digits(handle, tf.minimum(short, _LONG)[:, None])
    long = _zigzag(tf.boolean_mask(symbols, short >= _LONG))
    return self._encode_digits(
      handle,
      tf.bitwise.bitwise_and(
        tf.bitwise.right_shift(long[:, None], 8 * tf.range(_LONG_DIGITS)), 255
      ),
    )

  def decode_outside(
    self, handle: tf.Tensor, low: tf.Tensor, high: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes what `encode_outside` coded, `int32[n]`; the windows are those of its arguments."""
    handle, short = self._decode_digits(handle, tf.stack([tf.size(low), 1]))
    beyond = _unzigzag(short[:, 0])
    near = beyond + tf.where(beyond < 0, low, high)
    far = tf.where(short[:, 0] >= _LONG)
    handle, digits = self._decode_digits(handle, tf.stack([tf.shape(far)[0], _LONG_DIGITS]))
    long = tf.reduce_sum(tf.bitwise.left_shift(digits, 8 * tf.range(_LONG_DIGITS)), -1)
    return handle, tf.tensor_scatter_nd_update(near, far, _unzigzag(long))

  def _encode_digits(self, handle, digits):
    return tfc.entropy_encode_index(handle, tf.fill(tf.shape(digits), self._raw), digits)

  def _decode_digits(self, handle, shape):
    return tfc.entropy_decode_index(handle, tf.fill(shape, self._raw), shape, tf.int32)


def entries(table: tf.Variable, index: tf.Tensor) -> tf.Tensor:
  """Returns `table[index]`, by way of the table's value.

  A gather from the variable itself does not survive, in a loop, that variables become constants.
  """
  return tf.gather(table.value(), index)


def bits_outside(symbols: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
  """Returns how many raw bits each symbol takes, `float32`; see `Coder.encode_outside`."""
  short = _zigzag(symbols - tf.where(symbols < low, low, high))
  return tf.where(short < _LONG, float(SHORT_BITS), float(LONG_BITS))


def _zigzag(x):
  return tf.where(x >= 0, 2 * x, -2 * x - 1)


def _unzigzag(x):
  half = tf.bitwise.right_shift(x, 1)
  return tf.where(tf.equal(tf.bitwise.bitwise_and(x, 1), 0), half, -half - 1)


def trim(pmf: np.ndarray) -> tuple[np.ndarray, int]:
  """Drops from both ends of a window what costs less as an escape.

  Every symbol of a table has a count, which takes mass from the others where it is worth less; an
  escape costs raw bits. A window of at most 256 symbols stays whole: real latents have more in
  their tails than the model says, which costs less inside the window.

  Args:
    pmf: Probabilities over a window around their centre.

  Returns:
    The probabilities that stay, and how many were dropped at each end.
  """
  if len(pmf) <= 256:
    return pmf, 0
  half = len(pmf) // 2
  ends = pmf[:half] + pmf[::-1][:half]  # dropped in pairs
  bits = -pmf[:half] * np.log2(np.maximum(pmf[:half], 1e-30)) * 2
  idle = np.maximum(2.0**-PRECISION - pmf, 0)
  dropped = np.append(0, np.cumsum(ends)) + max(1 - pmf.sum(), 0)
  waste = idle.sum() - np.append(0, np.cumsum(idle[:half] + idle[::-1][:half]))
  escapes = dropped * (LONG_BITS - np.log2(np.maximum(dropped, 2.0**-PRECISION)))
  cost = waste / math.log(2) + escapes - np.append(0, np.cumsum(bits))
  count = int(np.argmin(cost))
  return pmf[count : len(pmf) - count], count


def wrap(symbols: tf.Tensor) -> tf.Tensor:
  """Takes `int32` symbols modulo 2^24 into [-2^23, 2^23), so that differences fit raw bits."""
  return tf.bitwise.bitwise_and(symbols + 2**23, 2**24 - 1) - 2**23


class Tables(Coder):
  """One table for each symbol.

  Attributes:
    minima: `int32[tables]`, the smallest integer in each table's window.
    sizes: `int32[tables]`, how many integers the window holds.
    escape_bits: `float32[tables]`, the length of each table's escape.
  """

  def __init__(
    self,
    pmfs: list[np.ndarray],
    minima: list[int],
    table: Callable[..., tf.Tensor],
    shift: Callable[..., tf.Tensor] | None = None,
  ):
    """Makes the tables.

    Args:
      pmfs: For each table the probabilities of `minimum, minimum + 1, ...`, at most `MAX_WINDOW`
        of them; what is missing from 1 is the escape's.
      minima: The first integer of each.
      table: Maps an entropy model's parameters to the `int32` table of each symbol.
      shift: Maps them to an `int32` that is subtracted from each symbol first, at most
        `MAX_SYMBOL` in magnitude; None subtracts nothing.

    Raises:
      ValueError: if a table is empty, too wide, or holds what is no probability.
    """
    tables = [_quantized(pmf) for pmf in pmfs]
    super().__init__(np.concatenate(tables), len(tables))
    with tf.device('/cpu:0'):
      self.minima = tf.Variable(np.asarray(minima, np.int32), trainable=False)
      self.sizes = tf.Variable([len(pmf) for pmf in pmfs], trainable=False, dtype=tf.int32)
      self.escape_bits = tf.Variable(
        [PRECISION - np.log2(table[-1] - table[-2]) for table in tables],
        trainable=False,
        dtype=tf.float32,
      )
    self._table = table
    self._shift = shift

  def index(self, parameters):
    table = self._table(parameters)
    return table if self._shift is None else tf.stack([table, self._shift(parameters)], -1)

  def encode(self, handle, symbols, index):
    table, _ = self._parts(index)
    symbols, position, escaped = self._place(symbols, index)
    handle = tfc.entropy_encode_index(
      handle, table, tf.where(escaped, entries(self.sizes, table), position)
    )
    return self.encode_outside(
      handle, tf.boolean_mask(symbols, escaped), *self._window(tf.boolean_mask(table, escaped))
    )

  def decode(self, handle, index):
    table, shift = self._parts(index)
    handle, position = tfc.entropy_decode_index(handle, table, tf.shape(table), tf.int32)
    symbols = position + entries(self.minima, table)
    escaped = tf.where(position >= entries(self.sizes, table))
    handle, outside = self.decode_outside(handle, *self._window(tf.gather_nd(table, escaped)))
    return handle, wrap(tf.tensor_scatter_nd_update(symbols, escaped, outside) + shift)

  def price(self, bits, symbols, index):
    """As of `Coder`; inside a table's window at most `PRECISION`, as every symbol has a count."""
    table, _ = self._parts(index)
    symbols, _, escaped = self._place(symbols, index)
    escape = entries(self.escape_bits, table) + bits_outside(symbols, *self._window(table))
    return tf.where(
      escaped, tf.cast(escape, bits.dtype), tf.minimum(bits, tf.constant(PRECISION, bits.dtype))
    )

  def _window(self, table):
    """Returns the first integers of tables' windows, and those after."""
    low = entries(self.minima, table)
    return low, low + entries(self.sizes, table)

  def _parts(self, index):
    return (index, 0) if self._shift is None else (index[..., 0], index[..., 1])

  def _place(self, symbols, index):
    """Returns shifted symbols, their positions in the window, and which are outside of it."""
    table, shift = self._parts(index)
    symbols = wrap(symbols - shift)
    position = symbols - entries(self.minima, table)
    return symbols, position, (position < 0) | (position >= entries(self.sizes, table))


def _quantized(pmf: np.ndarray) -> np.ndarray:
  """Returns `[precision, 0, ..., 2^precision]`, the escape's count last."""
  pmf = np.asarray(pmf, np.float64)
  if not 0 < len(pmf) <= MAX_WINDOW:
    raise ValueError(f'a table holds 1 to {MAX_WINDOW} symbols, not {len(pmf)}')
  if not (np.isfinite(pmf).all() and (pmf >= 0).all() and pmf.sum() < 1 + 1e-4):
    raise ValueError(f'a table needs probabilities; their sum is {pmf.sum()}')
  escape = max(1 - pmf.sum(), 0)
  cdf = tfc.pmf_to_quantized_cdf(np.append(pmf, escape).astype(np.float32), precision=PRECISION)
  return np.append(PRECISION, cdf.numpy())
