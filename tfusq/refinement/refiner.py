"""A codec's refinement of a picture: all steps, region by region."""

from collections.abc import Callable

import tensorflow as tf

from tfusq.models import CentredModel, Gains
from tfusq.refinement import rate_aware
from tfusq.refinement.optimization import Budget, descend
from tfusq.refinement.picture import Best, Latents, Picture
from tfusq.refinement.refinement import Refinement
from tfusq.refinement.regions import Regions
from tfusq.training.distortions import Distortion
from tfusq.transforms import pixels


class Refiner:
  """Refines the latents of pictures for one codec.

  Symbols are chosen by rate-aware quantization; then latents are optimized through surrogates from
  where the encoder has them; then the symbols of the best state are chosen once more. Whatever is
  not better when it is rounded is not used.

  Attributes:
    refinement: Surrogates and settings of the optimization.
    measure: Distortion that the codec is trained for.
  """

  def __init__(
    self, centred_model: CentredModel, refinement: Refinement, measure: Distortion, lmbda: float
  ):
    """Initializer.

    Args:
      centred_model: A codec's model, its variables created.
      refinement: Surrogates and settings of the optimization.
      measure: Distortion that the codec is trained for.
      lmbda: Weight of the distortion, where the rate is fixed.
    """
    self.refinement = refinement
    self.measure = measure
    self._centred_model = centred_model
    self._lmbda = lmbda
    self._regions = Regions(centred_model)

  def takes(self, image: tf.Tensor) -> tf.Tensor:
    """Returns whether a picture is large enough for the distortion, a boolean scalar.

    Args:
      image: `uint8[height, width, 3]`.
    """
    return tf.reduce_min(tf.shape(image)[:2]) >= self.measure.least_side

  def lmbda(self, step: int | tf.Tensor) -> float | tf.Tensor:
    """Returns the weight of the distortion at a quality step."""
    variable_rate = self._centred_model.variable_rate
    return self._lmbda if variable_rate is None else variable_rate.lmbda(step)

  def distortion(
    self, image: tf.Tensor, reconstruction: tf.Tensor, step: int | tf.Tensor
  ) -> tf.Tensor:
    """Returns the distortion of a decoded picture in bits, a scalar float64; 0 of one too small.

    Args:
      image: The picture, `uint8[height, width, 3]`.
      reconstruction: The decoded one, of the same shape.
      step: Quality step.
    """
    factor = tf.cast(self.lmbda(step) * self.measure.unit, tf.float64)
    # A distortion of single pixels is summed exactly; one of neighbourhoods may need more of them.
    of_pixels = self.measure.least_side == 1

    def add(number, total):
      region = self._regions.region(image, number)
      part = region.alone if of_pixels else region.of_image
      x, x_hat = (pixels.from_uint8(part(each))[None] for each in (image, reconstruction))
      measured = tf.cast(self.measure(x, x_hat)[0], tf.float64)
      return number + 1, total + factor * region.pixels * measured

    count = tf.where(self.takes(image), self._regions.count(image), 0)
    _, total = tf.while_loop(
      lambda number, _: number < count,
      add,
      (tf.constant(0), tf.constant(0, tf.float64)),
      parallel_iterations=1,
    )
    return total

  def refined(
    self,
    image: tf.Tensor,
    latents: Latents,
    step: int | tf.Tensor,
    gains: Gains | None,
    budget: Budget,
    look: Callable[[tf.Tensor, Latents], tf.Tensor],
  ) -> Latents:
    """Returns the refined latents of a picture.

    Args:
      image: The picture, `uint8[height, width, 3]`.
      latents: Its latents from the encoder, at the quality.
      step: Quality step.
      gains: Gains of the quality; None where the rate is fixed.
      budget: Limits of the optimization of the whole picture.
      look: Function from a picture and its latents to their cost in bits when they are coded, a
        scalar float64.
    """
    total = tf.cast(tf.reduce_prod(tf.shape(image)[:2]), tf.float64)

    def refine_region(number, latents):
      region = self._regions.region(image, number)
      seen = self._regions.latents(latents, region)
      share = tf.cast(region.pixels / total, tf.float32)
      best = self._refined_region(
        region.of_image(image),
        {
          name: tf.ensure_shape(seen[name], [1, None, None, y.shape[3]])
          for name, y in latents.items()
        },
        self._regions.masks(region),
        step,
        gains,
        budget._replace(seconds=budget.seconds * share),
        look,
      )
      return number + 1, self._regions.written(latents, region, best)

    _, latents = tf.while_loop(
      lambda number, _: number < self._regions.count(image),
      refine_region,
      (tf.constant(0), latents),
      parallel_iterations=1,
    )
    return latents

  def _refined_region(self, image, latents, masks, step, gains, budget, look):
    x = pixels.from_uint8(image)[None]
    picture = Picture(self._centred_model, gains, self.measure, self.lmbda(step), x)
    mask = masks[picture.model.image_latent]

    def look_at(latents):
      return look(image, latents)

    def loss(latents, number):
      return picture.loss(latents, self.refinement, budget.seed, number)

    def stage(number, start, best):
      best = rate_aware.choose(picture, start, mask, budget.seed, best, look_at)
      # The second stage chooses the symbols of what the first has found.
      iterations = tf.where(number == 0, budget.iterations, 0)
      limited = budget._replace(iterations=iterations)
      best = descend(loss, self.refinement, masks, limited, start, best, look_at)
      return number + 1, best.latents, best

    stages = tf.where(budget.iterations > 0, 2, 1)
    _, _, best = tf.while_loop(
      lambda number, *_: number < stages,
      stage,
      (tf.constant(0), latents, Best(look_at(latents), latents)),
      parallel_iterations=1,
    )
    return best.latents
