"""Charm."""

import tensorflow as tf

from tfusq import transforms
from tfusq.entropy_models import EntropyModel
from tfusq.models import contexts
from tfusq.models.base import Hyperprior, Part
from tfusq.transforms import Convolutional, Transforms


class Charm(Hyperprior):
  """Channel-wise autoregressive: Charm, and Charm-zero where quantized zero-centre.

  The latent is coded in slices of its channels; each is conditioned on z and on the first slices
  before it. Every parameter of the entropy model has transforms of its own. Without latent
  residual prediction, as in Sec. 6.1.1.

  #### References
  Minnen and Singh, Channel-wise autoregressive entropy models for learned image compression, 2020,
  and its model `ms2020.py` in TensorFlow Compression.
  """

  def __init__(
    self,
    entropy_model: EntropyModel,
    hyper_entropy_model: EntropyModel,
    filters: int = 192,
    latent_channels: int = 320,
    slices: int = 10,
    max_support: int = 5,
    analysis: Transforms = Convolutional(),
    synthesis: Transforms = Convolutional(),
  ):
    """Initializer; the other arguments and what is raised are those of `Hyperprior`.

    Args:
      latent_channels: M, the channels of y; the other networks' widths are in proportion.
      slices: How many slices y is coded in; a divisor of `latent_channels`.
      max_support: How many of the first slices condition later ones.
    """
    super().__init__(
      'charm', entropy_model, hyper_entropy_model, filters, latent_channels, analysis, synthesis
    )
    if not (isinstance(slices, int) and slices > 0 and latent_channels % slices == 0):
      raise ValueError(
        f'Charm.slices must divide Charm.latent_channels = {latent_channels}, not {slices!r}'
      )
    if not (isinstance(max_support, int) and max_support >= 0):
      raise ValueError(f'Charm.max_support must be an integer of at least 0, not {max_support!r}')
    self.parts = slices
    self._depth = latent_channels // slices
    self._max_support = max_support
    self.hyper_analysis = transforms.channelwise_hyper_analysis(filters, latent_channels)
    self.hyper_synthesis = contexts.Parallel(
      [
        transforms.channelwise_hyper_synthesis(filters, latent_channels)
        for _ in range(entropy_model.channels)
      ]
    )
    self.context = [
      contexts.Parallel(
        [
          contexts.slice_transform(latent_channels, self._depth)
          for _ in range(entropy_model.channels)
        ]
      )
      for _ in range(slices)
    ]

  def walk(self, visitor, batch, height, width):
    z_hat, height, width = self.visit_hyperlatent(visitor, batch, height, width)
    features = [feature[:, :height, :width] for feature in self.hyper_synthesis([z_hat])]
    y_hat = []
    for place, context in enumerate(self.context):
      support = y_hat[: self._max_support]
      raw = tf.concat(context([tf.concat([feature, *support], -1) for feature in features]), -1)
      y_hat.append(
        visitor.visit(Part('y', slice(place * self._depth, (place + 1) * self._depth)), raw)
      )
    return tf.concat(y_hat, -1)
