"""Models with a serial context: MS-context, Cheng-anchor and Cheng-attn."""

import tensorflow as tf

from tfusq import transforms
from tfusq.entropy_models import EntropyModel
from tfusq.models import contexts
from tfusq.models.base import Hyperprior, Part, Visitor
from tfusq.models.start import RawLayers
from tfusq.models.wavefront import Serial
from tfusq.transforms import Convolutional, Residual, Transforms


class SerialHyperprior(Hyperprior):
  """Base of the models whose latent is conditioned on z and, position by position, on itself.

  Attributes:
    hyper_synthesis: Hyperlatent to features; a subclass sets it.
    context: Causal convolution over the latent; a subclass sets it.
    parameters: Context and features to the entropy model's raw parameters; a subclass sets it.
  """

  parts = 1
  serial = True

  def walk(
    self, visitor: Visitor, batch: tf.Tensor, height: tf.Tensor, width: tf.Tensor
  ) -> tf.Tensor:
    z_hat, height, width = self.visit_hyperlatent(visitor, batch, height, width)
    features = self.hyper_synthesis(z_hat)[:, :height, :width]
    return visitor.visit_serially(Part('y'), Serial(self.context, self.parameters, features))

  def raw_layers(self):
    return [RawLayers(slice(None), [self.parameters.layers[-1]])]


class MSContext(SerialHyperprior):
  """Joint autoregressive and hierarchical priors: MS-context, nonzero-centre.

  #### References
  Minnen, Balle and Toderici, Joint autoregressive and hierarchical priors for learned image
  compression, 2018. https://arxiv.org/abs/1809.02736
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
    """Initializer.

    Args:
      entropy_model: Entropy model of the latent y, conditioned on z and on y itself.
      hyper_entropy_model: Entropy model of the hyperlatent z, an unconditional one.
      filters: Width N of the transforms, and channels of z.
      latent_channels: M, the channels of y.
      analysis: Transforms of which the analysis is used.
      synthesis: Transforms of which the synthesis is used.

    Raises:
      TypeError: if an argument is of another type.
      ValueError: if a size is less than 1, or an entropy model of the wrong kind.
    """
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
    # The widths of Minnen et al.: 1067 and 853 of M = 320, in proportion.
    widths = [latent_channels * 10 // 3, latent_channels * 8 // 3]
    outputs = latent_channels * entropy_model.channels
    self.parameters = contexts.parameter_network([*widths, outputs])


class Cheng(SerialHyperprior):
  """Residual transforms and a mixture: Cheng-anchor, and Cheng-attn with attention.

  The sizes are those of the authors' code.

  #### References
  Cheng, Sun, Takeuchi and Katto, Learned image compression with discretized Gaussian mixture
  likelihoods and attention modules, 2020. https://arxiv.org/abs/2001.01568
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
    """Initializer.

    Args:
      entropy_model: Entropy model of the latent y, conditioned on z and on y itself.
      hyper_entropy_model: Entropy model of the hyperlatent z, an unconditional one.
      filters: Width N of the transforms, and channels of z.
      latent_channels: M, the channels of y; the original's are N.
      hidden: Width of the network that gives the parameters.
      analysis: Transforms of which the analysis is used.
      synthesis: Transforms of which the synthesis is used.

    Raises:
      TypeError: if an argument is of another type.
      ValueError: if a size is less than 1, or an entropy model of the wrong kind.
    """
    super().__init__(
      'cheng', entropy_model, hyper_entropy_model, filters, latent_channels, analysis, synthesis
    )
    if not (isinstance(hidden, int) and hidden > 0):
      raise ValueError(f'Cheng.hidden must be a positive integer, not {hidden!r}')

    self.hyper_analysis = transforms.residual_hyper_analysis(filters)
    self.hyper_synthesis = transforms.residual_hyper_synthesis(filters)
    self.context = contexts.Causal(2 * latent_channels)
    outputs = latent_channels * entropy_model.channels
    self.parameters = contexts.parameter_network([hidden, hidden, outputs])
