"""Symbols <-> strings by TensorFlow Compression's range coder, over integer tables made once.

Every table has 16-bit precision, gives each of its symbols a count, and ends with an escape: an
integer outside the table's window is coded as the escape here and by 24 raw bits after the part.
The coder's own escape (an Elias gamma code) is not used, because it does not end on bad bits; this
one is bounded by the number of symbols. The tables are stored where both ends read them: another
machine's floats would make others.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_compression as tfc

from tfusq.quantizer import MAX_SYMBOL

PRECISION = 16
# Counts above this would leave the escape and the rarest symbols no room.
MAX_WINDOW = 2**14
# Probability that a table leaves to its escape; below a 16-bit count, so that widening the window
# further would change nothing.
TAIL_MASS = 2.**-18
_RAW_DIGITS = 3  # base 256; enough for a zigzag-coded symbol up to MAX_SYMBOL
assert 2 * MAX_SYMBOL + 1 < 256**_RAW_DIGITS
RAW_BITS = 8 * _RAW_DIGITS


class Coder(tf.Module):
  """Integer tables, and the coding of symbols by them.

  Attributes:
    lookup: `int32[n]`, the tables as the range coder reads them, a raw one for escapes last.
    minima: `int32[tables]`, the smallest integer in each table's window.
    sizes: `int32[tables]`, how many integers the window holds.
    escape_bits: `float32[tables]`, the length of an escaped symbol's code.
  """

  def __init__(self, pmfs: list[np.ndarray], minima: list[int],
               index: Callable[..., tf.Tensor]):
    """Makes the tables.

    Args:
      pmfs: For each table the probabilities of `minimum, minimum + 1, ...`, at most `MAX_WINDOW`
        of them; what is missing from 1 is the escape's.
      minima: The first integer of each.
      index: Maps an entropy model's parameters to the `int32` table index of each symbol.

    Raises:
      ValueError: if a table is empty, too wide, or holds what is no probability.
    """
    super().__init__()
    tables = [_quantized(pmf) for pmf in pmfs]
    raw = np.concatenate([[8], np.arange(257)])
    with tf.device('/cpu:0'):  # the coding operations have no other kernels
      self.lookup = tf.Variable(np.concatenate(tables + [raw]).astype(np.int32), trainable=False)
      self.minima = tf.Variable(np.asarray(minima, np.int32), trainable=False)
      self.sizes = tf.Variable([len(pmf) for pmf in pmfs], trainable=False, dtype=tf.int32)
      self.escape_bits = tf.Variable(
          [PRECISION - np.log2(table[-1] - table[-2]) + RAW_BITS for table in tables],
          trainable=False, dtype=tf.float32)
    self.index = index

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

  def encode(self, handle: tf.Tensor, symbols: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Codes one part.

    Args:
      handle: From `encoder`, or from the part before.
      symbols: `int32`, any shape, at most `MAX_SYMBOL` in magnitude.
      index: `int32` of that shape.

    Returns:
      The handle to go on with.
    """
    size = tf.gather(self.sizes, index)
    position = symbols - tf.gather(self.minima, index)
    escaped = (position < 0) | (position >= size)
    handle = tfc.entropy_encode_index(handle, index, tf.where(escaped, size, position))
    outside = tf.boolean_mask(symbols, escaped)
    zigzag = tf.where(outside >= 0, 2 * outside, -2 * outside - 1)
    digits = tf.bitwise.bitwise_and(
        tf.bitwise.right_shift(zigzag[:, None], 8 * tf.range(_RAW_DIGITS)), 255)
    return tfc.entropy_encode_index(handle, self._raw_index(digits), digits)

  def decode(self, handle: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes one part.

    Args:
      handle: From `decoder`, or from the part before.
      index: `int32`, what `encode` was given.

    Returns:
      The handle to go on with, and the `int32` symbols.
    """
    handle, position = tfc.entropy_decode_index(handle, index, tf.shape(index), tf.int32)
    symbols = position + tf.gather(self.minima, index)
    escaped = tf.where(position >= tf.gather(self.sizes, index))
    raw = self._raw_index(tf.zeros([tf.shape(escaped)[0], _RAW_DIGITS], tf.int32))
    handle, digits = tfc.entropy_decode_index(handle, raw, tf.shape(raw), tf.int32)
    zigzag = tf.reduce_sum(tf.bitwise.left_shift(digits, 8 * tf.range(_RAW_DIGITS)), -1)
    half = tf.bitwise.right_shift(zigzag, 1)
    outside = tf.where(tf.equal(tf.bitwise.bitwise_and(zigzag, 1), 0), half, -half - 1)
    return handle, tf.tensor_scatter_nd_update(symbols, escaped, outside)

  def price(self, bits: tf.Tensor, symbols: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """What the symbols cost in this code, given the entropy model's own estimate.

    Args:
      bits: `-log2 P` of each symbol.
      symbols: `int32` of the same shape.
      index: `int32` of the same shape.

    Returns:
      `bits`, but at most `PRECISION` inside the table's window, where every symbol has a count,
      and an escape's length outside of it.
    """
    position = symbols - tf.gather(self.minima, index)
    escaped = (position < 0) | (position >= tf.gather(self.sizes, index))
    return tf.where(escaped, tf.gather(self.escape_bits, index),
                    tf.minimum(bits, tf.constant(PRECISION, bits.dtype)))

  def _raw_index(self, digits):
    return tf.fill(tf.shape(digits), tf.size(self.sizes))


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
