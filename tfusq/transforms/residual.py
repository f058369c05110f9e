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
    stages = [
      Stage(
        down=residual_down(filters),
        attention=self._attend(filters, stage == 1),
        block=residual_block(filters),
      )
      for stage in range(3)
    ]
    last = Stage(
      down=Conv2D(latent_channels, 3, strides=2), attention=self._attend(latent_channels)
    )
    return tf.keras.Sequential([*stages, last], name='analysis')

  def synthesis(self, filters, latent_channels):
    inputs = latent_channels, filters, filters
    stages = [
      Stage(
        attention=self._attend(channels, stage in (0, 2)),
        block=residual_block(channels),
        up=residual_up(filters),
      )
      for stage, channels in enumerate(inputs)
    ]
    last = Stage(block=residual_block(filters), up=Subpixel(3, 3, bias_initializer=to_image()))
    return tf.keras.Sequential([*stages, last], name='synthesis')

  def _attend(self, channels, here=True):
    return Attention(channels) if self._attention and here else None


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
    stages = [
      Stage(
        down=down(filters),
        blocks=self._bottlenecks(filters),
        attention=self._attend(filters, stage == 1),
      )
      for stage in range(3)
    ]
    last = Stage(down=down(latent_channels), attention=self._attend(latent_channels))
    return tf.keras.Sequential([*stages, last], name='analysis')

  def synthesis(self, filters, latent_channels):
    stages = [
      Stage(
        latent_attention=self._attend(latent_channels, stage == 0),
        up=up(filters),
        attention=self._attend(filters, stage == 1),
        blocks=self._bottlenecks(filters),
      )
      for stage in range(3)
    ]
    last = Stage(up=up(3, bias_initializer=to_image()))
    return tf.keras.Sequential([*stages, last], name='synthesis')

  def _bottlenecks(self, channels):
    return tf.keras.Sequential([bottleneck(channels) for _ in range(self._blocks)])

  def _attend(self, channels, here=True):
    return Attention(channels) if self._attention and here else None


class Stage(tf.keras.layers.Layer):
  """Layers one after the other, held by name.

  So a weight's path says what it is: what a run with attention shares with one without is found by
  `tfusq train --init_from`, and nothing else.
  """

  def __init__(self, **layers: tf.keras.layers.Layer | None):
    super().__init__()
    self._names = [name for name, layer in layers.items() if layer is not None]
    for name in self._names:
      setattr(self, name, layers[name])

  def call(self, inputs):
    for name in self._names:
      inputs = getattr(self, name)(inputs)
    return inputs


class Sum(tf.keras.layers.Layer):
  """A block's output plus its input, or plus what a shortcut makes of the input."""

  def __init__(
    self, layers: list[tf.keras.layers.Layer], shortcut: tf.keras.layers.Layer | None = None
  ):
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
      [*(bottleneck(channels) for _ in range(3)), Conv2D(channels, 1)]
    )

  def call(self, inputs):
    return inputs + self.trunk(inputs) * tf.sigmoid(self.mask(inputs))


def residual_block(channels: int) -> Sum:
  """Two 3x3 convolutions and their input."""
  return Sum([Conv2D(channels, 3), leaky(), Conv2D(channels, 3), leaky()])


def residual_down(filters: int) -> Sum:
  """Two 3x3 convolutions to half the size, with GDN, and a 1x1 one."""
  return Sum(
    [Conv2D(filters, 3, strides=2), leaky(), Conv2D(filters, 3), GDN()],
    tf.keras.Sequential([Decimate(), Conv2D(filters, 1)]),
  )


def residual_up(filters: int) -> Sum:
  """Two 3x3 convolutions to twice the size, with inverse GDN, and a 1x1 one."""
  return Sum(
    [Subpixel(filters, 3), leaky(), Conv2D(filters, 3), GDN(inverse=True)], Subpixel(filters, 1)
  )


def bottleneck(channels: int) -> Sum:
  """A 3x3 convolution between 1x1 ones at half the width, and their input."""
  # Begins near the identity: of a dozen blocks in a row each would add its input's variance.
  near_zero = tf.keras.initializers.VarianceScaling(0.1)
  half = max(1, channels // 2)
  return Sum(
    [
      Conv2D(half, 1),
      tf.keras.layers.ReLU(),
      Conv2D(half, 3),
      tf.keras.layers.ReLU(),
      Conv2D(channels, 1, kernel_initializer=near_zero),
    ]
  )
