"""Transforms of residual blocks, optionally with attention."""

import tensorflow as tf

from tfusq.transforms.base import Transforms
from tfusq.transforms.layers import (
  GDN,
  Conv2D,
  Subpixel,
  down,
  image_bias,
  leaky,
  up,
)
from tfusq.transforms.networks import Network, Sequential

# In both families, attention modules stand where the size is a quarter of the image's and at the
# latent: after the second and the last of the analysis' four stages, and mirrored in the synthesis.


class Residual(Transforms):
  """Residual blocks of 3x3 convolutions, upsampling by sub-pixels: of Cheng-anchor, Cheng-attn.

  #### References
  Cheng, Sun, Takeuchi and Katto, Learned image compression with discretized Gaussian mixture
  likelihoods and attention modules, 2020, and the authors' code. https://arxiv.org/abs/2001.01568
  """

  def __init__(self, attention: bool = False):
    """Initializer.

    Args:
      attention: Whether the simplified attention module is used, at a quarter of the size and at
        the latent's.
    """
    self._attention = bool(attention)

  def analysis(self, filters, latent_channels):
    stages = []
    for stage_index in range(3):
      stage = Stage(
        down=residual_down(filters),
        attention=self._attention_module(filters, stage_index == 1),
        block=residual_block(filters),
      )
      stages.append(stage)

    last_stage = Stage(
      down=Conv2D(latent_channels, 3, strides=2),
      attention=self._attention_module(latent_channels, True),
    )
    return Network([*stages, last_stage], name='analysis')

  def synthesis(self, filters, latent_channels):
    stages = []
    for stage_index, channels in enumerate([latent_channels, filters, filters]):
      stage = Stage(
        attention=self._attention_module(channels, stage_index in (0, 2)),
        block=residual_block(channels),
        up=residual_up(filters),
      )
      stages.append(stage)

    last_stage = Stage(
      block=residual_block(filters), up=Subpixel(3, 3, bias_initializer=image_bias())
    )
    return Network([*stages, last_stage], name='synthesis')

  def _attention_module(self, channels, has_place):
    return Attention(channels) if self._attention and has_place else None


class Bottleneck(Transforms):
  """Strided 5x5 convolutions with residual bottlenecks after each: of ELIC and ELIC-sm.

  #### References
  He, Yang, Peng, Ma, Qin and Wang, ELIC: efficient learned image compression with unevenly grouped
  space-channel contextual adaptive coding, 2022. https://arxiv.org/abs/2203.10886
  """

  def __init__(self, blocks: int = 3, attention: bool = True):
    """Initializer.

    Args:
      blocks: Number of residual bottlenecks after each convolution but the last; ELIC-sm has 1.
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
    stages = []
    for stage_index in range(3):
      stage = Stage(
        down=down(filters),
        blocks=Sequential(bottlenecks(filters, self._blocks)),
        attention=self._attention_module(filters, stage_index == 1),
      )
      stages.append(stage)

    last_stage = Stage(
      down=down(latent_channels), attention=self._attention_module(latent_channels, True)
    )
    return Network([*stages, last_stage], name='analysis')

  def synthesis(self, filters, latent_channels):
    stages = []
    for stage_index in range(3):
      stage = Stage(
        latent_attention=self._attention_module(latent_channels, stage_index == 0),
        up=up(filters),
        attention=self._attention_module(filters, stage_index == 1),
        blocks=Sequential(bottlenecks(filters, self._blocks)),
      )
      stages.append(stage)

    last_stage = Stage(up=up(3, bias_initializer=image_bias()))
    return Network([*stages, last_stage], name='synthesis')

  def _attention_module(self, channels, has_place):
    return Attention(channels) if self._attention and has_place else None


class Stage(tf.keras.layers.Layer):
  """Layers one after the other, held by name.

  A weight's path says what it is, and so `tfusq train --init_from` finds what a run with attention
  shares with one without.
  """

  def __init__(self, **layers: tf.keras.layers.Layer | None):
    """Initializer.

    Args:
      **layers: The layers by name, in the order of their application; None are left out.
    """
    super().__init__()
    self._names = [name for name, layer in layers.items() if layer is not None]
    for name in self._names:
      setattr(self, name, layers[name])

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    outputs = inputs
    for name in self._names:
      outputs = getattr(self, name)(outputs)
    return outputs


class Sum(tf.keras.layers.Layer):
  """A block's output plus its input, or plus what a shortcut makes of the input."""

  def __init__(
    self, layers: list[tf.keras.layers.Layer], shortcut: tf.keras.layers.Layer | None = None
  ):
    """Initializer.

    Args:
      layers: Layers of the block, one after the other.
      shortcut: Layer from the block's input to its output's shape; None is the identity.
    """
    super().__init__()
    self.block = Sequential(layers)
    self.shortcut = shortcut

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    outputs = self.block(inputs)
    return outputs + (self.shortcut(inputs) if self.shortcut else inputs)


class Decimate(tf.keras.layers.Layer):
  """Every other row and column.

  Takes the place of a stride of 2 before a 1x1 convolution. TensorFlow 2.14's own gradient of such
  a strided convolution corrupts memory with some numbers of input channels, such as 3 and 5.
  """

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    return inputs[:, ::2, ::2]


class Attention(tf.keras.layers.Layer):
  """Simplified attention: `x + trunk(x) sigmoid(mask(x))`, of three bottlenecks each.

  #### References
  Cheng, Sun, Takeuchi and Katto, Learned image compression with discretized Gaussian mixture
  likelihoods and attention modules, 2020, Sec. 3.4. https://arxiv.org/abs/2001.01568
  """

  def __init__(self, channels: int):
    """Initializer.

    Args:
      channels: Number of channels of input and output.
    """
    super().__init__()
    self.trunk = Sequential(bottlenecks(channels, 3))
    self.mask = Sequential([*bottlenecks(channels, 3), Conv2D(channels, 1)])

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    return inputs + self.trunk(inputs) * tf.sigmoid(self.mask(inputs))


def residual_block(channels: int) -> Sum:
  """Returns two 3x3 convolutions plus their input.

  Args:
    channels: Number of channels of input and output.
  """
  return Sum([Conv2D(channels, 3), leaky(), Conv2D(channels, 3), leaky()])


def residual_down(filters: int) -> Sum:
  """Returns two 3x3 convolutions to half the size with GDN, plus a 1x1 convolution.

  Args:
    filters: Number of output channels.
  """
  layers = [Conv2D(filters, 3, strides=2), leaky(), Conv2D(filters, 3), GDN()]
  return Sum(layers, Sequential([Decimate(), Conv2D(filters, 1)]))


def residual_up(filters: int) -> Sum:
  """Returns two 3x3 convolutions to twice the size with inverse GDN, plus a 1x1 convolution.

  Args:
    filters: Number of output channels.
  """
  layers = [Subpixel(filters, 3), leaky(), Conv2D(filters, 3), GDN(inverse=True)]
  return Sum(layers, Subpixel(filters, 1))


def bottleneck(channels: int) -> Sum:
  """Returns a 3x3 convolution between 1x1 ones, at half the width, plus their input.

  Args:
    channels: Number of channels of input and output.
  """
  half = max(1, channels // 2)
  # Begins near the identity: each of a dozen blocks in a row would add its input's variance.
  near_zero = tf.keras.initializers.VarianceScaling(0.1)
  return Sum(
    [
      Conv2D(half, 1),
      tf.keras.layers.ReLU(),
      Conv2D(half, 3),
      tf.keras.layers.ReLU(),
      Conv2D(channels, 1, kernel_initializer=near_zero),
    ]
  )


def bottlenecks(channels: int, count: int) -> list[tf.keras.layers.Layer]:
  """Returns residual bottlenecks to be applied one after the other.

  Args:
    channels: Number of channels of input and output.
    count: Number of bottlenecks.
  """
  return [bottleneck(channels) for _ in range(count)]
