"""A light network: residual blocks at an eighth of the side and below."""

import tensorflow as tf

from tfusq.transforms.base import Transforms
from tfusq.transforms.layers import Conv2D, Subpixel, image_bias, leaky
from tfusq.transforms.networks import Network
from tfusq.transforms.residual import Sum

_SIDE = 8


class Light(Transforms):
  """Residual blocks of 3x3 convolutions where the sides are an eighth of the image's.

  Nothing is computed at the image's own size but the exchange of pixels for channels, which keeps
  the cost at about a tenth of that of `Convolutional`.

  #### References
  Shi et al., Real-time single image and video super-resolution using an efficient sub-pixel
  convolutional neural network, 2016, for the exchange. https://arxiv.org/abs/1609.05158
  """

  def __init__(self, blocks: int = 2):
    """Initializer.

    Args:
      blocks: Number of residual blocks.

    Raises:
      ValueError: if `blocks` is less than 0.
    """
    if not (isinstance(blocks, int) and blocks >= 0):
      raise ValueError(f'Light.blocks must be an integer of at least 0, not {blocks!r}')
    self._blocks = blocks

  def analysis(self, filters, latent_channels):
    layers = [PixelsToChannels(), Conv2D(filters, 3)]
    layers += [_block(filters) for _ in range(self._blocks)]
    return Network([*layers, Conv2D(latent_channels, 3, strides=2)], name='analysis')

  def synthesis(self, filters, latent_channels):
    layers = [Subpixel(filters, 3)]
    layers += [_block(filters) for _ in range(self._blocks)]
    pixels = Conv2D(3 * _SIDE**2, 3, bias_initializer=image_bias())
    return Network([*layers, pixels, ChannelsToPixels()], name='synthesis')


def _block(filters: int) -> Sum:
  """Returns two 3x3 convolutions plus their input, near the identity at first."""
  near_zero = tf.keras.initializers.VarianceScaling(0.1)
  return Sum([Conv2D(filters, 3), leaky(), Conv2D(filters, 3, kernel_initializer=near_zero)])


class PixelsToChannels(tf.keras.layers.Layer):
  """Lays out squares of 8x8 pixels as channels, with mid-grey at 0."""

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    return tf.nn.space_to_depth(inputs - 0.5, _SIDE)


class ChannelsToPixels(tf.keras.layers.Layer):
  """Lays out channels as squares of 8x8 pixels."""

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    return tf.nn.depth_to_space(inputs, _SIDE)
