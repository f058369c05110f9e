"""Analysis, synthesis and hyper transforms, as Keras layers."""

import tensorflow as tf
import tensorflow_compression as tfc

from tfusq import exact


def analysis(filters: int, latent_channels: int) -> tf.keras.Sequential:
  """Image to latent, 16 times smaller a side: four strided convolutions with GDN between.

  Args:
    filters: The paper's N.
    latent_channels: The paper's M.

  Returns:
    `[batch, height, width, 3]` -> `[batch, height / 16, width / 16, latent_channels]`.

  #### References
  Minnen, Balle and Toderici, Joint autoregressive and hierarchical priors, 2018, Table 1.
  """
  layers = []
  for _ in range(3):
    layers += [_down(filters), GDN()]
  return tf.keras.Sequential(layers + [_down(latent_channels)], name='analysis')


def synthesis(filters: int) -> tf.keras.Sequential:
  """Latent to image, 16 times larger a side: the mirror of `analysis`, with inverse GDN.

  Args:
    filters: The paper's N.

  Returns:
    `[batch, height, width, latent channels]` -> `[batch, 16 height, 16 width, 3]`.
  """
  layers = []
  for _ in range(3):
    layers += [_up(filters), GDN(inverse=True)]
  # Begins at mid-grey: a learning rate of 1e-3 needs hundreds of steps to get there from 0.
  image = _up(3, bias_initializer=tf.keras.initializers.Constant(.5))
  return tf.keras.Sequential(layers + [image], name='synthesis')


def hyper_analysis(filters: int) -> tf.keras.Sequential:
  """Latent to hyperlatent, 4 times smaller a side.

  Args:
    filters: The paper's N, also the number of hyperlatent channels.

  Returns:
    `[batch, height, width, latent channels]` -> `[batch, height / 4, width / 4, filters]`.
  """
  return tf.keras.Sequential([
      Conv2D(filters, 3), _leaky(),
      _down(filters), _leaky(), _down(filters)], name='hyper_analysis')


def hyper_synthesis(latent_channels: int, outputs: int) -> tf.keras.Sequential:
  """Hyperlatent to the entropy model's raw parameters, 4 times larger a side.

  Args:
    latent_channels: The paper's M.
    outputs: Channels in all, the entropy model's `channels` times M.

  Returns:
    `[batch, height, width, hyperlatent channels]` -> `[batch, 4 height, 4 width, outputs]`.
  """
  return tf.keras.Sequential([
      _up(latent_channels), _leaky(), _up(latent_channels * 3 // 2), _leaky(),
      Conv2D(outputs, 3)], name='hyper_synthesis')


def channelwise_hyper_analysis(filters: int, latent_channels: int) -> tf.keras.Sequential:
  """Latent to hyperlatent, 4 times smaller a side, of the channel-wise model.

  Args:
    filters: The paper's N, also the number of hyperlatent channels.
    latent_channels: The paper's M; of 320 and 192, the widths are 320, 256 and 192.

  Returns:
    `[batch, height, width, latent channels]` -> `[batch, height / 4, width / 4, filters]`.

  #### References
  Minnen and Singh, Channel-wise autoregressive entropy models, 2020, Appendix C.2.
  """
  return tf.keras.Sequential([
      Conv2D(latent_channels, 3), _leaky(), _down(latent_channels * 4 // 5), _leaky(),
      _down(filters)], name='hyper_analysis')


def channelwise_hyper_synthesis(filters: int, latent_channels: int) -> tf.keras.Sequential:
  """Hyperlatent to features of the channel-wise model, 4 times larger a side.

  Args:
    filters: The paper's N.
    latent_channels: The paper's M; of 320 and 192, the widths are 192, 256 and 320.

  Returns:
    `[batch, height, width, filters]` -> `[batch, 4 height, 4 width, latent_channels]`.
  """
  # Where the original has ReLU, which a hyperlatent of zeros would leave without any gradient.
  return tf.keras.Sequential([
      _up(filters), _leaky(), _up(latent_channels * 4 // 5), _leaky(), Conv2D(latent_channels, 3),
      _leaky()])


def slice_transform(latent_channels: int, outputs: int) -> tf.keras.Sequential:
  """Features and slices to one parameter of the next slice.

  Args:
    latent_channels: The paper's M; of 320, the widths are 224 and 128.
    outputs: Channels of a slice.

  Returns:
    `[batch, height, width, channels]` -> `[batch, height, width, outputs]`.
  """
  return tf.keras.Sequential([
      Conv2D(latent_channels * 7 // 10, 5), _leaky(), Conv2D(latent_channels * 2 // 5, 5),
      _leaky(), Conv2D(outputs, 3)])


class Parallel(tf.keras.layers.Layer):
  """Transforms side by side: each takes its own input, or all the one there is."""

  def __init__(self, networks: list[tf.keras.layers.Layer]):
    super().__init__()
    self.networks = networks

  def call(self, inputs):
    if len(inputs) == 1:
      inputs = inputs * len(self.networks)
    return [network(x) for network, x in zip(self.networks, inputs)]


class Conv2D(tf.keras.layers.Conv2D):
  """Convolution with a bias, padded with zeros; in exact arithmetic where that is in force."""

  output_axis = -1  # of the kernel

  def __init__(self, filters: int, kernel_size: int, strides: int = 1,
               kernel_initializer='glorot_uniform'):
    super().__init__(filters, kernel_size, strides=strides, padding='same',
                     kernel_initializer=kernel_initializer)

  def call(self, inputs):
    if not exact.active():
      return super().call(inputs)
    return exact.convolve(
        lambda x, kernel: tf.nn.conv2d(x, kernel, self.strides, 'SAME'),
        inputs, self.kernel, self.bias)


class Conv2DTranspose(tf.keras.layers.Conv2DTranspose):
  """Transposed convolution with a bias; in exact arithmetic where that is in force."""

  output_axis = -2  # of the kernel

  def __init__(self, filters: int, kernel_size: int, strides: int = 1,
               kernel_initializer='glorot_uniform', bias_initializer='zeros'):
    super().__init__(filters, kernel_size, strides=strides, padding='same',
                     kernel_initializer=kernel_initializer, bias_initializer=bias_initializer)

  def call(self, inputs):
    if not exact.active():
      return super().call(inputs)
    batch, height, width, _ = tf.unstack(tf.shape(inputs))
    down, right = self.strides
    shape = tf.stack([batch, down * height, right * width, self.filters])
    y = exact.convolve(
        lambda x, kernel: tf.nn.conv2d_transpose(x, kernel, shape, self.strides, 'SAME'),
        inputs, self.kernel, self.bias)
    y.set_shape([None, None, None, self.filters])
    return y


CONVOLUTIONS = Conv2D, Conv2DTranspose


class GDN(tfc.GDN):
  """Generalized divisive normalization without powers: `x / (beta + gamma |x|)`, or times.

  TensorFlow Compression's layer with its default exponents of 1, whose choice of exponent turns
  into three conditionals with powers of the whole tensor in a traced training step.
  """

  def call(self, inputs):
    pool = tf.nn.conv2d(tf.abs(inputs), self.gamma[None, None], 1, 'VALID')
    pool = tf.nn.bias_add(pool, self.beta)
    return inputs * pool if self.inverse else inputs / pool


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


def _down(filters):
  return Conv2D(
      filters, 5, strides=2,
      kernel_initializer=tf.keras.initializers.VarianceScaling(1., 'fan_in'))


def _up(filters, **options):
  # A transposed kernel's inputs are its last axis, which Keras counts as outputs, and with stride 2
  # only a quarter of its taps meet in one place.
  return Conv2DTranspose(
      filters, 5, strides=2,
      kernel_initializer=tf.keras.initializers.VarianceScaling(4., 'fan_out'), **options)


def _leaky():
  return tf.keras.layers.LeakyReLU(.01)
