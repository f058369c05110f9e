"""A picture with what it is refined for: its distortion and its rate as functions of its latents.

Costs are counted in bits: the bits of the latents, and the distortion times what a unit of it is
worth in bits, `lambda unit pixels`.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import tensorflow as tf

from tfusq.models import CentredModel, Gains, Visitor
from tfusq.models.visitors import RoundingVisitor
from tfusq.refinement.refinement import Refinement
from tfusq.training.distortions import Distortion
from tfusq.training.loss import SurrogateVisitor

# Real-valued latents of one picture by name, `float32[1, height, width, channels]` each.
Latents: TypeAlias = dict[str, tf.Tensor]


class Best(NamedTuple):
  """The latents of least cost so far, as they are when they are rounded.

  Attributes:
    cost: Their cost in bits, a scalar float64.
    latents: The latents.
  """

  cost: tf.Tensor
  latents: Latents


# Returns the cost in bits of latents that are rounded, a scalar float64.
Look: TypeAlias = Callable[[Latents], tf.Tensor]


class Picture:
  """One picture at one quality, in the floats that networks are differentiated in.

  Attributes:
    model: Networks at the quality.
  """

  def __init__(
    self,
    centred_model: CentredModel,
    gains: Gains | None,
    measure: Distortion,
    lmbda: float | tf.Tensor,
    x: tf.Tensor,
  ):
    """Initializer.

    Args:
      centred_model: A codec's model, its variables created.
      gains: Gains of the quality; None where the rate is fixed.
      measure: Distortion.
      lmbda: Weight of the distortion in bits per pixel for each unit.
      x: The picture, `float32[1, height, width, 3]`, 0 to 1.
    """
    self.model = centred_model.at(gains)
    self._centred_model = centred_model
    self._gains = gains
    self._measure = measure
    self._x = x
    self._size = tf.unstack(tf.shape(x)[1:3])
    self._weight = lmbda * measure.unit * tf.cast(self._size[0] * self._size[1], tf.float32)

  def rounded(self, latents: Latents) -> RoundingVisitor:
    """Returns a visitor that rounds latents.

    Args:
      latents: Real-valued latents.
    """
    return RoundingVisitor(self.model, latents, self._centred_model.centre)

  def centre(self, latent: str, parameters: tuple | None) -> tf.Tensor | None:
    """Returns what is subtracted before rounding, as `CentredModel.centre` does."""
    return self._centred_model.centre(latent, parameters)

  def walk(self, visitor: Visitor) -> tf.Tensor:
    """Walks through the latents; returns what the picture is reconstructed from.

    Args:
      visitor: Visitor of the parts.
    """
    return self.model.walk(visitor, tf.constant(1), *self._size)

  def distortion(self, y_hat: tf.Tensor) -> tf.Tensor:
    """Returns the distortion in bits, a scalar float32.

    Args:
      y_hat: Quantized latent from `walk`.
    """
    reconstruction = tf.cast(self.model.reconstruct(y_hat, *self._size), tf.float32)
    return self._weight * self._measure(self._x, reconstruction)[0]

  def loss(
    self, latents: Latents, refinement: Refinement, seed: tf.Tensor, number: tf.Tensor
  ) -> tf.Tensor:
    """Returns the cost in bits of latents that surrogates quantize, a scalar float32.

    Args:
      latents: Real-valued latents.
      refinement: Pair of quantizers, held at their temperatures.
      seed: Seed of the noise, a scalar `int64`.
      number: Number of the iteration, which the noise depends on, a scalar `int64`.
    """
    pair = (refinement.rate, refinement.distortion)
    visitor = SurrogateVisitor(
      self._centred_model,
      dict.fromkeys(latents, pair),
      # As in training, a mean has its gradient through the density alone (Sec. 5.3).
      {'rate': True, 'distortion': True},
      seed,
      latents,
      number[None],
      self._gains,
    )
    distortion = self.distortion(self.walk(visitor))
    return sum(visitor.bits[1:], visitor.bits[0])[0] + distortion


def the_better(best: Best, latents: Latents, look: Look) -> Best:
  """Returns the latents of less cost.

  Args:
    best: The best latents so far.
    latents: Other latents, which are looked at.
    look: Function from latents to their cost.
  """
  cost = look(latents)
  # A cost that is not finite is none.
  is_better = cost < best.cost
  chosen = {}
  for name, before in best.latents.items():
    chosen[name] = tf.where(is_better, latents[name], before)
  return Best(tf.where(is_better, cost, best.cost), chosen)
