"""What a pair of transforms is."""

import tensorflow as tf

from tfusq.transforms.layers import GDN, down, to_image, up


class Transforms:
  """Image to latent and back: the base class of the group `tfusq.transforms`.

  A model takes one object for its analysis and one for its synthesis, of which it uses that half.
  """

  def analysis(self, filters: int, latent_channels: int) -> tf.keras.layers.Layer:
    """Returns the analysis transform.

    Args:
      filters: The paper's N.
      latent_channels: The paper's M.

    Returns:
      `[batch, height, width, 3]` -> `[batch, height / 16, width / 16, latent_channels]`, of sizes
      that are multiples of 16.
    """
    raise NotImplementedError

  def synthesis(self, filters: int, latent_channels: int) -> tf.keras.layers.Layer:
    """Returns the synthesis transform.

    Args:
      filters: The paper's N.
      latent_channels: The paper's M.

    Returns:
      `[batch, height, width, latent_channels]` -> `[batch, 16 height, 16 width, 3]`.
    """
    raise NotImplementedError


class Convolutional(Transforms):
  """Four strided 5x5 convolutions with GDN between, and the mirror of it with inverse GDN.

  #### References
  Minnen, Balle and Toderici, Joint autoregressive and hierarchical priors, 2018, Table 1.
  """

  def analysis(self, filters, latent_channels):
    layers = []
    for _ in range(3):
      layers += [down(filters), GDN()]
    return tf.keras.Sequential([*layers, down(latent_channels)], name='analysis')

  def synthesis(self, filters, latent_channels):
    layers = []
    for _ in range(3):
      layers += [up(filters), GDN(inverse=True)]
    return tf.keras.Sequential([*layers, up(3, bias_initializer=to_image())], name='synthesis')
