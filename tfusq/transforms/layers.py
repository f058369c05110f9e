"""Layers of the transforms, and how images are padded for them."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import tensorflow as tf

from tfusq.quantization.bounds import lower_bound
from tfusq.transforms import exact, keras_2

keras_2.require()

Initializer: TypeAlias = str | tf.keras.initializers.Initializer | Callable[..., tf.Tensor]


class _SamePadded:
  """The options of Keras' convolutions that are used, and no others."""

  def __init__(
    self,
    filters: int,
    kernel_size: int,
    strides: int = 1,
    kernel_initializer: Initializer = 'glorot_uniform',
    bias_initializer: Initializer = 'zeros',
    dtype: str | None = None,
  ):
    """Initializer.

    Args:
      filters: Number of output channels.
      kernel_size: Side of the square kernel.
      strides: Factor between the sizes of input and output, on both sides.
      kernel_initializer: Initializer of the kernel.
      bias_initializer: Initializer of the bias.
      dtype: Precision in which the layer computes; by default that of Keras' policy.
    """
    # Whichever convolution of Keras a subclass names as its other base.
    super().__init__(  # type: ignore[call-arg]
      filters,
      kernel_size,
      strides=strides,
      padding='same',
      kernel_initializer=kernel_initializer,
      bias_initializer=bias_initializer,
      dtype=dtype,
    )


class Conv2D(_SamePadded, tf.keras.layers.Conv2D):
  """Convolution with a bias, padded with zeros; exact while `exact.arithmetic()` is in force.

  Attributes:
    output_axis: Axis of the kernel that runs over outputs.
  """

  output_axis = -1

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    if exact.active():
      return exact.convolve(self._same_padded, inputs, self.exact_weights())
    if inputs.dtype.size == 2:
      return add_bias(self.convolution_op(inputs, self.kernel), self.bias)
    return super().call(inputs)

  def exact_weights(self) -> exact.Weights:
    """Returns the weights for exact arithmetic."""
    return exact.weights(
      (self,), lambda: exact.round_weights(self.kernel.numpy(), self.bias.numpy())
    )

  def _same_padded(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return tf.nn.conv2d(x, kernel, self.strides, 'SAME')


class Conv2DTranspose(_SamePadded, tf.keras.layers.Conv2DTranspose):
  """Transposed convolution with a bias; exact while `exact.arithmetic()` is in force.

  Attributes:
    output_axis: Axis of the kernel that runs over outputs.
  """

  output_axis = -2

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    batch, height, width, _ = sizes(inputs)
    row_stride, column_stride = self.strides
    shape = tf.stack([batch, row_stride * height, column_stride * width, self.filters])

    def convolution(x, kernel):
      return tf.nn.conv2d_transpose(x, kernel, shape, self.strides, 'SAME')

    if exact.active():
      outputs = exact.convolve(convolution, inputs, self.exact_weights())
      outputs.set_shape([None, None, None, self.filters])
      return outputs
    if inputs.dtype.size == 2:
      return add_bias(convolution(inputs, self.kernel), self.bias)
    return super().call(inputs)

  def exact_weights(self) -> exact.Weights:
    """Returns the weights for exact arithmetic."""
    (stride,) = set(self.strides)
    return exact.weights(
      (self,),
      lambda: exact.round_weights(self.kernel.numpy(), self.bias.numpy(), self.output_axis, stride),
    )


class BlockConv2D(Conv2D):
  """`Conv2D` of blocks that do not overlap: its strides are the sides of its kernel.

  As a product of matrices, with a row for each block, it takes a fraction of the time.
  """

  def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    (side,) = set(self.strides)
    _, height, width, _ = sizes(inputs)
    margins = []
    for size in (height, width):
      missing = -size % side
      margins.append([missing // 2, missing - missing // 2])

    blocks = tf.nn.space_to_depth(tf.pad(inputs, [[0, 0], *margins, [0, 0]]), side)
    return tf.nn.conv2d(blocks, tf.reshape(kernel, [1, 1, -1, self.filters]), 1, 'VALID')


class BlockConv2DTranspose(Conv2DTranspose):
  """`Conv2DTranspose` of blocks that do not overlap: its strides are the sides of its kernel."""

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    if exact.active():
      return super().call(inputs)
    (side,) = set(self.strides)
    vectors = tf.transpose(tf.reshape(self.kernel, [-1, inputs.shape[-1]]))
    blocks = tf.nn.conv2d(inputs, vectors[None, None], 1, 'VALID')
    return add_bias(tf.nn.depth_to_space(blocks, side), self.bias)


class Dense(tf.keras.layers.Dense):
  """Matrix product with a bias over the last axis; exact while `exact.arithmetic()` is in force.

  A 1x1 convolution that also accepts lists of positions, with none in them too.

  Attributes:
    output_axis: Axis of the kernel that runs over outputs.
  """

  output_axis = -1

  def __init__(self, units: int):
    super().__init__(units)

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    if exact.active():
      return exact.multiply(inputs, self.exact_weights())
    if inputs.dtype.size == 2:
      return add_bias(tf.tensordot(inputs, tf.convert_to_tensor(self.kernel), 1), self.bias)
    return super().call(inputs)

  def exact_weights(self) -> exact.Weights:
    """Returns the weights for exact arithmetic."""
    return exact.weights(
      (self,), lambda: exact.round_weights(self.kernel.numpy(), self.bias.numpy())
    )


# Layers with a kernel that are exact where `exact.arithmetic()` is in force.
LINEAR = Conv2D, Conv2DTranspose, Dense


class _NonNegative(tf.Module):
  """A parameter above a minimum, stored as its square root: small values learn slowly.

  Attributes:
    variable: Square root of the parameter plus a pedestal, without which the gradient would be 0
      where the parameter is.
  """

  _PEDESTAL = 2.0**-36

  def __init__(self, value: tf.Tensor, minimum: float, name: str):
    super().__init__(name=name)
    self._bound = math.sqrt(minimum + self._PEDESTAL)
    self.variable = tf.Variable(tf.sqrt(value + self._PEDESTAL), name=name)

  def __call__(self, dtype: tf.DType) -> tf.Tensor:
    # Rounded at the end only: 16 bits do not hold the pedestal.
    root = lower_bound(self.variable, self._bound)
    return tf.cast(tf.square(root) - self._PEDESTAL, dtype)


class GDN(tf.keras.layers.Layer):
  """Generalized divisive normalization, `x_i / (beta_i + sum_j gamma_ji |x_j|)` over channels.

  The inverse multiplies by the sum. This is TensorFlow Compression's layer with its default
  exponents of 1, and with the names of its variables in checkpoints.

  #### References
  Balle, Laparra and Simoncelli, Density modeling of images using a generalized normalization
  transformation, 2015. https://arxiv.org/abs/1511.06281
  """

  def __init__(self, inverse: bool = False, **options: Any):
    """Initializer.

    Args:
      inverse: Whether to multiply instead of dividing.
      **options: Options of every Keras layer, such as `name`.
    """
    super().__init__(**options)
    self.inverse = bool(inverse)

  def build(self, input_shape: tf.TensorShape) -> None:
    channels = input_shape[-1]
    ones = tf.ones([channels], self.variable_dtype)
    identity = tf.eye(channels, dtype=self.variable_dtype)
    self._beta_parameter = _NonNegative(ones, 1e-6, 'beta')
    self._gamma_parameter = _NonNegative(0.1 * identity, 0.0, 'gamma')
    super().build(input_shape)

  @property
  def beta(self) -> tf.Tensor:
    """Sum where all inputs are 0, `[channels]`."""
    return self._beta_parameter(self.compute_dtype)

  @property
  def gamma(self) -> tf.Tensor:
    """Weights of the inputs, a row for each, `[channels, channels]`."""
    return self._gamma_parameter(self.compute_dtype)

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    norm = tf.nn.conv2d(tf.abs(inputs), self.gamma[None, None], 1, 'VALID')
    norm = add_bias(norm, self.beta)
    return inputs * norm if self.inverse else inputs / norm


def add_bias(x: tf.Tensor, bias: tf.Tensor | tf.Variable) -> tf.Tensor:
  """Returns the sum of a tensor and a bias of its last axis.

  The gradient of the bias is a sum over all positions. In 16 bits it is summed in float32: from a
  few hundred terms on, a processor's sum in bfloat16 would no longer grow.

  Args:
    x: `[..., channels]`, float.
    bias: `[channels]`, of the same dtype.

  Returns:
    Tensor of the shape and dtype of `x`.
  """
  bias = tf.convert_to_tensor(bias)
  return _add_bias_in_16_bits(x, bias) if x.dtype.size == 2 else tf.nn.bias_add(x, bias)


@tf.custom_gradient
def _add_bias_in_16_bits(
  x: tf.Tensor, bias: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
  def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    total = tf.reduce_sum(tf.cast(upstream, tf.float32), range(upstream.shape.rank - 1))
    return upstream, tf.cast(total, upstream.dtype)

  return x + bias, gradient


def down(filters: int) -> Conv2D:
  """Returns a 5x5 convolution to half the size that keeps the variance of its input.

  Args:
    filters: Number of output channels.
  """
  return Conv2D(
    filters, 5, strides=2, kernel_initializer=tf.keras.initializers.VarianceScaling(1.0, 'fan_in')
  )


def up(filters: int, bias_initializer: Initializer = 'zeros') -> Conv2DTranspose:
  """Returns a transposed 5x5 convolution to twice the size that keeps the variance of its input.

  Args:
    filters: Number of output channels.
    bias_initializer: Initializer of the bias.
  """
  # A transposed kernel's inputs are its last axis, which Keras counts as outputs, and with stride 2
  # only a quarter of its taps meet in one place.
  return Conv2DTranspose(
    filters,
    5,
    strides=2,
    kernel_initializer=tf.keras.initializers.VarianceScaling(4.0, 'fan_out'),
    bias_initializer=bias_initializer,
  )


def leaky() -> tf.keras.layers.LeakyReLU:
  """Returns the activation between layers, `max(x, 0.01 x)`."""
  return tf.keras.layers.LeakyReLU(0.01)


def image_bias() -> tf.keras.initializers.Initializer:
  """Returns the initializer of a synthesis' last bias: mid-grey.

  From a bias of 0 it would take hundreds of training steps to get there.
  """
  return tf.keras.initializers.Constant(0.5)


class Subpixel(tf.keras.layers.Layer):
  """Upsampling by 2: a convolution to four times the channels, laid out as 2x2 pixels."""

  def __init__(self, filters: int, kernel_size: int, bias_initializer: Initializer = 'zeros'):
    """Initializer.

    Args:
      filters: Number of output channels.
      kernel_size: Side of the square kernel.
      bias_initializer: Initializer of the bias.
    """
    super().__init__()
    self.convolution = Conv2D(4 * filters, kernel_size, bias_initializer=bias_initializer)

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    return tf.nn.depth_to_space(self.convolution(inputs), 2)


def pad_to_multiple(x: tf.Tensor, multiple: int) -> tf.Tensor:
  """Repeats the last row and the last column until both sides are multiples of a number.

  Args:
    x: Images or latents, `[batch, height, width, channels]`.
    multiple: Number of which both sides become multiples.

  Returns:
    `[batch, padded height, padded width, channels]`, of the dtype of `x`.
  """
  for axis in (1, 2):
    size = tf.shape(x)[axis]
    padded_size = multiple * ceil_div(size, multiple)
    positions = tf.minimum(tf.range(padded_size), size - 1)
    x = tf.gather(x, positions, axis=axis)
  return x


def sizes(x: tf.Tensor) -> list[int | tf.Tensor]:
  """Returns the sizes of a tensor's axes: numbers where the graph knows them, else scalar `int32`.

  A training step knows all of them. What is computed from numbers is known when it is traced, too,
  so that no operation of the step has to wait for a shape.

  Args:
    x: Tensor of known rank.
  """
  dynamic = tf.unstack(tf.shape(x), x.shape.rank)
  return [unknown if size is None else size for size, unknown in zip(x.shape, dynamic)]


def ceil_div(size: tf.Tensor | int, divisor: int) -> tf.Tensor:
  """Returns `size / divisor`, rounded up.

  Args:
    size: Integers, any shape.
    divisor: Positive integer.

  Returns:
    Integers of the shape and dtype of `size`; constants where the graph knows them.
  """
  size = tf.convert_to_tensor(size)  # Python's integers are accepted as well
  known = tf.get_static_value(size)
  if known is not None:
    return tf.constant((known + divisor - 1) // divisor, size.dtype)
  return (size + divisor - 1) // divisor
