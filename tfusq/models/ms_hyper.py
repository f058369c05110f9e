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

  def __init__(
    self,
    entropy_model: EntropyModel,
    hyper_entropy_model: EntropyModel,
    filters: int = 192,
    latent_channels: int = 320,
    analysis: Transforms = Convolutional(),
    synthesis: Transforms = Convolutional(),
  ):
    """Initializer; arguments and what is raised are those of `Hyperprior`."""
    super().__init__(
      'ms_hyper', entropy_model, hyper_entropy_model, filters, latent_channels, analysis, synthesis
    )
    self.hyper_analysis = transforms.hyper_analysis(filters)
    self.hyper_synthesis = transforms.hyper_synthesis(
      latent_channels, entropy_model.channels * latent_channels
    )

  def walk(self, visitor, batch, height, width):
    z_hat, height, width = self.visit_hyperlatent(visitor, batch, height, width)
    return visitor.visit(Part('y'), self.hyper_synthesis(z_hat)[:, :height, :width])
