"""Quantization that knows the rate: each symbol is rounded, or moved one step towards the centre.

With the gradient `g` of the distortion, in bits, and its curvature `h` at the present latent, a
symbol that changes its component by `d` changes the cost by about

    g d + h d^2 / 2 + bits(y_hat + d) - bits(y_hat)

of which the lesser of two candidates is taken: the rounded value, and its neighbour towards the
centre of its distribution, which takes fewer bits. All symbols move at once. The gradient is
therefore taken again, a few times. Video coders know it as RDOQ.

The curvature is one number for each channel, the mean diagonal of the Hessian over the positions,
by Hutchinson's estimator: for `v` of independent signs, `E[v (H v)]` is the diagonal, where `H v`
is the difference of two gradients.

#### References
Hutchinson, A stochastic estimator of the trace of the influence matrix for Laplacian smoothing
splines, 1989, https://doi.org/10.1080/03610918908812806.
"""

import tensorflow as tf

from tfusq.models import Part
from tfusq.models.visitors import EstimatingVisitor, sum_of_image
from tfusq.models.wavefront import Serial
from tfusq.quantization.rounding import quantize
from tfusq.refinement.picture import Best, Latents, Look, Picture, the_better

# Times that all symbols are chosen.
PASSES = 3

# Length of the difference by which gradients are differentiated, in steps of the quantizer: of the
# order of the changes that are judged.
_DIFFERENCE = 0.5


class _Expansion:
  """The distortion around a quantized latent, to second order.

  Attributes:
    at: The latent, `float32[1, height, width, channels]`.
    slope: Gradient of the distortion in bits, of the same shape.
    curvature: Second derivative of each channel, `float32[1, 1, 1, channels]`.
  """

  def __init__(self, at: tf.Tensor, slope: tf.Tensor, curvature: tf.Tensor):
    self.at = at
    self.slope = slope
    self.curvature = curvature

  def of(self, part: Part, y_hat: tf.Tensor) -> tf.Tensor:
    """Returns how much each component of a part changes the distortion.

    Args:
      part: The part.
      y_hat: The part as it may be quantized.
    """
    difference = y_hat - part.of(self.at)
    curvature = self.curvature[..., part.channels]
    return part.of(self.slope) * difference + curvature * tf.square(difference) / 2


class _ChoosingVisitor(EstimatingVisitor):
  """Chooses the symbols of the image's own latent by their cost; rounds all others.

  Attributes:
    written: Each part that was visited, quantized.
  """

  def __init__(self, picture: Picture, latents: Latents, mask: tf.Tensor, expansion: _Expansion):
    """Initializer.

    Args:
      picture: The picture.
      latents: Real-valued latents.
      mask: 1 where a component may be moved, else 0, of the shape of the image's own latent.
      expansion: Distortion around the present choice.
    """
    super().__init__(picture.model, latents, picture.centre)
    self._mask = mask
    self._expansion = expansion
    self.written: list[tuple[Part, tf.Tensor]] = []

  def visit_serially(self, part: Part, context: Serial) -> tf.Tensor:
    # The context sees the choice of the pass before, as each position would have to wait otherwise.
    raw = tf.cast(context.raw(self._expansion.at), tf.float32)
    parameters = self.model.entropy_models[part.latent].parameters(raw)
    y_hat = self._quantize(part, parameters)
    self._add(part, parameters, y_hat)
    return y_hat

  def _quantize(self, part, parameters):
    y = part.of(self.latents[part.latent])
    symbols, y_hat = quantize(y, self._centre(part.latent, parameters))
    if part.latent == self.model.image_latent:
      y_hat = self._cheaper(part, parameters, symbols, y_hat)
    self.written.append((part, y_hat))
    return y_hat

  def _cheaper(self, part, parameters, symbols, y_hat):
    """Returns the part with each component's cheaper candidate."""
    entropy_model = self.model.entropy_models[part.latent]
    # Towards the mean, where there is one; else towards zero.
    has_centre = entropy_model.has_centre()
    from_centre = y_hat - entropy_model.centre(parameters) if has_centre else symbols
    # A value within half a step of the centre has no neighbour that is nearer to it.
    towards = tf.where(tf.abs(from_centre) > 0.5, -tf.sign(from_centre), 0)
    neighbour = y_hat + towards * part.of(self._mask)

    def cost(candidate):
      bits = entropy_model.bits(candidate, parameters)
      return bits + self._expansion.of(part, candidate)

    return tf.where(cost(neighbour) < cost(y_hat), neighbour, y_hat)

  def _bits(self, part, parameters, y_tilde):
    entropy_model = self.model.entropy_models[part.latent]
    return sum_of_image(entropy_model.bits(y_tilde, parameters))


def choose(
  picture: Picture, latents: Latents, mask: tf.Tensor, seed: tf.Tensor, best: Best, look: Look
) -> Best:
  """Chooses the symbols of the image's own latent by their cost.

  Args:
    picture: The picture.
    latents: Real-valued latents.
    mask: 1 where a position may be moved, else 0, `float32[1, height, width, 1]`.
    seed: Seed of the estimate of the curvature, a scalar `int64`.
    best: The best latents so far.
    look: Function from latents to their cost when they are rounded.

  Returns:
    The best latents that were seen, with which the chosen symbols are rounded to themselves.
  """
  name = picture.model.image_latent
  y = latents[name]
  mask = mask * tf.ones_like(y)
  rounded = tf.ensure_shape(picture.walk(picture.rounded(latents)), y.shape)
  curvature = curvatures(picture, rounded, seed)

  def choose_all(number, y_hat, best):
    expansion = _Expansion(y_hat, _slope(picture, y_hat), curvature)
    visitor = _ChoosingVisitor(picture, latents, mask, expansion)
    y_hat = tf.ensure_shape(picture.walk(visitor), y.shape)
    # What may not be moved stays as it is where it is not rounded.
    chosen = latents | {name: tf.where(mask > 0, y_hat, y)}
    return number + 1, y_hat, the_better(best, chosen, look)

  _, _, best = tf.while_loop(
    lambda number, *_: number < PASSES,
    choose_all,
    (tf.constant(0), rounded, best),
    parallel_iterations=1,
  )
  return best


def curvatures(picture: Picture, y_hat: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
  """Returns the distortion's second derivative in each channel, in bits, at least 0.

  Args:
    picture: The picture.
    y_hat: Quantized latent around which it is taken, `float32[1, height, width, channels]`.
    seed: Seed of the estimate, a scalar `int64`.

  Returns:
    `float32[1, 1, 1, channels]`.
  """
  is_up = tf.random.stateless_uniform(tf.shape(y_hat), [seed, 0], 0, 2, tf.int32)
  signs = tf.cast(2 * is_up - 1, tf.float32)
  offset = _DIFFERENCE / 2 * signs
  difference = _slope(picture, y_hat + offset) - _slope(picture, y_hat - offset)
  diagonal = signs * difference / _DIFFERENCE
  return tf.maximum(tf.reduce_mean(diagonal, [0, 1, 2], keepdims=True), 0)


def _slope(picture: Picture, y_hat: tf.Tensor) -> tf.Tensor:
  """Returns the gradient of the distortion, in bits, by the quantized latent."""
  with tf.GradientTape(watch_accessed_variables=False) as tape:
    tape.watch(y_hat)
    distortion = picture.distortion(y_hat)
  return tape.gradient(distortion, y_hat)
