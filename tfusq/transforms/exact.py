"""Convolutions with the same result on every machine: sums of integers, carried by float32.

Encoder and decoder must compute equal entropy parameters, but the order in which a convolution adds
depends on processor, number of threads, version and shape. Here activations and weights are rounded
to integers so small that every product and every partial sum is an integer of at most 2^24. Float32
holds these exactly, so that the order does not matter.

    weights         integers times a power of two, the step of each output: it leaves them a mean
                    magnitude of 32 to 64
    blocks          a sum over many inputs is cut into several, which float64 adds exactly
    activations     integers times a power of two, the step of each block in an image, or in a
                    position where kernels have one tap: so fine that just no sum can exceed 2^24

So few bits suffice: a relative error of half a percent in what a network says of a density costs
some 0.001 % of the bits. The sums are scaled and the biases added in float32; these, and what else
lies between (leaky ReLU), are single operations, which IEEE 754 defines to the last bit.

Layers use it while `arithmetic()` is in force; an exported codec is traced in it wherever table
indexes are decided. It runs on the processor, also where there is a GPU, whose products of float32
may be rounded to 10 bits. A processor can be told to do the same (oneDNN to bfloat16, or TensorFlow
to 16 bits): `holds` computes products that would then be wrong.
"""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
import tensorflow as tf
from scipy import signal
from tensorflow.python.ops.resource_variable_ops import ResourceVariable

# Version of what is computed here, which files name: another one computes other table indexes.
# Version 1 summed integers of 52 bits in float64.
VERSION = 2

# Scope of the operations whose sums are exact, in graphs.
SCOPE = 'exact_arithmetic'

# Greatest sum of absolute weights that may meet in one output: with it, a dozen layers in a row
# stay far from float32's greatest number.
MAX_WEIGHT_SUM = 2.0**12
# Results are clipped to this, and activations are not scaled by more, for the same reason.
_LIMIT = 2.0**20
_LEAST_POWER = 2.0**-60

# Integers up to this one are exact in float32.
_EXACT = 2.0**24

# The mean magnitude of an output's weights, in steps, is at least 2 to this power and less than
# twice that, or more where the inputs are so few that their sum is still less than 2 to the other.
_LOG2_MEAN_WEIGHT = 5
_LOG2_SMALL_SUM = 13
_FINEST_LOG2_STEP = -40
# Activations are so many steps of the power of two below the greatest, or bounded by as many parts.
_PARTS = 2.0**9
# Greatest sum of the absolute weights of a block that meet in one output, in steps. If all channels
# had their greatest activation at once, 9 bits would still be left to activations.
_MAX_BLOCK_SUM = 2**14 - 32
# Bits that float64 has more than the sum of a block: for steps that differ, and for adding blocks.
_SPARE_BITS = 53 - 24

# Symbols that a context weighs are clipped to this. It leaves 15 bits of float32 to the weights.
_SYMBOL_LIMIT = 2**9 - 1
_FINEST_LOG2_SYMBOL_STEP = -16

# Bits of a float32 that are the exponent's.
_EXPONENT = 0x7F800000

_state = threading.local()

T = TypeVar('T')


class Weights(NamedTuple):
  """A layer's kernel and bias for exact sums; arrays, or tensors of them.

  Attributes:
    blocks: Number of inputs of each block.
    kernels: Kernel of each block of inputs, `float32`, integers: the weights are `step * kernel`.
    sums: Weights in steps, summed over the taps that meet in one output,
      `float32[2, inputs, outputs x phases]`: of the positive ones, and of the magnitudes of the
      negative ones.
    step: Step of each output, a power of two, `float32[outputs]`.
    bias: `float32[outputs]`, or of the result's shape.
  """

  blocks: list[int]
  kernels: list[Any]
  sums: Any
  step: Any
  bias: Any


class Store:
  """Weights that were rounded once, as variables that a SavedModel can hold.

  An exported codec has them beside its graph, so that they are not rounded in every call.

  Attributes:
    variables: Variables of all of them.
  """

  def __init__(self) -> None:
    self.variables: list[tf.Variable] = []
    self._by_key: dict[tuple, Any] = {}

  def weights(self, key: tuple, make: Callable[[], T]) -> T:
    """Returns the weights that are known by a key, and makes them the first time.

    Args:
      key: Hashable name of the weights.
      make: Function that makes them, a nested structure of arrays.
    """
    if key not in self._by_key:
      self._by_key[key] = _with_arrays(self._variable, make())
    return self._by_key[key]

  def _variable(self, value: np.ndarray) -> tf.Variable:
    # A function that notices a variable being made, as it does of `tf.Variable`, is traced again.
    variable = ResourceVariable(value, trainable=False, name='exact')
    self.variables.append(variable)
    return variable


@contextlib.contextmanager
def storing(store: Store) -> Iterator[None]:
  """Keeps the weights that are rounded in this thread meanwhile, and uses those that were."""
  before = getattr(_state, 'store', None)
  _state.store = store
  try:
    yield
  finally:
    _state.store = before


@contextlib.contextmanager
def arithmetic() -> Iterator[None]:
  """Makes the layers that can compute exactly do so, in this thread, while they are called.

  What is traced meanwhile runs on the processor, and with the weights that the layers then have.
  """
  with _active(True), tf.device('/cpu:0'):
    yield


@contextlib.contextmanager
def floats() -> Iterator[None]:
  """Makes layers compute in floats inside of `arithmetic()`, for what decides no table index."""
  with _active(False):
    yield


@contextlib.contextmanager
def _active(value: bool) -> Iterator[None]:
  before = active()
  _state.active = value
  try:
    yield
  finally:
    _state.active = before


def active() -> bool:
  """Returns whether `arithmetic()` is in force in this thread."""
  return getattr(_state, 'active', False)


def weights(key: tuple, make: Callable[[], T]) -> T:
  """Returns rounded weights: from the store that is in force, else made anew.

  Args:
    key: Hashable name of the weights, which holds the layer that they are of.
    make: Function that makes them, a nested structure of arrays.
  """
  store = getattr(_state, 'store', None)
  make = tf.autograph.experimental.do_not_convert(make)
  # Values of variables are known outside of a graph only.
  with tf.init_scope():
    if store is None:
      return _with_arrays(tf.constant, make())
    return store.weights(key, make)


def _with_arrays(function: Callable[[np.ndarray], Any], made: T) -> T:
  """Returns a nested structure with a function of its arrays in their place."""
  return tf.nest.map_structure(
    lambda value: function(value) if isinstance(value, np.ndarray) else value, made
  )


def round_weights(
  kernel: np.ndarray, bias: np.ndarray, output_axis: int = -1, stride: int = 1
) -> Weights:
  """Rounds a layer's kernel to integers times a step for each output.

  The steps depend on sums of integers alone, and are therefore the same everywhere.

  Args:
    kernel: `float32[..., inputs, outputs]`, or with the last two axes exchanged; finite, see
      `MAX_WEIGHT_SUM`.
    bias: `float32[outputs]`.
    output_axis: Axis of the kernel that runs over outputs, -1 or -2.
    stride: Stride of a transposed convolution, of whose taps only each `stride`-th, along both
      sides, meets others in one output.

  Returns:
    The kernel in blocks, the steps, and the bias.
  """
  ordered = kernel if output_axis == -1 else kernel.swapaxes(-1, -2)
  log2_step = _log2_steps(ordered)
  integers = _integers(ordered, log2_step)

  # Of an output to which one channel alone is too much for a block, the steps are doubled.
  while True:
    is_too_much = (_sums(np.abs(integers), stride) > _MAX_BLOCK_SUM).any((0, 1))
    if not is_too_much.any():
      break
    log2_step = log2_step + is_too_much
    integers = _integers(ordered, log2_step)

  signed = np.stack([_sums(np.maximum(sign * integers, 0), stride) for sign in (1, -1)])
  signed = signed.reshape(*signed.shape[:2], -1)
  slices = _blocks(signed.sum(0))
  blocks = [inputs.stop - inputs.start for inputs in slices]
  kernels = []
  for inputs in slices:
    block = integers[..., inputs, :]
    block = block if output_axis == -1 else block.swapaxes(-1, -2)
    kernels.append(np.ascontiguousarray(block, np.float32))

  step, bias = np.float32(2.0**log2_step), np.asarray(bias, np.float32)
  return Weights(blocks, kernels, np.float32(signed), step, bias)


def _log2_steps(kernel: np.ndarray) -> np.ndarray:
  """Returns the binary logarithm of each output's step; `kernel` is `[..., inputs, outputs]`."""
  magnitudes = np.round(np.abs(kernel.astype(np.float64)) * 2.0**-_FINEST_LOG2_STEP)
  total = magnitudes.astype(np.int64).reshape(-1, kernel.shape[-1]).sum(0)
  count = kernel.size // kernel.shape[-1]

  # The mean is at least 2^(exponent - 1), and less than 2^exponent.
  _, exponent = np.frexp(total / count)
  log2_mean = max(_LOG2_MEAN_WEIGHT, _LOG2_SMALL_SUM - count.bit_length())
  return np.maximum(exponent - 1 - log2_mean, 0) + _FINEST_LOG2_STEP


def _integers(kernel: np.ndarray, log2_step: np.ndarray) -> np.ndarray:
  return np.round(kernel.astype(np.float64) * 2.0**-log2_step)


def _sums(integers: np.ndarray, stride: int) -> np.ndarray:
  """Returns the sums over the taps that meet in one output, `float64[inputs, phases, outputs]`."""
  inputs, outputs = integers.shape[-2:]
  taps = integers.reshape(*integers.shape[:-2] or (1, 1), inputs, outputs)

  sums = []
  for row in range(stride):
    for column in range(stride):
      sums.append(taps[row::stride, column::stride].sum((0, 1)))
  return np.stack(sums, 1)


def _blocks(sums: np.ndarray) -> list[slice]:
  """Cuts the inputs into as few blocks as may be, none of whose sums is too great.

  Args:
    sums: Sums of absolute weights, `float64[inputs, sums]`, each at most `_MAX_BLOCK_SUM`.
  """
  blocks = []
  start, total = 0, np.zeros(sums.shape[1])
  for number, more in enumerate(sums):
    if (total + more > _MAX_BLOCK_SUM).any():
      blocks.append(slice(start, number))
      start, total = number, np.zeros(sums.shape[1])
    total = total + more
  return [*blocks, slice(start, len(sums))]


def convolve(
  convolution: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], x: tf.Tensor, weights: Weights
) -> tf.Tensor:
  """Returns `convolution(x, kernel) + bias` of rounded activations and weights.

  Args:
    convolution: Linear map of activations and a kernel, both float32, such as `tf.nn.conv2d`.
    x: Activations, `float32[batch, height, width, inputs]`; the steps of each image are its own.
    weights: Weights from `round_weights`.

  Returns:
    `float32[batch, ..., outputs]`, clipped to +-2^20.
  """
  with tf.name_scope(SCOPE):
    return _scaled_sums(convolution, x, _steps_of_images(x, weights), weights)


def multiply(x: tf.Tensor, weights: Weights) -> tf.Tensor:
  """Returns `x @ kernel + bias` of rounded activations and weights.

  Args:
    x: Activations, `float32[..., inputs]`; the steps of each position are its own, so that the
      result does not depend on which positions are computed at once.
    weights: Weights from `round_weights`. The bias is broadcast to the result.

  Returns:
    `float32[..., outputs]`, clipped to +-2^20.
  """
  with tf.name_scope(SCOPE):
    return _scaled_sums(
      lambda x, kernel: tf.tensordot(x, kernel, 1), x, _steps_of_positions(x, weights), weights
    )


def _scaled_sums(
  convolution: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
  x: tf.Tensor,
  steps: tf.Tensor,
  weights: Weights,
) -> tf.Tensor:
  """Returns the clipped sums of activations, each block's rounded to multiples of its step.

  Args:
    convolution: Linear map of activations and a kernel.
    x: Activations, `float32[..., inputs]`.
    steps: Step of each block, `float32[..., blocks]`.
    weights: Weights from `round_weights`.
  """
  # Products with powers of two are exact, and so are the sums, in any order.
  if len(weights.blocks) == 1:
    total = convolution(tf.round(x / steps), weights.kernels[0]) * steps
  else:
    total = _sum_of_blocks(convolution, x, steps, weights)

  # A fused multiplication and addition is no other, as the product is exact.
  return _clip(total * weights.step + weights.bias)


def _sum_of_blocks(
  convolution: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
  x: tf.Tensor,
  steps: tf.Tensor,
  weights: Weights,
) -> tf.Tensor:
  """Returns the sum of all blocks' convolutions, each times its step, added in float64.

  A large network has a thousand blocks, for each of which there are as few operations as may be.
  """
  count = len(weights.blocks)
  blocks = tf.split(x, weights.blocks, axis=-1)
  steps_of_blocks = tf.split(steps, count, axis=-1)
  scales = tf.split(tf.cast(steps, tf.float64), count, axis=-1)

  sums: list[tf.Tensor] = []
  for block, step, scale, kernel in zip(
    blocks, steps_of_blocks, scales, weights.kernels, strict=True
  ):
    # One block after the other, or all of their sums would be in memory at once.
    with tf.control_dependencies(sums):
      integers = tf.round(block / step)
      product = tf.cast(convolution(integers, kernel), tf.float64) * scale
    sums = [sums[0] + product] if sums else [product]
  return tf.cast(sums[0], tf.float32)


def _in_blocks(x: tf.Tensor, weights: Weights, axis: int) -> tf.Tensor:
  """Returns a tensor whose axis of inputs is one of blocks and one of their inputs, with zeros.

  Args:
    x: Tensor of known rank, with all inputs along an axis.
    weights: Weights from `round_weights`.
    axis: The axis, not negative.
  """
  inputs = sum(weights.blocks)
  index = np.full([len(weights.blocks), max(weights.blocks)], inputs)
  start = 0
  for number, size in enumerate(weights.blocks):
    index[number, :size] = np.arange(start, start + size)
    start += size
  paddings = [[0, int(each == axis)] for each in range(x.shape.rank)]
  return tf.gather(tf.pad(x, paddings), index, axis=axis)


def _steps_of_positions(x: tf.Tensor, weights: Weights) -> tf.Tensor:
  """Returns safe steps of each block's activations, `float32[..., blocks]`.

  Activations of up to 1024 steps, times the weights of a block, are less than 2^24.
  """
  # Not by `_in_blocks`, which takes longer than all of the sums.
  blocks = tf.split(tf.abs(x), weights.blocks, axis=-1)
  greatest = tf.stack([tf.reduce_max(block, -1) for block in blocks], -1)
  steps = tf.maximum(_power_below(greatest), _LEAST_POWER) / _PARTS
  return _near_each_other(steps, len(weights.blocks))


def _steps_of_images(x: tf.Tensor, weights: Weights) -> tf.Tensor:
  """Returns the finest safe steps of each block's activations, `float32[batch, 1, 1, blocks]`.

  What a sum can reach on its way, in any order, is the sum of its positive terms, or that of its
  negative ones: with activations from `-l_c` to `h_c` in channel c, in steps, and sums `p_co` of
  positive and `n_co` of negative weights,

      max_o max(sum_c (h_c p_co + l_c n_co), sum_c (h_c n_co + l_c p_co)).
  """
  highest, lowest = tf.reduce_max(x, [1, 2]), tf.reduce_min(x, [1, 2])
  reach = _in_blocks(tf.maximum(tf.stack([highest, -lowest]), 0.0), weights, 2)

  power = tf.maximum(_power_below(tf.reduce_max(reach, [0, 3])), _LEAST_POWER)
  # Integers up to twice the number of parts, and one for the half by which rounding may add.
  parts = tf.math.ceil(reach * (_PARTS / power)[..., None]) + 1
  # `[blocks, batch, inputs of a block]`
  above, below = tf.unstack(tf.transpose(parts, [0, 2, 1, 3]))

  positive, negative = tf.unstack(_in_blocks(tf.convert_to_tensor(weights.sums), weights, 1))
  bounds = []
  for high, low in ((above, below), (below, above)):
    # Integers of at most 2^24, exact in any order.
    bounds.append(tf.matmul(high, positive) + tf.matmul(low, negative))
  bound = tf.maximum(tf.reduce_max(tf.stack(bounds), [0, 3]), 1.0)

  # The bound is less than twice the power of two below it.
  steps = power * (2 * _power_below(tf.transpose(bound)) / (_PARTS * _EXACT))
  return _near_each_other(steps, len(weights.blocks))[:, None, None]


def _near_each_other(steps: tf.Tensor, blocks: int) -> tf.Tensor:
  """Returns blocks' steps, none so far below the greatest that float64 could not add the sums."""
  least = tf.reduce_max(steps, -1, keepdims=True) * 2.0 ** (blocks.bit_length() - _SPARE_BITS)
  return tf.maximum(steps, least)


def _power_below(x: tf.Tensor) -> tf.Tensor:
  """Returns the greatest power of two that is at most `x`, which is positive; 0 for 0."""
  exponent = tf.bitwise.bitwise_and(tf.bitcast(x, tf.int32), _EXPONENT)
  return tf.bitcast(exponent, tf.float32)


class SymbolWeights(NamedTuple):
  """A context's kernel and bias, on grids on which float32 sums products with symbols exactly.

  Attributes:
    kernel: `float32[taps, inputs, outputs]`, integers: the weights are `step * kernel`.
    step: `float64[outputs]`, the grid of each output, a power of two.
    bias: `float64[outputs]`.
  """

  kernel: Any
  step: Any
  bias: Any


def round_symbol_weights(kernel: np.ndarray, bias: np.ndarray) -> SymbolWeights:
  """Rounds a context's kernel to the finest grids, none finer than 2^-16, that admit exact sums.

  With symbols of at most 511, the weights of one tap and one output may sum to 2^24 / 511 steps in
  absolute value. The grid is chosen by comparing integers, and is therefore the same everywhere.

  Args:
    kernel: `float32[taps, inputs, outputs]`, finite.
    bias: `float32[outputs]`.

  Returns:
    The kernel in steps, the steps, and the bias.
  """
  log2_step = np.full(kernel.shape[-1], _FINEST_LOG2_SYMBOL_STEP)
  while True:
    integers = _integers(kernel, log2_step)
    is_too_much = (np.abs(integers).sum(1) * _SYMBOL_LIMIT > _EXACT).any(0)
    if not is_too_much.any():
      break
    log2_step = log2_step + is_too_much
  return SymbolWeights(integers.astype(np.float32), 2.0**log2_step, bias.astype(np.float64))


def weigh_symbols(symbols: tf.Tensor, weights: SymbolWeights) -> tf.Tensor:
  """Returns the sum over taps of symbols times weights, plus the bias.

  Does what `convolve` does, with one step for all: symbols are integers as they are, here clipped
  to +-511.

  Args:
    symbols: `float32[taps, n, inputs]`, integers.
    weights: Result of `round_symbol_weights`.

  Returns:
    `float32[n, outputs]`, clipped to +-2^20.
  """
  with tf.name_scope(SCOPE):
    symbols = tf.clip_by_value(symbols, -float(_SYMBOL_LIMIT), float(_SYMBOL_LIMIT))
    sums = tf.matmul(symbols, weights.kernel)
    total = tf.reduce_sum(tf.cast(sums, tf.float64), 0)
    return _clip(tf.cast(total * weights.step + weights.bias, tf.float32))


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


def holds(size: tf.Tensor) -> tf.Tensor:
  """Returns whether products are exact where this runs, as the arithmetic takes them to be.

  Factors that are rounded to fewer bits show, and so do convolutions by transforms (Winograd's),
  whose intermediate sums are other ones.

  Args:
    size: Positive integer, a scalar, that is known when the graph runs. TensorFlow would compute
      products of constants when it prepares the graph, in another way than those that count.

  Returns:
    A boolean scalar.
  """
  with tf.device('/cpu:0'):
    one = tf.cast(tf.sign(size), tf.float32)
    # 6 times 13 bits, of which 64 fill the 24 of a float32: any rounding of a factor shows.
    symbols = tf.fill([12, 16, 64], 63 * one)
    sums = tf.matmul(symbols, tf.fill([12, 64, 32], 4099 * one))
    are_exact = tf.reduce_all(sums == 63 * 4099 * 64)

    image, kernel, expected = _probe()
    convolved = tf.nn.conv2d(image * one, kernel * one, 1, 'VALID')
    return are_exact & tf.reduce_all(convolved == expected)


@functools.cache
def _probe() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns an image and a kernel of integers, and their convolution, which fills 24 bits."""
  rng = np.random.default_rng(0)
  image = rng.integers(1024, 2049, [1, 10, 10, 16])
  kernel = rng.integers(28, 57, [3, 3, 16, 16])
  expected = [signal.correlate(image, kernel[None, ..., o], 'valid') for o in range(16)]
  sums = np.concatenate(expected, -1)
  return image.astype(np.float32), kernel.astype(np.float32), sums.astype(np.float32)


def _clip(x: tf.Tensor) -> tf.Tensor:
  return tf.raw_ops.ClipByValue(t=x, clip_value_min=-_LIMIT, clip_value_max=_LIMIT)
