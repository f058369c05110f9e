"""Convolutions with the same result on every machine: fixed point, carried by float64.

Encoder and decoder must compute equal entropy parameters, but the order in which a convolution adds
depends on processor, number of threads, version and shape. Here activations and weights are rounded
to grids on which every product and every partial sum is a multiple of 2^-28 below 2^25: float64
holds them exactly, so the order does not matter. The result is rounded to the activations' grid,
which float32 holds. What lies between (biases, leaky ReLU) are single operations, which IEEE 754
defines to the last bit.

Activations and results beyond +-4096 are clipped, at both ends alike. Layers use it while
`arithmetic()` is in force; an exported codec is traced in it wherever table indexes are decided.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

_ACTIVATION_BITS = 12
ACTIVATION_STEPS = 2**_ACTIVATION_BITS  # to 1
_ACTIVATION_LIMIT = 2.0**12
_WEIGHT_BITS = 16
_SYMBOL_LIMIT = 2.0**9 - 1
# Of the absolute weights that meet in one output: 53 bits less those of the grids and the limit.
MAX_WEIGHT_SUM = 2.0 ** (53 - 12 - _ACTIVATION_BITS - _WEIGHT_BITS - 1)

_state = threading.local()


@contextlib.contextmanager
def arithmetic() -> Iterator[None]:
  """Makes the layers that can compute exactly do so, in this thread, while they are called."""
  before = active()
  _state.active = True
  try:
    yield
  finally:
    _state.active = before


def active() -> bool:
  """Whether `arithmetic()` is in force."""
  return getattr(_state, 'active', False)


class Weights(NamedTuple):
  """Weights and bias of a layer on their grids, `float64`."""

  kernel: tf.Tensor
  bias: tf.Tensor


def weights(kernel: tf.Tensor, bias: tf.Tensor) -> Weights:
  """Rounds a float32 kernel to multiples of 2^-16, and a bias to those of 2^-28."""
  return Weights(_to_grid(kernel, _WEIGHT_BITS), _to_grid(bias, _ACTIVATION_BITS + _WEIGHT_BITS))


def convolve(
  convolution: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], x: tf.Tensor, weights: Weights
) -> tf.Tensor:
  """Returns `convolution(x, kernel) + bias` on the activations' grid.

  Args:
    convolution: Any linear map of activations and a kernel, such as `tf.nn.conv2d`.
    x: Activations, float32; clipped to +-4096 and rounded to multiples of 2^-12.
    weights: From `weights`; the bias is of the last axis, or of the result's shape.

  Returns:
    Float32, in the same range and on the same grid as the activations.
  """
  return _to_activations(accumulate(convolution, x, weights))


def accumulate(
  convolution: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], x: tf.Tensor, weights: Weights
) -> tf.Tensor:
  """Returns the exact sum that `convolve` rounds, `float64`; the arguments are as there."""
  return convolution(_to_grid(_clip(x), _ACTIVATION_BITS), weights.kernel) + weights.bias


class SymbolWeights(NamedTuple):
  """Weights of a context, on grids on which `float32` sums products with symbols exactly.

  Attributes:
    kernel: `float32[taps, inputs, outputs]`, integers.
    step: `float64[outputs]`, what they are multiples of: a power of two for each output.
    bias: `float64[outputs]`.
  """

  kernel: tf.Tensor
  step: tf.Tensor
  bias: tf.Tensor


def symbol_weights(kernel: tf.Tensor, bias: tf.Tensor) -> SymbolWeights:
  """Rounds a float32 kernel to the finest grids, none finer than 2^-16, that admit exact sums.

  Which grids these are is decided in integers, and so the same everywhere.

  Args:
    kernel: `[taps, inputs, outputs]`, finite.
    bias: `[outputs]`.
  """
  finest = tf.cast(_to_grid(kernel, _WEIGHT_BITS) * 2.0**_WEIGHT_BITS, tf.int64)
  sums = tf.reduce_max(tf.reduce_sum(tf.abs(finest), 1), 0)
  room = 2**24 // int(_SYMBOL_LIMIT) - kernel.shape[1] // 2 - 1  # rounding adds a half at most
  coarser = tf.range(40, dtype=tf.int64)
  count = tf.reduce_sum(
    tf.cast(tf.bitwise.right_shift(sums[:, None], coarser) >= room, tf.int32), 1
  )
  steps = tf.gather(tf.constant(2.0 ** (np.arange(41) - _WEIGHT_BITS)), count)
  return SymbolWeights(
    tf.round(kernel / tf.cast(steps, tf.float32)),
    steps,
    _to_grid(bias, _ACTIVATION_BITS + _WEIGHT_BITS),
  )


def weigh_symbols(symbols: tf.Tensor, weights: SymbolWeights) -> tf.Tensor:
  """Returns the sum over taps of symbols by weights, and the bias, on the activations' grid.

  As `convolve` of integers, five times as fast, because each tap is summed in `float32`: on the
  weights' coarser grids, and with symbols clipped to +-511.

  Args:
    symbols: `float32[taps, n, inputs]`, integers.
    weights: From `symbol_weights`.

  Returns:
    `float32[n, outputs]`.
  """
  with tf.device('/cpu:0'):  # others may multiply in less precision
    sums = tf.matmul(tf.clip_by_value(symbols, -_SYMBOL_LIMIT, _SYMBOL_LIMIT), weights.kernel)
  y = tf.reduce_sum(tf.cast(sums, tf.float64), 0) * weights.step + weights.bias
  return _to_activations(y)


def weight_sum(kernel: np.ndarray, output_axis: int) -> float:
  """Returns the greatest sum of absolute weights of one output, which `MAX_WEIGHT_SUM` limits."""
  others = tuple(axis for axis in range(kernel.ndim) if axis != output_axis % kernel.ndim)
  return float(np.abs(kernel.astype(np.float64)).sum(others).max())


def _to_activations(y):
  return tf.cast(_to_grid(_clip(y), _ACTIVATION_BITS), tf.float32)


def _clip(x):
  return tf.clip_by_value(x, -_ACTIVATION_LIMIT, _ACTIVATION_LIMIT)


def _to_grid(x, bits):
  return tf.round(tf.cast(x, tf.float64) * 2.0**bits) / 2.0**bits
