"""The loss that trains a codec, `R + lambda D` (Eq. 5), from surrogates of the quantized latents.

For each part `y` of a latent, with entropy parameters `p` and noise `u`,

    offset  = stop_gradient(centre(p))
    bits    = rate.evaluate(-log2 P(. | p), y, u, offset)
    y_tilde = distortion(y, u, offset)
    loss    = sum(bits) / pixels + lmbda unit D(x, synthesis(y_tilde))

in the mean over the images of a batch, where lambda may be each image's own. The distortion `D` and
its unit are of `tfusq.training.distortions`: by default the mean squared error and 255^2.

Here `distortion(...)` is `Q(y - offset) + offset` with the gradient that its estimator gives, and
`rate.evaluate(f, ...)` is `f` of such a sample, Eq. (24); it takes the function, because the
estimator EP is one of `f`. Only zero-centre quantization has an offset (Sec. 5.3).

The rate and the distortion have a quantizer each, and see the same noise: where both surrogates are
equal, both terms see the same sample. Contexts and the hyper synthesis read `y_tilde`.

The partial stop-gradient of Sec. 5.3: `Q(y - mu) + mu` has the gradient `1 - J` with respect to
`mu`, where `J` is that of `Q` (see `tfusq.quantization.quantizer`). It is zero for AUN and for
rounding with STE, but noise for annealed surrogates, and is stopped in the distortion. In the rate
it is stopped too by default; there `mu` keeps its gradient through the density `P(. | mu, sigma)`.
"""

from typing import NamedTuple

import tensorflow as tf

from tfusq.models import CentredModel
from tfusq.models.gained import Gains
from tfusq.models.variable_rate import Target
from tfusq.models.visitors import EstimatingVisitor, sum_of_image
from tfusq.quantization.estimators import Undefined
from tfusq.quantization.quantizer import Quantizer
from tfusq.training import distribute
from tfusq.training.distortions import Distortion, squared_error


class RateDistortion(NamedTuple):
  """Rate and distortion of a batch of images.

  All terms but the reconstruction are means over the images, scalars.

  Attributes:
    loss: `R + lambda D` in bits per pixel, Eq. (5), times the weight of each image's loss.
    bpp: Bits of all latents per pixel.
    distortion: `lambda D` in bits per pixel, `D` in its unit.
    measured: `D` by the measure that is trained for; not yet in its unit.
    mse: Mean squared error of images from 0 to 1.
    reconstruction: `[batch, height, width, 3]`, float.
  """

  loss: tf.Tensor
  bpp: tf.Tensor
  distortion: tf.Tensor
  measured: tf.Tensor
  mse: tf.Tensor
  reconstruction: tf.Tensor

  def psnr(self) -> tf.Tensor:
    """Returns the PSNR of the mean squared error in dB, at most 100."""
    # A floor of 1e-10 keeps that of a perfect reconstruction finite.
    return -10 * tf.math.log(tf.maximum(self.mse, 1e-10)) / tf.math.log(10.0)

  def of_all_replicas(self) -> 'RateDistortion':
    """Returns those of the joint batch, with this replica's reconstruction."""
    loss, bpp, distortion, measured, mse = distribute.mean_of_replicas(list(self[:-1]))
    return RateDistortion(loss, bpp, distortion, measured, mse, self.reconstruction)


class SurrogateVisitor(EstimatingVisitor):
  """Quantizes by surrogates: the training-time forward calculation of rate and distortion."""

  def __init__(
    self,
    centred_model: CentredModel,
    quantizers: dict[str, tuple[Quantizer, Quantizer]],
    stop_offset: dict[str, bool],
    seed: int | tf.Tensor,
    latents: dict[str, tf.Tensor],
    index: tf.Tensor,
    gains: Gains | None = None,
  ):
    """Draws the noise.

    Args:
      centred_model: Networks, entropy models and centring.
      quantizers: Quantizers of the rate and of the distortion, by the name of the latent.
      stop_offset: Whether the gradient stops at the offset, for `rate` and for `distortion`.
      seed: Seed of the run, an `int64` if it is a tensor.
      latents: Real-valued latents of images by name, at their qualities.
      index: `int64[batch]`, the number of each image in the run, which its noise depends on.
      gains: Gains of the images' qualities; None where the rate is fixed.
    """
    super().__init__(centred_model.at(gains), latents, centred_model.centre)
    self._quantizers = quantizers
    self._stop_offset = stop_offset

    self._noise = {}
    for number, latent in enumerate(self.model.entropy_models):
      y = tf.stop_gradient(self.latents[latent])
      rate, distortion = quantizers[latent]
      # One seed for both terms. It depends on the latent by its place in coding order.
      latent_seed = tf.convert_to_tensor([seed, number], tf.int64)
      self._noise[latent] = {
        'rate': _draw_noise(rate, y, latent_seed, index),
        'distortion': _draw_noise(distortion, y, latent_seed, index),
      }

  def _quantize(self, part, parameters):
    _, distortion = self._quantizers[part.latent]
    y, u, offset = self._arguments('distortion', part, parameters)
    return distortion(y, u, offset)

  def _bits(self, part, parameters, y_tilde):
    del y_tilde  # the rate has a sample of its own
    rate, _ = self._quantizers[part.latent]
    entropy_model = self.model.entropy_models[part.latent]
    y, u, offset = self._arguments('rate', part, parameters)

    bits = rate.evaluate(lambda v: entropy_model.bits(v, parameters), y, u, offset)
    return sum_of_image(bits)

  def _arguments(self, term, part, parameters):
    """Returns the arguments of a term's quantizer: latent, noise and offset of a part."""
    y = part.of(self.latents[part.latent])
    u = part.of(self._noise[part.latent][term])

    offset = self._centre(part.latent, parameters)
    if offset is not None and self._stop_offset[term]:
      offset = tf.stop_gradient(offset)
    return y, u, offset


def _draw_noise(quantizer, y, latent_seed, index):
  """Draws the noise of each image by itself, so that it is the same on whichever replica."""

  def draw(image, image_index):
    image_seed = tf.random.experimental.stateless_fold_in(latent_seed, image_index)
    return quantizer.noise(image, image_seed)

  if index.shape[0] is not None:
    images = tf.split(y, index.shape[0])
    u = tf.concat([draw(*pair) for pair in zip(images, tf.unstack(index), strict=True)], 0)
  else:  # under several workers, whose batches may differ for all that TensorFlow knows
    u = tf.map_fn(
      lambda pair: draw(pair[0][None], pair[1])[0], (y, index), fn_output_signature=y.dtype
    )
  # A surrogate may draw one number for a whole latent, and parts are cut out of its noise.
  return tf.broadcast_to(u, tf.shape(y))


def rate_distortion(
  x: tf.Tensor, visitor: EstimatingVisitor, measure: Distortion, target: Target
) -> RateDistortion:
  """Walks through the latents of images, and returns their rate and distortion.

  Args:
    x: Images, `[batch, height, width, 3]`, float, 0 to 1.
    visitor: `EstimatingVisitor` of the same images.
    measure: Distortion to measure.
    target: Lambda, weight and gains of each image.
  """
  batch, height, width = tf.unstack(tf.shape(x))[:3]
  y_tilde = visitor.model.walk(visitor, batch, height, width)
  reconstruction = tf.cast(visitor.model.reconstruct(y_tilde, height, width), tf.float32)

  bpp = sum(visitor.bits[1:], visitor.bits[0]) / tf.cast(height * width, tf.float32)
  measured = measure(x, reconstruction)
  distortion = target.lmbda * measure.unit * measured
  return RateDistortion(
    loss=tf.reduce_mean(target.weight * (bpp + distortion)),
    bpp=tf.reduce_mean(bpp),
    distortion=tf.reduce_mean(distortion),
    measured=tf.reduce_mean(measured),
    mse=tf.reduce_mean(squared_error(x, reconstruction)),
    reconstruction=reconstruction,
  )


def check_quantizers(quantizers: dict[str, Quantizer], owner: str = 'Codec') -> None:
  """Refuses what is no quantizer, or none for its term of the loss.

  Args:
    quantizers: Arguments of a constructor, by their names.
    owner: Class of the constructor.

  Raises:
    TypeError: if one is no quantizer.
    Undefined: if a distortion's estimator is defined for elementwise losses only.
  """
  for name, quantizer in quantizers.items():
    if not isinstance(quantizer, Quantizer):
      raise TypeError(f'{owner}.{name} must be a Quantizer, not {quantizer!r}')

  for name, quantizer in quantizers.items():
    estimator = quantizer.estimator
    if estimator.elementwise and name.endswith('distortion'):
      raise Undefined(
        f'{owner}.{name}: {type(estimator).__name__} is defined for elementwise losses (the rate) '
        'only, and the distortion mixes the components of the latent: use PGE or STE'
      )
