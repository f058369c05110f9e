"""Convolutions with the same result on every machine: fixed point, carried by float64.

Encoder and decoder must compute equal entropy parameters, but the order in which a convolution adds
depends on processor, number of threads, version and shape. Here activations and weights are rounded
to grids on which every product and every partial sum is a multiple of 2^-28 below 2^25: float64
holds them exactly, so the order does not matter. The result is rounded to the activations' grid,
which float32 holds. What lies between (biases, leaky ReLU) are single operations, which IEEE 754
defines to the last bit.

    activations     multiples of 2^-12, clipped to +-2^12
    weights         multiples of 2^-16; absolute values that meet in one output sum to 2^12 at most
    biases, sums    multiples of 2^-28

Activations and results beyond +-4096 are clipped, at both ends alike. Layers use it while
`arithmetic()` is in force; an exported codec is traced in it wherever table indexes are decided.

It runs on the processor, also where there is a GPU, whose products of float32 may be rounded to 10
bits. A processor can be told to do the same (oneDNN to bfloat16, or TensorFlow to 16 bits):
`holds` computes products that would then be wrong.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

# Version of the arithmetic, which files name: another one computes other table indexes.
VERSION = 2

_ACTIVATION_BITS = 12
_WEIGHT_BITS = 16
_SUM_BITS = _ACTIVATION_BITS + _WEIGHT_BITS
ACTIVATION_STEPS = 2**_ACTIVATION_BITS  # to 1
_LOG2_ACTIVATION_LIMIT = 12
_ACTIVATION_LIMIT = 2.0**_LOG2_ACTIVATION_LIMIT

# Greatest sum of the absolute weights that meet in one output: of the 53 bits of a float64, 28 are
# the grid's, 12 the greatest activation's, and one is left for the bias.
MAX_WEIGHT_SUM = 2.0 ** (53 - _SUM_BITS - _LOG2_ACTIVATION_LIMIT - 1)

# Symbols that a context weighs are clipped to this. It leaves 15 bits of float32 to the weights.
_SYMBOL_LIMIT = 2**9 - 1
_MAX_COARSER_BITS = 40  # a weight of 2^24 is 2^40 steps of the finest grid

_state = threading.local()


@contextlib.contextmanager
def arithmetic() -> Iterator[None]:
  """Makes the layers that can compute exactly do so, in this thread, while they are called.

  What is traced meanwhile runs on the processor.
  """
  before = active()
  _state.active = True
  try:
    with tf.device('/cpu:0'):
      yield
  finally:
    _state.active = before


def active() -> bool:
  """Returns whether `arithmetic()` is in force in this thread."""
  return getattr(_state, 'active', False)


def holds(size: tf.Tensor) -> tf.Tensor:
  """Returns whether products are exact where this runs, as the arithmetic takes them to be.

  Args:
    size: Positive integer, a scalar, that is known when the graph runs. TensorFlow would compute
      products of constants when it prepares the graph, in another way than those that count.

  Returns:
    A boolean scalar.
  """
  with tf.device('/cpu:0'):
    one = tf.sign(size)
    # 6 times 13 bits, of which 64 fill the 24 of a float32: any rounding of a factor shows.
    symbols = tf.fill([12, 16, 64], 63 * tf.cast(one, tf.float32))
    sums = tf.matmul(symbols, tf.fill([12, 64, 32], 4099 * tf.cast(one, tf.float32)))
    are_exact = tf.reduce_all(sums == 63 * 4099 * 64)

    # 24 times 25 bits, of which 9 fill the 53 of a float64.
    activation, weight = 2**24 - 1, 2**25 - 1
    one = tf.cast(one, tf.float64)
    kernel = tf.fill([3, 3, 1, 1], weight * one)
    sums = tf.nn.conv2d(tf.fill([1, 4, 4, 1], activation * one), kernel, 1, 'VALID')
    return are_exact & tf.reduce_all(sums == 9 * activation * weight)


class Weights(NamedTuple):
  """A layer's kernel and bias on their grids.

  Attributes:
    kernel: `float64`, the kernel's shape, multiples of 2^-16.
    bias: `float64[outputs]` or of the result's shape, multiples of 2^-28.
  """

  kernel: tf.Tensor
  bias: tf.Tensor


def round_weights(kernel: tf.Tensor, bias: tf.Tensor) -> Weights:
  """Rounds a layer's kernel and bias to their grids.

  Args:
    kernel: `float32`, any shape; see `MAX_WEIGHT_SUM`.
    bias: `float32[outputs]`.

  Returns:
    The kernel and the bias in float64.
  """
  return Weights(_to_grid(kernel, _WEIGHT_BITS), _to_grid(bias, _SUM_BITS))


def convolve(
  convolution: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], x: tf.Tensor, weights: Weights
) -> tf.Tensor:
  """Returns `convolution(x, kernel) + bias` on the activations' grid.

  Args:
    convolution: Linear map of activations and a kernel, both float64, such as `tf.nn.conv2d`.
    x: Activations, float32; clipped to +-4096 and rounded to multiples of 2^-12.
    weights: Kernel and bias on their grids. The bias is broadcast to the result.

  Returns:
    Float32, in the same range and on the same grid as the activations.
  """
  return _to_activations(accumulate(convolution, x, weights))


def accumulate(
  convolution: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], x: tf.Tensor, weights: Weights
) -> tf.Tensor:
  """Returns the exact sum that `convolve` rounds.

  Args:
    convolution: Linear map of activations and a kernel, both float64, such as `tf.nn.conv2d`.
    x: Activations, float32; clipped to +-4096 and rounded to multiples of 2^-12.
    weights: Kernel and bias on their grids. The bias is broadcast to the result.

  Returns:
    Float64, multiples of 2^-28.
  """
  activations = _to_grid(_clip(x), _ACTIVATION_BITS)
  return convolution(activations, weights.kernel) + weights.bias


class SymbolWeights(NamedTuple):
  """A context's kernel and bias, on grids on which float32 sums products with symbols exactly.

  Attributes:
    kernel: `float32[taps, inputs, outputs]`, integers: the weights are `step * kernel`.
    step: `float64[outputs]`, the grid of each output, a power of two.
    bias: `float64[outputs]`, multiples of 2^-28.
  """

  kernel: tf.Tensor
  step: tf.Tensor
  bias: tf.Tensor


def round_symbol_weights(kernel: tf.Tensor, bias: tf.Tensor) -> SymbolWeights:
  """Rounds a context's kernel to the finest grids, none finer than 2^-16, that admit exact sums.

  A float32 holds integers of up to 2^24. With symbols of at most 511, the weights of one tap and
  one output may sum to 2^24 / 511 steps in absolute value. The grid is chosen by comparing
  integers, and is therefore the same everywhere.

  Args:
    kernel: `float32[taps, inputs, outputs]`, finite.
    bias: `float32[outputs]`.

  Returns:
    The kernel in steps, the steps, and the bias.
  """
  finest = tf.cast(_to_grid(kernel, _WEIGHT_BITS) * 2.0**_WEIGHT_BITS, tf.int64)
  sums = tf.reduce_max(tf.reduce_sum(tf.abs(finest), 1), 0)

  # Rounding to a coarser grid adds a half at most to each of the inputs' weights.
  inputs = kernel.shape[1]
  max_sum = 2**24 // _SYMBOL_LIMIT - inputs // 2 - 1
  # The number of shifts by which an output's sum remains too large is the shift that it needs.
  coarser_sums = tf.bitwise.right_shift(sums[:, None], tf.range(_MAX_COARSER_BITS, dtype=tf.int64))
  coarser_bits = tf.reduce_sum(tf.cast(coarser_sums >= max_sum, tf.int32), 1)
  grids = 2.0 ** (np.arange(_MAX_COARSER_BITS + 1) - _WEIGHT_BITS)
  step = tf.gather(tf.constant(grids), coarser_bits)

  kernel_in_steps = tf.round(kernel / tf.cast(step, tf.float32))
  return SymbolWeights(kernel_in_steps, step, _to_grid(bias, _SUM_BITS))


def weigh_symbols(symbols: tf.Tensor, weights: SymbolWeights) -> tf.Tensor:
  """Returns the sum over taps of symbols times weights, plus the bias, on the activations' grid.

  Does what `convolve` does, for integers and five times as fast, because each tap is summed in
  float32: with weights on coarser grids, and with symbols clipped to +-511.

  Args:
    symbols: `float32[taps, n, inputs]`, integers.
    weights: Result of `round_symbol_weights`.

  Returns:
    `float32[n, outputs]`.
  """
  symbols = tf.clip_by_value(symbols, -float(_SYMBOL_LIMIT), float(_SYMBOL_LIMIT))
  sums = tf.matmul(symbols, weights.kernel)
  total = tf.reduce_sum(tf.cast(sums, tf.float64), 0)
  return _to_activations(total * weights.step + weights.bias)


def weight_sum(kernel: np.ndarray, output_axis: int) -> float:
  """Returns the greatest sum of absolute weights of one output, which `MAX_WEIGHT_SUM` limits.

  Args:
    kernel: A layer's kernel, any shape, float.
    output_axis: Axis of the kernel that runs over outputs.

  Returns:
    The sum of the output for which it is greatest.
  """
  output_axis %= kernel.ndim
  summed_axes = tuple(axis for axis in range(kernel.ndim) if axis != output_axis)
  magnitudes = np.abs(kernel.astype(np.float64))
  return float(magnitudes.sum(summed_axes).max())


def _to_activations(x):
  return tf.cast(_to_grid(_clip(x), _ACTIVATION_BITS), tf.float32)


def _clip(x):
  return tf.clip_by_value(x, -_ACTIVATION_LIMIT, _ACTIVATION_LIMIT)


def _to_grid(x, bits):
  """Rounds to multiples of `2^-bits`, in float64."""
  return tf.round(tf.cast(x, tf.float64) * 2.0**bits) / 2.0**bits
