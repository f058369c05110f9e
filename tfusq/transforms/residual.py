"""Transforms of residual blocks, with attention where it is wanted."""

import tensorflow as tf

from tfusq.transforms.base import Transforms
from tfusq.transforms.layers import GDN, Conv2D, Subpixel, down, leaky, to_image, up


class Residual(Transforms):
  """Residual blocks of 3x3 convolutions, upsampling by sub-pixels: of Cheng-anchor, Cheng-attn.

  #### References
  Cheng, Sun, Takeuchi and Katto, Learned image compression with discretized Gaussian mixture
  likelihoods and attention modules, 2020, and the authors' code.
  """

  def __init__(self, attention: bool = False):
    """Initializer.

    Args:
      attention: Whether the simplified attention module is used, at a quarter of the size and at
        the latent's.
    """
    self._attention = bool(attention)

  def analysis(self, filters, latent_channels):
    layers = []
    for stage in range(3):
      layers += [
          residual_down(filters), *_attention(filters, self._attention and stage == 1),
          residual_block(filters)]
    return tf.keras.Sequential(
        [*layers, Conv2D(latent_channels, 3, strides=2),
         *_attention(latent_channels, self._attention)], name='analysis')

  def synthesis(self, filters, latent_channels):
    layers = _attention(latent_channels, self._attention)
    for stage in range(3):
      layers += [
          *_attention(filters, self._attention and stage == 2),
          residual_block(filters if stage else latent_channels), residual_up(filters)]
    return tf.keras.Sequential(
        [*layers, residual_block(filters), Subpixel(3, 3, bias_initializer=to_image())],
        name='synthesis')


class Bottleneck(Transforms):
  """Strided 5x5 convolutions with residual bottlenecks after each: of ELIC and ELIC-sm.

  #### References
  He, Yang, Peng, Ma, Qin and Wang, ELIC: efficient learned image compression with unevenly grouped
  space-channel contextual adaptive coding, 2022.
  """

  def __init__(self, blocks: int = 3, attention: bool = True):
    """Initializer.

    Args:
      blocks: Residual bottlenecks after each convolution but the last; ELIC-sm has 1.
      attention: Whether the simplified attention module is used, at a quarter of the size and at
        the latent's.

    Raises:
      ValueError: if `blocks` is less than 1.
    """
    if not (isinstance(blocks, int) and blocks > 0):
      raise ValueError(f'Bottleneck.blocks must be a positive integer, not {blocks!r}')
    self._blocks = blocks
    self._attention = bool(attention)

  def analysis(self, filters, latent_channels):
    layers = []
    for stage in range(3):
      layers += [down(filters), *self._bottlenecks(filters),
                 *_attention(filters, self._attention and stage == 1)]
    return tf.keras.Sequential(
        [*layers, down(latent_channels), *_attention(latent_channels, self._attention)],
        name='analysis')

  def synthesis(self, filters, latent_channels):
    layers = _attention(latent_channels, self._attention)
    for stage in range(3):
      layers += [up(filters), *_attention(filters, self._attention and stage == 1),
                 *self._bottlenecks(filters)]
    return tf.keras.Sequential([*layers, up(3, bias_initializer=to_image())], name='synthesis')

  def _bottlenecks(self, channels):
    return [bottleneck(channels) for _ in range(self._blocks)]


class Sum(tf.keras.layers.Layer):
  """A block's output plus its input, or plus what a shortcut makes of the input."""

  def __init__(self, layers: list[tf.keras.layers.Layer],
               shortcut: tf.keras.layers.Layer | None = None):
    super().__init__()
    self.block = tf.keras.Sequential(layers)
    self.shortcut = shortcut

  def call(self, inputs):
    return self.block(inputs) + (self.shortcut(inputs) if self.shortcut else inputs)


class Decimate(tf.keras.layers.Layer):
  """Every other row and column.

  For a 1x1 convolution of stride 2, whose own gradient corrupts memory in TensorFlow 2.14 with some
  numbers of input channels, such as 3 and 5.
  """

  def call(self, inputs):
    return inputs[:, ::2, ::2]


class Attention(tf.keras.layers.Layer):
  """Simplified attention: `x + trunk(x) sigmoid(mask(x))`, of three bottlenecks each.

  #### References
  Cheng, Sun, Takeuchi and Katto, 2020, Sec. 3.4.
  """

  def __init__(self, channels: int):
    super().__init__()
    self.trunk = tf.keras.Sequential([bottleneck(channels) for _ in range(3)])
    self.mask = tf.keras.Sequential(
        [*(bottleneck(channels) for _ in range(3)), Conv2D(channels, 1)])

  def call(self, inputs):
    return inputs + self.trunk(inputs) * tf.sigmoid(self.mask(inputs))


def _attention(channels: int, wanted: bool) -> list[Attention]:
  return [Attention(channels)] if wanted else []


def residual_block(channels: int) -> Sum:
  """Two 3x3 convolutions and their input."""
  return Sum([Conv2D(channels, 3), leaky(), Conv2D(channels, 3), leaky()])


def residual_down(filters: int) -> Sum:
  """Two 3x3 convolutions to half the size, with GDN, and a 1x1 one."""
  return Sum([Conv2D(filters, 3, strides=2), leaky(), Conv2D(filters, 3), GDN()],
             tf.keras.Sequential([Decimate(), Conv2D(filters, 1)]))


def residual_up(filters: int) -> Sum:
  """Two 3x3 convolutions to twice the size, with inverse GDN, and a 1x1 one."""
  return Sum([Subpixel(filters, 3), leaky(), Conv2D(filters, 3), GDN(inverse=True)],
             Subpixel(filters, 1))


def bottleneck(channels: int) -> Sum:
  """A 3x3 convolution between 1x1 ones at half the width, and their input."""
  # Begins near the identity: of a dozen blocks in a row each would add its input's variance.
  near_zero = tf.keras.initializers.VarianceScaling(.1)
  return Sum([Conv2D(channels // 2, 1), tf.keras.layers.ReLU(),
              Conv2D(channels // 2, 3), tf.keras.layers.ReLU(),
              Conv2D(channels, 1, kernel_initializer=near_zero)])
