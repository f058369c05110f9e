"""What a codec's networks are, and the walk through their latents."""

from typing import NamedTuple

import tensorflow as tf

from tfusq import transforms
from tfusq.entropy_models import EntropyModel
from tfusq.models.contexts import Serial
from tfusq.transforms import Transforms


class Part(NamedTuple):
  """A piece of a latent that is coded at once.

  Attributes:
    latent: Its name.
    channels: Of the latent.
    positions: `int32[n]`, in raster order of the latent; None is all of them.
  """

  latent: str
  channels: slice = slice(None)
  positions: tf.Tensor | None = None

  def of(self, latent: tf.Tensor) -> tf.Tensor:
    """Returns the part of a tensor that is shaped as the whole latent.

    Args:
      latent: `[batch, height, width, channels]`.

    Returns:
      `[batch, height, width, channels]` with all positions, or `[batch, n, 1, channels]`.
    """
    piece = latent[..., self.channels]
    if self.positions is None:
      return piece
    batch, height, width, channels = tf.unstack(tf.shape(piece))
    piece = tf.reshape(piece, [batch, height * width, 1, channels])
    return tf.gather(piece, self.positions, axis=1)


class Visitor:
  """What is done at each part of a walk: training, estimating, encoding, decoding.

  What a visit returns is all that later parts and the reconstruction know of the part.
  """

  def visit(self, part: Part, raw: tf.Tensor) -> tf.Tensor:
    """Visits a part whose raw parameters depend on parts before it.

    Args:
      part: Which.
      raw: Network output of `part.of`'s shape, with the entropy model's number of channels.

    Returns:
      The quantized part.
    """
    raise NotImplementedError

  def visit_serially(self, part: Part, context: Serial) -> tf.Tensor:
    """Visits a part whose raw parameters depend on its own positions before.

    Args:
      part: Which; it has all positions.
      context: What gives the raw parameters.

    Returns:
      The quantized part.
    """
    raise NotImplementedError


class Model(tf.keras.layers.Layer):
  """Networks of a codec: the base class of the group `tfusq.models`.

  Attributes:
    entropy_models: The entropy model of each latent by name, in coding order; the last is the
      image's own and the one that may be quantized zero-centre.
    parts: How many parts `walk` visits whose table indexes a network decides.
    encoder_only: Names of the sub-networks that decoding does not need: the post stage freezes
      them, and a codec's identity leaves them out.
    serial: Whether positions of the last latent condition others at once in training, so that it
      can't be quantized around a centre that depends on them.
  """

  entropy_models: dict[str, EntropyModel]
  parts: int
  encoder_only: tuple[str, ...]
  serial = False

  @property
  def image_latent(self) -> str:
    """Name of the image's own latent, the last in coding order."""
    return list(self.entropy_models)[-1]

  def networks(self) -> dict[str, list[tf.keras.layers.Layer]]:
    """Returns the layers in each attribute that holds some, by its name."""
    found = {}
    for name, value in vars(self).items():
      # Keras wraps lists.
      layers = (
        list(value.values())
        if isinstance(value, dict)
        else (list(value) if isinstance(value, (list, tuple)) else [value])
      )
      if not name.startswith('_') and all(isinstance(x, tf.keras.layers.Layer) for x in layers):
        found[name] = layers
    return {name: layers for name, layers in found.items() if layers}

  def latents(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the real-valued latents by name.

    Args:
      x: Image, `[batch, height, width, 3]`, float, 0 to 1.
    """
    raise NotImplementedError

  def walk(
    self, visitor: Visitor, batch: tf.Tensor, height: tf.Tensor, width: tf.Tensor
  ) -> tf.Tensor:
    """Visits every part in coding order.

    Training, estimating, encoding and decoding are visitors of this one walk, and everything that
    decides a table index is computed in it: by the convolutions of `tfusq.transforms`, which are
    exact there once exported, and by single operations that IEEE 754 defines. With others, files
    may be refused on another machine than the one that wrote them.

    Args:
      visitor: What is done at each part.
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

  def __init__(
    self,
    name: str,
    entropy_model: EntropyModel,
    hyper_entropy_model: EntropyModel,
    filters: int,
    latent_channels: int,
    analysis: Transforms,
    synthesis: Transforms,
  ):
    """Initializer.

    Args:
      name: Of the Keras layer.
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
    super().__init__(name=name)
    label = type(self).__name__
    for argument, kind in (
      ('entropy_model', entropy_model),
      ('hyper_entropy_model', hyper_entropy_model),
    ):
      if not isinstance(kind, EntropyModel):
        raise TypeError(f'{label}.{argument} must be an EntropyModel, not {kind!r}')
    for argument, kind in (('analysis', analysis), ('synthesis', synthesis)):
      if not isinstance(kind, Transforms):
        raise TypeError(f'{label}.{argument} must be Transforms, not {kind!r}')
    for argument, size in (('filters', filters), ('latent_channels', latent_channels)):
      if not (isinstance(size, int) and size > 0):
        raise ValueError(f'{label}.{argument} must be a positive integer, not {size!r}')
    if hyper_entropy_model.channels:
      raise ValueError(
        f'{label}.hyper_entropy_model is conditioned on nothing; '
        f'{type(hyper_entropy_model).__name__} needs parameters'
      )
    if not entropy_model.channels:
      raise ValueError(
        f'{label}.entropy_model is conditioned on z; '
        f'{type(entropy_model).__name__} takes no parameters'
      )
    self.analysis = analysis.analysis(filters, latent_channels)
    self.synthesis = synthesis.synthesis(filters, latent_channels)
    self.entropy_models = {'z': hyper_entropy_model, 'y': entropy_model}
    hyper_entropy_model.build(filters)
    entropy_model.build(latent_channels)

  def latents(self, x):
    y = self.analysis(transforms.pad_to_multiple(x, 16))
    return {'z': self.hyper_analysis(transforms.pad_to_multiple(y, 4)), 'y': y}

  def visit_hyperlatent(
    self, visitor: Visitor, batch: tf.Tensor, height: tf.Tensor, width: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Visits z; returns it quantized, and the latent's height and width."""
    height, width = (transforms.ceil_div(size, 16) for size in (height, width))
    unconditional = tf.zeros(
      [batch, transforms.ceil_div(height, 4), transforms.ceil_div(width, 4), 0]
    )
    return visitor.visit(Part('z'), unconditional), height, width

  def reconstruct(self, y_hat, height, width):
    return self.synthesis(y_hat)[:, :height, :width]
