"""Models with a serial context: MS-context, Cheng-anchor and Cheng-attn."""

from tfusq import transforms
from tfusq.entropy_models import EntropyModel
from tfusq.models import contexts
from tfusq.models.base import Hyperprior, Part
from tfusq.transforms import Convolutional, Residual, Transforms


class SerialHyperprior(Hyperprior):
  """What models share whose latent is conditioned on z and, serially, on itself.

  Attributes:
    hyper_synthesis: Hyperlatent to features, which a subclass gives.
    context: Causal convolution over the latent.
    parameters: Context and features to the entropy model's raw parameters, likewise.
  """

  parts = 1
  serial = True

  def walk(self, visitor, batch, height, width):
    z_hat, height, width = self.visit_hyperlatent(visitor, batch, height, width)
    features = self.hyper_synthesis(z_hat)[:, :height, :width]
    return visitor.visit_serially(
      Part('y'), contexts.Serial(self.context, self.parameters, features)
    )


class MSContext(SerialHyperprior):
  """Joint autoregressive and hierarchical priors: MS-context, nonzero-centre.

  #### References
  Minnen, Balle and Toderici, Joint autoregressive and hierarchical priors, 2018.
  """

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
      'ms_context',
      entropy_model,
      hyper_entropy_model,
      filters,
      latent_channels,
      analysis,
      synthesis,
    )
    self.hyper_analysis = transforms.hyper_analysis(filters)
    self.hyper_synthesis = transforms.hyper_synthesis(latent_channels, 2 * latent_channels)
    self.context = contexts.Causal(2 * latent_channels)
    self.parameters = contexts.parameter_network(
      [
        latent_channels * 10 // 3,
        latent_channels * 8 // 3,
        latent_channels * entropy_model.channels,
      ]
    )


class Cheng(SerialHyperprior):
  """Residual transforms and a mixture: Cheng-anchor, and Cheng-attn with attention.

  #### References
  Cheng, Sun, Takeuchi and Katto, Learned image compression with discretized Gaussian mixture
  likelihoods and attention modules, 2020, and the authors' code.
  """

  def __init__(
    self,
    entropy_model: EntropyModel,
    hyper_entropy_model: EntropyModel,
    filters: int = 192,
    latent_channels: int = 192,
    hidden: int = 640,
    analysis: Transforms = Residual(),
    synthesis: Transforms = Residual(),
  ):
    """Initializer; the other arguments and what is raised are those of `Hyperprior`.

    Args:
      latent_channels: M, the channels of y; the original's are N.
      hidden: Width of the network that gives the parameters.
    """
    super().__init__(
      'cheng', entropy_model, hyper_entropy_model, filters, latent_channels, analysis, synthesis
    )
    if not (isinstance(hidden, int) and hidden > 0):
      raise ValueError(f'Cheng.hidden must be a positive integer, not {hidden!r}')
    self.hyper_analysis = transforms.residual_hyper_analysis(filters)
    self.hyper_synthesis = transforms.residual_hyper_synthesis(filters)
    self.context = contexts.Causal(2 * latent_channels)
    self.parameters = contexts.parameter_network(
      [hidden, hidden, latent_channels * entropy_model.channels]
    )
