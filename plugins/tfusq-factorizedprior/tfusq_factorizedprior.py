"""A codec whose latent nothing conditions, as a model for tfusq."""

import tensorflow as tf

import tfusq
from tfusq.transforms import ceil_div, pad_to_multiple


class FactorizedPrior(tfusq.Model):
  """One latent, one density for each of its channels, and no hyperlatent.

  #### References
  Balle, Laparra and Simoncelli, End-to-end optimized image compression, 2017, and its model
  `bmshj2018-factorized` in TensorFlow Compression.
  """

  encoder_only = ('analysis',)
  parts = 0  # no network decides a table

  def __init__(
    self,
    entropy_model: tfusq.EntropyModel,
    filters: int = 128,
    latent_channels: int = 192,
    analysis: tfusq.Transforms | None = None,
    synthesis: tfusq.Transforms | None = None,
  ):
    """Initializer.

    Args:
      entropy_model: Of the latent y; an unconditional one.
      filters: Width N of the transforms.
      latent_channels: M, the channels of y.
      analysis: Whose analysis transform to use; strided convolutions by default.
      synthesis: Whose synthesis transform to use, likewise.

    Raises:
      ValueError: if the entropy model needs parameters.
    """
    super().__init__(name='factorized_prior')
    if entropy_model.channels:
      raise ValueError(
        'FactorizedPrior.entropy_model is conditioned on nothing; '
        f'{type(entropy_model).__name__} needs parameters'
      )
    convolutional = tfusq.Convolutional()
    self.analysis = (analysis or convolutional).analysis(filters, latent_channels)
    self.synthesis = (synthesis or convolutional).synthesis(filters, latent_channels)
    self.entropy_models = {'y': entropy_model}
    entropy_model.build(latent_channels)

  def latents(self, x):
    return {'y': self.analysis(pad_to_multiple(x, 16))}

  def walk(self, visitor, batch, height, width):
    shape = [batch, ceil_div(height, 16), ceil_div(width, 16), 0]
    return visitor.visit(tfusq.Part('y'), tf.zeros(shape))

  def reconstruct(self, y_hat, height, width):
    return self.synthesis(y_hat)[:, :height, :width]
