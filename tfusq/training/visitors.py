"""Visitors of a codec's walk in training: the forward calculation, and rounding in its place."""

from typing import TYPE_CHECKING

import tensorflow as tf

from tfusq.models import Visitor
from tfusq.quantization.quantizer import Quantizer
from tfusq.quantization.rounding import quantize

if TYPE_CHECKING:
  from tfusq.training.codec import Codec


class Forward(Visitor):
  """What the visitors in training share: of each part its bits, and what is known of it after.

  Attributes:
    latents: The real-valued latents by name.
    bits: Of each part.
    parameters: Each part with its entropy parameters.
  """

  def __init__(self, codec: 'Codec', x: tf.Tensor):
    self._codec = codec
    self.latents = codec.model.latents(x)
    self.bits, self.parameters = [], []

  def visit(self, part, raw):
    parameters = self._codec.model.entropy_models[part.latent].parameters(raw)
    y_tilde = self._quantize(part, parameters)
    self._estimate(part, parameters, y_tilde)
    return y_tilde

  def visit_serially(self, part, context):
    y_tilde = self._quantize(part, None)
    entropy_model = self._codec.model.entropy_models[part.latent]
    self._estimate(part, entropy_model.parameters(context.raw(y_tilde)), y_tilde)
    return y_tilde

  def _estimate(self, part, parameters, y_tilde):
    self.bits.append(self._bits(part, parameters, y_tilde))
    self.parameters.append((part, parameters))

  def _quantize(self, part, parameters):
    """Returns what later parts and the distortion see; without parameters, nonzero-centre."""
    raise NotImplementedError

  def _bits(self, part, parameters, y_tilde):
    """Returns the part's bits, a scalar; `y_tilde` is what `_quantize` gave."""
    raise NotImplementedError

  def _offset(self, part, parameters):
    if not self._codec.zero_centre[part.latent]:
      return None
    return self._codec.model.entropy_models[part.latent].centre(parameters)


class Soft(Forward):
  """The training-time forward calculation, of rate and of distortion, with equal noise."""

  def __init__(self, codec, x, index):
    super().__init__(codec, x)
    self._noise = {
      name: [self._draw(quantizer, y, name, index) for quantizer in codec.quantizers[name]]
      for name, y in self.latents.items()
    }

  def _quantize(self, part, parameters):
    _, distortion = self._codec.quantizers[part.latent]
    _, u = self._noise[part.latent]
    return distortion(
      part.of(self.latents[part.latent]), part.of(u), self._stopped('distortion', part, parameters)
    )

  def _bits(self, part, parameters, y_tilde):
    rate, _ = self._codec.quantizers[part.latent]
    u, _ = self._noise[part.latent]
    entropy_model = self._codec.model.entropy_models[part.latent]
    return tf.reduce_sum(
      rate.evaluate(
        lambda v: entropy_model.bits(v, parameters),
        part.of(self.latents[part.latent]),
        part.of(u),
        self._stopped('rate', part, parameters),
      )
    )

  def _stopped(self, term, part, parameters):
    offset = self._offset(part, parameters)
    stop = offset is not None and self._codec.stop_offset[term]
    return tf.stop_gradient(offset) if stop else offset

  def _draw(self, quantizer: Quantizer, y, latent: str, index):
    """Draws each image's noise from (seed, latent, image), whichever replica holds it."""
    run = tf.constant([self._codec.seed, list(self._codec.quantizers).index(latent)], tf.int64)

    def draw(arguments):
      image, number = arguments
      seed = tf.random.experimental.stateless_fold_in(run, number)
      return quantizer.noise(image[None], seed)[0]

    u = tf.map_fn(draw, (y, index), fn_output_signature=y.dtype)
    return tf.broadcast_to(u, tf.shape(y))


class Hard(Forward):
  """Rounding."""

  def _quantize(self, part, parameters):
    _, y_hat = quantize(part.of(self.latents[part.latent]), self._offset(part, parameters))
    return y_hat

  def _bits(self, part, parameters, y_tilde):
    return tf.reduce_sum(self._codec.model.entropy_models[part.latent].bits(y_tilde, parameters))
