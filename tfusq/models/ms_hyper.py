"""MS-hyper."""

import tensorflow as tf

from tfusq import transforms
from tfusq.entropy_models import EntropyModel
from tfusq.models.base import Hyperprior, Part, Visitor
from tfusq.models.start import RawLayers
from tfusq.transforms import Convolutional, Transforms


class MSHyper(Hyperprior):
  """Mean-scale hyperprior: MS-hyper, and MS-hyper-zero where quantized zero-centre.

  It is the model of the reference without its context model.

  #### References
  Minnen, Balle and Toderici, Joint autoregressive and hierarchical priors for learned image
  compression, 2018. https://arxiv.org/abs/1809.02736
  """

  parts = 1

  def __init__(
    self,
    entropy_model: EntropyModel,
    hyper_entropy_model: EntropyModel,
    filters: int = 192,
    latent_channels: int = 320,
    analysis: Transforms = Convolutional(),
    synthesis: Transforms = Convolutional(),
    hyper_width: int | None = None,
  ):
    """Initializer.

    Args:
      entropy_model: Entropy model of the latent y, conditioned on z.
      hyper_entropy_model: Entropy model of the hyperlatent z, an unconditional one.
      filters: Width N of the transforms, and channels of z.
      latent_channels: M, the channels of y.
      analysis: Transforms of which the analysis is used.
      synthesis: Transforms of which the synthesis is used.
      hyper_width: Width of the hyper synthesis, which has most of a light model's weights; None for
        M, as in the paper.

    Raises:
      TypeError: if an argument is of another type.
      ValueError: if a size is less than 1, or an entropy model of the wrong kind.
    """
    super().__init__(
      'ms_hyper', entropy_model, hyper_entropy_model, filters, latent_channels, analysis, synthesis
    )
    if hyper_width is None:
      hyper_width = latent_channels
    self._check_size('hyper_width', hyper_width)

    self.hyper_analysis = transforms.hyper_analysis(filters)
    self.hyper_synthesis = transforms.hyper_synthesis(
      hyper_width, entropy_model.channels * latent_channels
    )

  def walk(
    self, visitor: Visitor, batch: tf.Tensor, height: tf.Tensor, width: tf.Tensor
  ) -> tf.Tensor:
    z_hat, height, width = self.visit_hyperlatent(visitor, batch, height, width)
    raw = self.hyper_synthesis(z_hat)[:, :height, :width]
    return visitor.visit(Part('y'), raw)

  def raw_layers(self):
    return [RawLayers(slice(None), [self.hyper_synthesis.layers[-1]])]
