"""A model as it is at one quality, or with one quality for each image."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import tensorflow as tf

from tfusq.entropy_models import EntropyModel
from tfusq.models.base import Model, Part, Stage, Visitor
from tfusq.models.wavefront import Serial


class Gains(NamedTuple):
  """Numbers of a quality for each channel of an image's own latent.

  Attributes:
    gain: Factor of the latent before it is quantized, `float32[batch or 1, 1, 1, channels]`.
    inverse_gain: Factor of the quantized latent before it is reconstructed, of the same shape.
    widening: Number that is added to the logarithm of the density's scale, of the same shape.
  """

  gain: tf.Tensor
  inverse_gain: tf.Tensor
  widening: tf.Tensor


class GainedModel:
  """A model's networks between the gains of its image's own latent.

  What is quantized is the latent times its gain, which later stages of the analysis see too; what
  contexts see is this as it was quantized.

  Attributes:
    model: The model.
    gains: The gains.
  """

  def __init__(self, model: Model, gains: Gains):
    """Initializer.

    Args:
      model: The model.
      gains: The gains.
    """
    self.model = model
    self.gains = gains

  @property
  def entropy_models(self) -> dict[str, EntropyModel]:
    """Entropy model of each latent by name, in coding order."""
    return self.model.entropy_models

  @property
  def image_latent(self) -> str:
    """Name of the image's own latent."""
    return self.model.image_latent

  def latents(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns what is quantized, by the latents' names; see `Model.latents`."""
    latents: dict[str, tf.Tensor] = {}
    for stage, _ in self.analysis_stages():
      latents |= stage(x)
      x = list(latents.values())[-1]
    return latents

  def analysis_stages(self) -> list[Stage]:
    """Returns the functions of which `latents` consists; see `Model.analysis_stages`."""
    return [(self._stage_with_gain(stage), cell) for stage, cell in self.model.analysis_stages()]

  def walk(
    self, visitor: Visitor, batch: tf.Tensor, height: tf.Tensor, width: tf.Tensor
  ) -> tf.Tensor:
    """Visits every part in coding order; see `Model.walk`."""
    return self.model.walk(_Widening(self, visitor), batch, height, width)

  def reconstruct(self, y_hat: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns images from what `walk` has returned; see `Model.reconstruct`."""
    return self.model.reconstruct(y_hat * self.gains.inverse_gain, height, width)

  def with_gain(self, latents: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Returns latents by name, the image's own times its gain if it is among them."""
    if self.image_latent not in latents:
      return latents
    y = tf.cast(latents[self.image_latent], tf.float32) * self.gains.gain
    return latents | {self.image_latent: y}

  def _stage_with_gain(
    self, stage: Callable[[tf.Tensor], dict[str, tf.Tensor]]
  ) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    return lambda x: self.with_gain(stage(x))


# What a visitor walks through.
Networks: TypeAlias = Model | GainedModel


class _Widening(Visitor):
  """Widens the densities of the image's own latent on the way to another visitor."""

  def __init__(self, gained: GainedModel, visitor: Visitor):
    self._latent = gained.image_latent
    self._entropy_model = gained.entropy_models[gained.image_latent]
    self._widening = gained.gains.widening
    self._visitor = visitor

  def visit(self, part: Part, raw: tf.Tensor) -> tf.Tensor:
    return self._visitor.visit(part, self._widened(part, raw))

  def visit_serially(self, part: Part, context: Serial) -> tf.Tensor:
    return self._visitor.visit_serially(
      part, context.finished_by(lambda raw: self._widened(part, raw))
    )

  def _widened(self, part: Part, raw: tf.Tensor) -> tf.Tensor:
    if part.latent != self._latent:
      return raw
    return self._entropy_model.widen(raw, self._widening[..., part.channels])
