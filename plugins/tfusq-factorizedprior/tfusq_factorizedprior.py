"""A codec whose latent nothing conditions, as a model for tfusq."""

import tensorflow as tf

import tfusq
from tfusq.transforms import ceil_div, pad_to_multiple

# Factor by which a side of the image is larger than that of the latent.
DOWNSAMPLING = 16


class FactorizedPrior(tfusq.Model):
  """One latent, one density for each of its channels, and no hyperlatent.

  Attributes:
    analysis: Network from image to latent.
    synthesis: Network from quantized latent to image.

  #### References
  Balle, Laparra and Simoncelli, End-to-end optimized image compression, 2017,
  https://arxiv.org/abs/1611.01704, and its model `bmshj2018-factorized` in TensorFlow Compression.
  """

  # Decoding needs no analysis, and no network decides a table of the range coder.
  encoder_only = ('analysis',)
  parts = 0

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
      entropy_model: Unconditional entropy model of the latent y.
      filters: Width N of the transforms.
      latent_channels: Number M of channels of y.
      analysis: Pair of transforms whose analysis is used; strided convolutions by default.
      synthesis: Pair of transforms whose synthesis is used; strided convolutions by default.

    Raises:
      ValueError: if the entropy model needs parameters.
    """
    super().__init__(name='factorized_prior')
    if entropy_model.channels:
      raise ValueError(
        'FactorizedPrior.entropy_model is conditioned on nothing; '
        f'{type(entropy_model).__name__} needs parameters'
      )
    analysis = analysis or tfusq.Convolutional()
    synthesis = synthesis or tfusq.Convolutional()

    self.analysis = analysis.analysis(filters, latent_channels)
    self.synthesis = synthesis.synthesis(filters, latent_channels)
    self.entropy_models = {'y': entropy_model}
    entropy_model.build(latent_channels)

  def latents(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
    # Repeats the border, so that what is padded costs few bits.
    return {'y': self.analysis(pad_to_multiple(x, DOWNSAMPLING))}

  def walk(
    self, visitor: tfusq.Visitor, batch: tf.Tensor, height: tf.Tensor, width: tf.Tensor
  ) -> tf.Tensor:
    rows = ceil_div(height, DOWNSAMPLING)
    columns = ceil_div(width, DOWNSAMPLING)
    # Nothing conditions the part, so its raw parameters have no channels.
    return visitor.visit(tfusq.Part('y'), tf.zeros([batch, rows, columns, 0]))

  def reconstruct(self, y_hat: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    return self.synthesis(y_hat)[:, :height, :width]
