"""The paper's codecs by the paper's names (Sec. 6.1.1): networks, and the walk through a latent."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfusq import transforms
from tfusq.entropy_models import EntropyModel


class Part(NamedTuple):
  """A piece of a latent that is coded at once."""
  latent: str
  channels: slice = slice(None)


# Given a part and the raw parameters for it, returns its quantized latent.
Visit = Callable[[Part, tf.Tensor], tf.Tensor]


class Model(tf.keras.layers.Layer):
  """Networks of a codec: the base class of the group `tfusq.models`.

  Attributes:
    entropy_models: The entropy model of each latent by name, in coding order; the last is the
      image's own and the one that may be quantized zero-centre.
    parts: How many parts `walk` visits whose table indexes a network decides.
    encoder_only: Names of the sub-networks that decoding does not need: the post stage freezes
      them, and a codec's identity leaves them out.
  """

  entropy_models: dict[str, EntropyModel]
  parts: int
  encoder_only: tuple[str, ...]

  def latents(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the real-valued latents by name.

    Args:
      x: Image, `[batch, height, width, 3]`, float, 0 to 1.
    """
    raise NotImplementedError

  def walk(self, visit: Visit, batch: tf.Tensor, height: tf.Tensor,
           width: tf.Tensor) -> tf.Tensor:
    """Visits every part in coding order.

    Training, estimating, encoding and decoding are visitors of this one walk, and everything that
    decides a table index is computed in it: by the convolutions of `tfusq.transforms`, which are
    exact there once exported, and by single operations that IEEE 754 defines. With others, files
    may be refused on another machine than the one that wrote them.

    Args:
      visit: Called with each part and its raw parameters; what it returns is all that later
        parts and the reconstruction know of the part.
      batch: Scalar `int32`: how many images.
      height: Scalar `int32`: of the image, in pixels.
      width: Likewise.

    Returns:
      The quantized latent that `reconstruct` takes.
    """
    raise NotImplementedError

  def reconstruct(self, y_hat: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns the image, `[batch, height, width, 3]`, float, nominally 0 to 1."""
    raise NotImplementedError


class Hyperprior(Model):
  """What models of a latent and one hyperlatent share.

  Attributes:
    analysis: Image to latent y.
    synthesis: Quantized latent to image.
    hyper_analysis: Latent to hyperlatent z, which a subclass gives.
  """

  encoder_only = ('analysis', 'hyper_analysis')

  def __init__(self, name: str, entropy_model: EntropyModel, hyper_entropy_model: EntropyModel,
               filters: int, latent_channels: int):
    """Initializer.

    Args:
      name: Of the Keras layer.
      entropy_model: Of the latent y, conditioned on z.
      hyper_entropy_model: Of the hyperlatent z; an unconditional one.
      filters: Width N of the transforms, and the channels of z.
      latent_channels: M, the channels of y.

    Raises:
      ValueError: if a size is less than 1, or an entropy model of the wrong kind.
    """
    super().__init__(name=name)
    label = type(self).__name__
    for argument, kind in (('entropy_model', entropy_model),
                           ('hyper_entropy_model', hyper_entropy_model)):
      if not isinstance(kind, EntropyModel):
        raise TypeError(f'{label}.{argument} must be an EntropyModel, not {kind!r}')
    for argument, size in (('filters', filters), ('latent_channels', latent_channels)):
      if not (isinstance(size, int) and size > 0):
        raise ValueError(f'{label}.{argument} must be a positive integer, not {size!r}')
    if hyper_entropy_model.channels:
      raise ValueError(f'{label}.hyper_entropy_model is conditioned on nothing; '
                       f'{type(hyper_entropy_model).__name__} needs parameters')
    if not entropy_model.channels:
      raise ValueError(f'{label}.entropy_model is conditioned on z; '
                       f'{type(entropy_model).__name__} takes no parameters')
    self.analysis = transforms.analysis(filters, latent_channels)
    self.synthesis = transforms.synthesis(filters)
    self.entropy_models = {'z': hyper_entropy_model, 'y': entropy_model}
    hyper_entropy_model.build(filters)
    entropy_model.build(latent_channels)

  def latents(self, x):
    y = self.analysis(transforms.pad_to_multiple(x, 16))
    return {'z': self.hyper_analysis(transforms.pad_to_multiple(y, 4)), 'y': y}

  def visit_hyperlatent(self, visit: Visit, batch: tf.Tensor, height: tf.Tensor,
                        width: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Visits z; returns it quantized, and the latent's height and width."""
    height, width = (transforms.ceil_div(size, 16) for size in (height, width))
    unconditional = tf.zeros(
        [batch, transforms.ceil_div(height, 4), transforms.ceil_div(width, 4), 0])
    return visit(Part('z'), unconditional), height, width

  def reconstruct(self, y_hat, height, width):
    return self.synthesis(y_hat)[:, :height, :width]


class MSHyper(Hyperprior):
  """Mean-scale hyperprior: MS-hyper, and MS-hyper-zero where quantized zero-centre.

  #### References
  Minnen, Balle and Toderici, Joint autoregressive and hierarchical priors, 2018, without the
  context model.
  """

  parts = 1

  def __init__(self, entropy_model: EntropyModel, hyper_entropy_model: EntropyModel,
               filters: int = 192, latent_channels: int = 320):
    """Initializer.

    Args:
      entropy_model: Of the latent y, conditioned on z.
      hyper_entropy_model: Of the hyperlatent z; an unconditional one.
      filters: Width N of the transforms, and the channels of z.
      latent_channels: M, the channels of y.

    Raises:
      ValueError: if a size is less than 1, or an entropy model of the wrong kind.
    """
    super().__init__('ms_hyper', entropy_model, hyper_entropy_model, filters, latent_channels)
    self.hyper_analysis = transforms.hyper_analysis(filters)
    self.hyper_synthesis = transforms.hyper_synthesis(
        latent_channels, entropy_model.channels * latent_channels)

  def walk(self, visit, batch, height, width):
    z_hat, height, width = self.visit_hyperlatent(visit, batch, height, width)
    return visit(Part('y'), self.hyper_synthesis(z_hat)[:, :height, :width])


class Charm(Hyperprior):
  """Channel-wise autoregressive: Charm, and Charm-zero where quantized zero-centre.

  The latent is coded in slices of its channels; each is conditioned on z and on the first slices
  before it. Every parameter of the entropy model has transforms of its own. Without latent
  residual prediction, as in Sec. 6.1.1.

  #### References
  Minnen and Singh, Channel-wise autoregressive entropy models for learned image compression, 2020,
  and its model `ms2020.py` in TensorFlow Compression.
  """

  def __init__(self, entropy_model: EntropyModel, hyper_entropy_model: EntropyModel,
               filters: int = 192, latent_channels: int = 320, slices: int = 10,
               max_support: int = 5):
    """Initializer.

    Args:
      entropy_model: Of the latent y, conditioned on z and on slices of y.
      hyper_entropy_model: Of the hyperlatent z; an unconditional one.
      filters: Width N of the transforms, and the channels of z.
      latent_channels: M, the channels of y; the other networks' widths are in proportion.
      slices: How many slices y is coded in; a divisor of `latent_channels`.
      max_support: How many of the first slices condition later ones.

    Raises:
      ValueError: if a number is out of range, or an entropy model of the wrong kind.
    """
    super().__init__('charm', entropy_model, hyper_entropy_model, filters, latent_channels)
    if not (isinstance(slices, int) and slices > 0 and latent_channels % slices == 0):
      raise ValueError(f'Charm.slices must divide Charm.latent_channels = {latent_channels}, '
                       f'not {slices!r}')
    if not (isinstance(max_support, int) and max_support >= 0):
      raise ValueError(f'Charm.max_support must be an integer of at least 0, not {max_support!r}')
    self.parts = slices
    self._depth = latent_channels // slices
    self._max_support = max_support
    self.hyper_analysis = transforms.channelwise_hyper_analysis(filters, latent_channels)
    self.hyper_synthesis = transforms.Parallel([
        transforms.channelwise_hyper_synthesis(filters, latent_channels)
        for _ in range(entropy_model.channels)])
    self.context = [
        transforms.Parallel([transforms.slice_transform(latent_channels, self._depth)
                             for _ in range(entropy_model.channels)])
        for _ in range(slices)]

  def walk(self, visit, batch, height, width):
    z_hat, height, width = self.visit_hyperlatent(visit, batch, height, width)
    features = [feature[:, :height, :width] for feature in self.hyper_synthesis([z_hat])]
    y_hat = []
    for place, context in enumerate(self.context):
      support = y_hat[:self._max_support]
      raw = tf.concat(context([tf.concat([feature, *support], -1) for feature in features]), -1)
      y_hat.append(visit(
          Part('y', slice(place * self._depth, (place + 1) * self._depth)), raw))
    return tf.concat(y_hat, -1)
