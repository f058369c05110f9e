"""Charm."""

import tensorflow as tf

from tfusq import transforms
from tfusq.entropy_models import EntropyModel
from tfusq.models import contexts
from tfusq.models.base import Hyperprior, Part, Visitor
from tfusq.models.start import RawLayers
from tfusq.transforms import Convolutional, Transforms


class Charm(Hyperprior):
  """Channel-wise autoregressive: Charm, and Charm-zero where quantized zero-centre.

  The latent is coded in slices of its channels; each is conditioned on z and on the first slices
  before it. Every parameter of the entropy model has transforms of its own. There is no latent
  residual prediction, as in Sec. 6.1.1 of the paper. The sizes are those of `ms2020.py` in
  TensorFlow Compression.

  #### References
  Minnen and Singh, Channel-wise autoregressive entropy models for learned image compression, 2020.
  https://arxiv.org/abs/2007.08739
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
    """Initializer.

    Args:
      entropy_model: Entropy model of the latent y, conditioned on z and on slices of y.
      hyper_entropy_model: Entropy model of the hyperlatent z, an unconditional one.
      filters: Width N of the transforms, and channels of z.
      latent_channels: M, the channels of y; the other networks' widths are in proportion.
      slices: Number of slices that y is coded in; a divisor of `latent_channels`.
      max_support: Number of the first slices that condition later ones.
      analysis: Transforms of which the analysis is used.
      synthesis: Transforms of which the synthesis is used.

    Raises:
      TypeError: if an argument is of another type.
      ValueError: if a size is out of range, or an entropy model of the wrong kind.
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
    self._parameter_count = entropy_model.channels

    self.hyper_analysis = transforms.channelwise_hyper_analysis(filters, latent_channels)
    hyper_syntheses = []
    for _ in range(self._parameter_count):
      hyper_syntheses.append(transforms.channelwise_hyper_synthesis(filters, latent_channels))
    self.hyper_synthesis = contexts.Parallel(hyper_syntheses)
    self.context = [self._slice_context(latent_channels) for _ in range(slices)]

  def _slice_context(self, latent_channels: int) -> contexts.Parallel:
    networks = []
    for _ in range(self._parameter_count):
      networks.append(contexts.slice_transform(latent_channels, self._depth))
    return contexts.Parallel(networks)

  def walk(
    self, visitor: Visitor, batch: tf.Tensor, height: tf.Tensor, width: tf.Tensor
  ) -> tf.Tensor:
    z_hat, height, width = self.visit_hyperlatent(visitor, batch, height, width)
    features = []
    for feature in self.hyper_synthesis([z_hat] * self._parameter_count):
      features.append(feature[:, :height, :width])

    y_hat: list[tf.Tensor] = []
    for number, context in enumerate(self.context):
      support = y_hat[: self._max_support]
      inputs = [tf.concat([feature, *support], -1) for feature in features]
      raw = tf.concat(context(inputs), -1)
      y_hat.append(visitor.visit(Part('y', self._channels(number)), raw))
    return tf.concat(y_hat, -1)

  def raw_layers(self):
    raw_layers = []
    for number, context in enumerate(self.context):
      layers = [network.layers[-1] for network in context.networks]
      raw_layers.append(RawLayers(self._channels(number), layers))
    return raw_layers

  def _channels(self, number: int) -> slice:
    """Returns the channels of a slice."""
    return slice(number * self._depth, (number + 1) * self._depth)
