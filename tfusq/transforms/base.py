"""The interface of transforms between image and latent, and the classic convolutional pair."""

import abc

import tensorflow as tf

from tfusq.transforms.layers import GDN, down, image_bias, up
from tfusq.transforms.networks import Network


class Transforms(abc.ABC):
  """Image to latent and back: the base class of the group `tfusq.transforms`.

  A model takes one object for its analysis and one for its synthesis, of which it uses that half.
  A subclass must define both. Equal objects make equal networks, each time with new variables.

  A layer that either returns may have a method `initialize_from_data(x)`, with training images `x`,
  `float32[batch, height, width, 3]`, 0 to 1. It sets variables to where training starts, to values
  that the images alone decide (see `tfusq.models.Model.initialize_from_data`).

  The layer from `analysis` may have a method `companded(latents)`, elementwise: what a hyper
  analysis sees of the latents, which by default is the latents themselves.
  """

  @abc.abstractmethod
  def analysis(self, filters: int, latent_channels: int) -> tf.keras.layers.Layer:
    """Returns the analysis transform.

    Args:
      filters: Number of channels between the layers, the paper's N.
      latent_channels: Number of channels of the latent, the paper's M.

    Returns:
      A layer from images `[batch, height, width, 3]` in [0, 1], of sizes that are multiples of 16,
      to latents `[batch, height / 16, width / 16, latent_channels]`; float32.
    """

  @abc.abstractmethod
  def synthesis(self, filters: int, latent_channels: int) -> tf.keras.layers.Layer:
    """Returns the synthesis transform.

    Args:
      filters: Number of channels between the layers, the paper's N.
      latent_channels: Number of channels of the latent, the paper's M.

    Returns:
      A layer from latents `[batch, height, width, latent_channels]` to images
      `[batch, 16 height, 16 width, 3]`; float32, not clipped.
    """


class Convolutional(Transforms):
  """Four strided 5x5 convolutions with GDN between, and the mirror of it with inverse GDN.

  #### References
  Minnen, Balle and Toderici, Joint autoregressive and hierarchical priors for learned image
  compression, 2018, Table 1. https://arxiv.org/abs/1809.02736
  """

  def analysis(self, filters, latent_channels):
    layers = []
    for _ in range(3):
      layers += [down(filters), GDN()]
    layers.append(down(latent_channels))
    return Network(layers, name='analysis')

  def synthesis(self, filters, latent_channels):
    layers = []
    for _ in range(3):
      layers += [up(filters), GDN(inverse=True)]
    layers.append(up(3, bias_initializer=image_bias()))
    return Network(layers, name='synthesis')
