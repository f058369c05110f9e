"""Visitors of a codec's walk that estimate the rate of images: the base class, and rounding."""

import abc
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfusq.models.base import Part, Visitor
from tfusq.models.gained import Networks
from tfusq.models.wavefront import Serial
from tfusq.quantization.rounding import quantize

# Maps a latent's name and its parameters to the centre of zero-centre quantization, or to None.
Centre = Callable[[str, tuple | None], tf.Tensor | None]


class EstimatingVisitor(Visitor):
  """Quantizes each part, and collects its estimated bits.

  A subclass defines `_quantize` and `_bits`.

  Attributes:
    model: Networks and entropy models.
    latents: Real-valued latents by name, `[batch, height, width, channels]` each.
    bits: Bits of each part that was visited, `[batch]` each.
    parameters: Each part that was visited, with its entropy parameters.
  """

  def __init__(self, model: Networks, latents: dict[str, tf.Tensor], centre: Centre):
    """Initializer.

    Args:
      model: Networks and entropy models.
      latents: Real-valued latents by name, such as `model.latents` gives them.
      centre: Centre of each latent, such as `CentredModel.centre`.
    """
    self.model = model
    # A plugin's networks may compute in 16 bits; here everything is float32.
    self.latents = {latent: tf.cast(y, tf.float32) for latent, y in latents.items()}
    self.bits: list[tf.Tensor] = []
    self.parameters: list[tuple[Part, NamedTuple]] = []
    self._centre = centre

  def visit(self, part: Part, raw: tf.Tensor) -> tf.Tensor:
    raw = tf.cast(raw, tf.float32)
    parameters = self.model.entropy_models[part.latent].parameters(raw)
    y_tilde = self._quantize(part, parameters)
    self._add(part, parameters, y_tilde)
    return y_tilde

  def visit_serially(self, part: Part, context: Serial) -> tf.Tensor:
    # The context reads the quantized latent, whose parameters are therefore known only afterwards.
    y_tilde = self._quantize(part, None)
    raw = tf.cast(context.raw(y_tilde), tf.float32)
    parameters = self.model.entropy_models[part.latent].parameters(raw)
    self._add(part, parameters, y_tilde)
    return y_tilde

  def _add(self, part: Part, parameters: NamedTuple, y_tilde: tf.Tensor) -> None:
    self.bits.append(self._bits(part, parameters, y_tilde))
    self.parameters.append((part, parameters))

  @abc.abstractmethod
  def _quantize(self, part: Part, parameters: tuple | None) -> tf.Tensor:
    """Returns what later parts and the reconstruction see of a part.

    Args:
      part: The part.
      parameters: Entropy parameters; None in a serial context, which is never zero-centre.
    """

  @abc.abstractmethod
  def _bits(self, part: Part, parameters: NamedTuple, y_tilde: tf.Tensor) -> tf.Tensor:
    """Returns a part's bits in each image, `[batch]`.

    Args:
      part: The part.
      parameters: Entropy parameters.
      y_tilde: Return value of `_quantize` for the part.
    """


class RoundingVisitor(EstimatingVisitor):
  """Rounds each part, as coding does."""

  def _quantize(self, part, parameters):
    y = part.of(self.latents[part.latent])
    _, y_hat = quantize(y, self._centre(part.latent, parameters))
    return y_hat

  def _bits(self, part, parameters, y_tilde):
    entropy_model = self.model.entropy_models[part.latent]
    return sum_of_image(entropy_model.bits(y_tilde, parameters))


def sum_of_image(x: tf.Tensor) -> tf.Tensor:
  """Returns the sums over each image's numbers, `[batch]`.

  Args:
    x: `[batch, height, width, channels]`.
  """
  return tf.reduce_sum(x, [1, 2, 3])
