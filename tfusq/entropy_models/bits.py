"""`-log2` of the mass of a density in unit bins, with gradients that hold in float32."""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from tfusq.quantization.gradients import with_slope


def saturate(bits: tf.Tensor, floor: float) -> tf.Tensor:
  """Lets bits grow only logarithmically where the probability is below `floor`.

  With `b0 = -log2(floor)`, bits above `b0` become `b0 (1 + ln(bits / b0))`: continuous with its
  slope, increasing, and with a gradient of order `b0 / |y - mu|`. At a tiny scale the exact value
  is up to 1e11 bits with gradients to match, and a hard floor has none: neither trains.

  Args:
    bits: `-log2 P`, any shape.
    floor: Probability; 0 leaves the bits as they are.

  Returns:
    Bits of the same shape.
  """
  if not floor:
    return bits
  start = -math.log2(floor)
  beyond = start * (1 + tf.math.log(tf.maximum(bits, start) / start))
  return tf.where(bits > start, beyond, bits)


def gaussian_bits(y: tf.Tensor, mean: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
  """`-log2 (Phi((y + 1/2 - mean) / scale) - Phi((y - 1/2 - mean) / scale))`, Eq. (23), (24).

  By symmetry a function of `d = |y - mean|`. Outside the central bin both ends lie in one tail
  and are taken by the scaled complementary error function, inside they lie on either side of the
  mean and the two parts add: nothing underflows, at any distance or scale, what cancels at large
  scales is below 1e-4 bits in float32, and the gradients are in closed form.

  Args:
    y: Quantized latent or its surrogate, any shape, float32 or float64.
    mean: Broadcastable to `y`.
    scale: Positive, broadcastable to `y`.

  Returns:
    Bits, of the shape of `y`, differentiable in all three.
  """
  mean, scale = tf.broadcast_to(mean, tf.shape(y)), tf.broadcast_to(scale, tf.shape(y))
  mean.set_shape(y.shape)
  scale.set_shape(y.shape)
  bits, by_y, by_scale = _gaussian_bits_and_slopes(
    tf.stop_gradient(y - mean), tf.stop_gradient(scale)
  )
  return with_slope(with_slope(bits, y - mean, by_y), scale, by_scale)


def _gaussian_bits_and_slopes(residual, scale):
  """Returns bits and their derivatives with respect to the residual and the scale."""
  d = tf.abs(residual)
  near = (d - 0.5) / scale  # the bin's ends; the nearer one is negative inside the central bin
  far = (d + 0.5) / scale
  inside = d < 0.5
  root = math.sqrt(0.5)
  decay = tf.exp(-d / tf.square(scale))  # phi(far) / phi(near)

  # Central bin: mass on both sides of the mean. Each branch is kept finite where it is not used.
  near_in, far_in = tf.minimum(near, 0.0), tf.where(inside, far, 1.0)
  central = 0.5 * (tf.math.erf(root * far_in) + tf.math.erf(-root * near_in))
  # Tail: Q(x) = erfcx(x / sqrt(2)) exp(-x^2 / 2) / 2, the exponential of `near` taken out.
  near_out = tf.maximum(near, 0.0)
  far_out = tf.where(inside, 1 / scale, far)
  tail = 0.5 * (tfp.math.erfcx(root * near_out) - decay * tfp.math.erfcx(root * far_out))

  mass = tf.where(inside, central, tail)
  log_mass = tf.math.log(mass) - 0.5 * tf.square(near_out)
  # phi(near) / P, with the same exponential taken out of both.
  hazard = tf.exp(-0.5 * tf.square(near_in)) / (math.sqrt(2 * math.pi) * mass)
  fall = -tf.math.expm1(-d / tf.square(scale))  # 1 - decay, exact at large scales
  by_d = hazard * fall / scale
  by_scale = hazard * (decay / scale - near * fall) / scale
  ln2 = math.log(2)
  return -log_mass / ln2, tf.sign(residual) * by_d / ln2, by_scale / ln2


def laplacian_bits(y: tf.Tensor, mean: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
  """`-log2` of the mass of `exp(-|y - mean| / scale) / (2 scale)` in `[y - 1/2, y + 1/2]`.

  Args:
    y: Quantized latent or its surrogate, any shape, float32 or float64.
    mean: Broadcastable to `y`.
    scale: Positive, broadcastable to `y`.

  Returns:
    Bits, of the shape of `y`, differentiable in all three.
  """
  d = tf.abs(y - mean)
  # Each branch is kept finite where it is not used.
  inner, outer = tf.minimum(d, 0.5), tf.maximum(d, 0.5)
  central = -0.5 * (tf.math.expm1(-(0.5 + inner) / scale) + tf.math.expm1((inner - 0.5) / scale))
  tail = tf.math.log(-0.5 * tf.math.expm1(-1 / scale)) - (outer - 0.5) / scale
  return tf.where(d < 0.5, tf.math.log(central), tail) / -math.log(2)


def mixture_bits(bits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
  """Bits of a mixture.

  Args:
    bits: `-log2` of the mass under each component, `[..., components]`.
    logits: Unnormalized logarithms of the weights, of the same shape.

  Returns:
    Bits, `[...]`.
  """
  ln2 = math.log(2)
  return -tf.reduce_logsumexp(tf.nn.log_softmax(logits) - ln2 * bits, -1) / ln2
