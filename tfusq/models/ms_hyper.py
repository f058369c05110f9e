"""MS-hyper."""

from tfusq import transforms
from tfusq.entropy_models import EntropyModel
from tfusq.models.base import Hyperprior, Part
from tfusq.transforms import Convolutional, Transforms


class MSHyper(Hyperprior):
  """Mean-scale hyperprior: MS-hyper, and MS-hyper-zero where quantized zero-centre.

  #### References
  Minnen, Balle and Toderici, Joint autoregressive and hierarchical priors, 2018, without the
  context model.
  """

  parts = 1

  def __init__(self, entropy_model: EntropyModel, hyper_entropy_model: EntropyModel,
               filters: int = 192, latent_channels: int = 320,
               analysis: Transforms = Convolutional(), synthesis: Transforms = Convolutional()):
    """Initializer.

    Args:
      entropy_model: Of the latent y, conditioned on z.
      hyper_entropy_model: Of the hyperlatent z; an unconditional one.
      filters: Width N of the transforms, and the channels of z.
      latent_channels: M, the channels of y.
      analysis: Whose analysis transform to use.
      synthesis: Whose synthesis transform to use.

    Raises:
      TypeError: if an entropy model or a pair of transforms is none.
      ValueError: if a size is less than 1, or an entropy model of the wrong kind.
    """
    super().__init__('ms_hyper', entropy_model, hyper_entropy_model, filters, latent_channels,
                     analysis, synthesis)
    self.hyper_analysis = transforms.hyper_analysis(filters)
    self.hyper_synthesis = transforms.hyper_synthesis(
        latent_channels, entropy_model.channels * latent_channels)

  def walk(self, visitor, batch, height, width):
    z_hat, height, width = self.visit_hyperlatent(visitor, batch, height, width)
    return visitor.visit(Part('y'), self.hyper_synthesis(z_hat)[:, :height, :width])
