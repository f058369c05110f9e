"""Layers of the transforms, and how images are padded for them."""

import tensorflow as tf
import tensorflow_compression as tfc

from tfusq.transforms import exact


class _SamePadded:
  """The options of Keras' convolutions that are used, and no others."""

  def __init__(
    self,
    filters: int,
    kernel_size: int,
    strides: int = 1,
    kernel_initializer='glorot_uniform',
    bias_initializer='zeros',
  ):
    super().__init__(
      filters,
      kernel_size,
      strides=strides,
      padding='same',
      kernel_initializer=kernel_initializer,
      bias_initializer=bias_initializer,
    )


class Conv2D(_SamePadded, tf.keras.layers.Conv2D):
  """Convolution with a bias, padded with zeros; in exact arithmetic where that is in force."""

  output_axis = -1  # of the kernel

  def call(self, inputs):
    if not exact.active():
      return super().call(inputs)
    return exact.convolve(self.convolution_op, inputs, exact.weights(self.kernel, self.bias))


class Conv2DTranspose(_SamePadded, tf.keras.layers.Conv2DTranspose):
  """Transposed convolution with a bias; in exact arithmetic where that is in force."""

  output_axis = -2  # of the kernel

  def call(self, inputs):
    if not exact.active():
      return super().call(inputs)
    batch, height, width, _ = tf.unstack(tf.shape(inputs))
    down, right = self.strides
    shape = tf.stack([batch, down * height, right * width, self.filters])
    y = exact.convolve(
      lambda x, kernel: tf.nn.conv2d_transpose(x, kernel, shape, self.strides, 'SAME'),
      inputs,
      exact.weights(self.kernel, self.bias),
    )
    y.set_shape([None, None, None, self.filters])
    return y


class Dense(tf.keras.layers.Dense):
  """A 1x1 convolution, of no positions too; in exact arithmetic where that is in force."""

  output_axis = -1  # of the kernel

  def __init__(self, units: int):
    super().__init__(units)

  def call(self, inputs):
    if not exact.active():
      return super().call(inputs)
    return exact.convolve(
      lambda x, kernel: tf.tensordot(x, kernel, 1), inputs, exact.weights(self.kernel, self.bias)
    )


LINEAR = Conv2D, Conv2DTranspose, Dense


class GDN(tfc.GDN):
  """Generalized divisive normalization without powers: `x / (beta + gamma |x|)`, or times.

  TensorFlow Compression's layer with its default exponents of 1, whose choice of exponent turns
  into three conditionals with powers of the whole tensor in a traced training step.
  """

  def call(self, inputs):
    pool = tf.nn.conv2d(tf.abs(inputs), self.gamma[None, None], 1, 'VALID')
    pool = tf.nn.bias_add(pool, self.beta)
    return inputs * pool if self.inverse else inputs / pool


def down(filters: int) -> Conv2D:
  """A 5x5 convolution to half the size."""
  return Conv2D(
    filters, 5, strides=2, kernel_initializer=tf.keras.initializers.VarianceScaling(1.0, 'fan_in')
  )


def up(filters: int, **options) -> Conv2DTranspose:
  """A transposed 5x5 convolution to twice the size."""
  # A transposed kernel's inputs are its last axis, which Keras counts as outputs, and with stride 2
  # only a quarter of its taps meet in one place.
  return Conv2DTranspose(
    filters,
    5,
    strides=2,
    kernel_initializer=tf.keras.initializers.VarianceScaling(4.0, 'fan_out'),
    **options,
  )


def leaky() -> tf.keras.layers.LeakyReLU:
  """The activation between layers."""
  return tf.keras.layers.LeakyReLU(0.01)


def to_image() -> tf.keras.initializers.Initializer:
  """Initializer of the last bias: mid-grey, from 0 it would take hundreds of steps to get there."""
  return tf.keras.initializers.Constant(0.5)


class Subpixel(tf.keras.layers.Layer):
  """A convolution to four times the channels, laid out as twice the size."""

  def __init__(self, filters: int, kernel_size: int, **options):
    super().__init__()
    self.convolution = Conv2D(4 * filters, kernel_size, **options)

  def call(self, inputs):
    return tf.nn.depth_to_space(self.convolution(inputs), 2)


def pad_to_multiple(x: tf.Tensor, multiple: int) -> tf.Tensor:
  """Repeats the last row and column until both sides are multiples.

  Args:
    x: `[batch, height, width, channels]`.
    multiple: Of what.

  Returns:
    `[batch, padded height, padded width, channels]`.
  """
  for axis in (1, 2):
    size = tf.shape(x)[axis]
    padded = multiple * ceil_div(size, multiple)
    x = tf.gather(x, tf.minimum(tf.range(padded), size - 1), axis=axis)
  return x


def ceil_div(size: tf.Tensor, divisor: int) -> tf.Tensor:
  """Returns `size / divisor`, rounded up."""
  return (size + divisor - 1) // divisor
