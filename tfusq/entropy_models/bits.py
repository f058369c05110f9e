"""`-log2` of the mass of a density in unit bins, with gradients that hold in float32.

The bits of a latent are `-log2 P(y)`, Eq. (23), with the mass `P(y) = c(y + 1/2) - c(y - 1/2)`, Eq.
(24), of a density with the cumulative distribution function `c`.
Taken literally, the difference underflows to 0 in the tails, where bits become infinite and
gradients vanish, and cancels near the mean where the scale is large. The functions here compute it
by other means in either case. All densities are symmetric, so that the mass is a function of the
distance `d = |y - mean|`.
"""

import math

import tensorflow as tf

from tfusq.entropy_models.erfcx import erfcx
from tfusq.quantization.gradients import with_slope

_LN_2 = math.log(2)


def saturate(bits: tf.Tensor, floor: float) -> tf.Tensor:
  """Lets bits grow only logarithmically where the probability is below `floor`.

  With `b0 = -log2(floor)`, bits above `b0` become `b0 (1 + ln(bits / b0))`: continuous with its
  slope, increasing, and with a gradient of order `b0 / |y - mean|`. At a tiny scale the exact value
  is up to 1e11 bits with gradients to match, and a hard floor has none: neither trains.

  Args:
    bits: `-log2 P`, any shape.
    floor: Probability in [0, 1); 0 leaves the bits as they are.

  Returns:
    Bits of the same shape.
  """
  if not floor:
    return bits
  start = -math.log2(floor)
  saturated = start * (1 + tf.math.log(tf.maximum(bits, start) / start))
  return tf.where(bits > start, saturated, bits)


def gaussian_bits(y: tf.Tensor, mean: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
  """`-log2 (Phi((y + 1/2 - mean) / scale) - Phi((y - 1/2 - mean) / scale))`, Eq. (23), (24).

  Outside the central bin (`d > 1/2`) both ends of a bin lie in one tail, and their masses are taken
  by the scaled complementary error function `erfcx(x) = exp(x^2) erfc(x)`. Inside, they lie on
  either side of the mean and the two parts add. Nothing underflows, at any distance or scale, and
  what cancels at large scales is below 1e-4 bits in float32. The gradients are in closed form: with
  the ends' distances `b = (d + 1/2) / scale` and `c = (d - 1/2) / scale`, the normal density `phi`
  and the mass `P`,

      d bits / d y = -d bits / d mean = sign(y - mean) (phi(c) - phi(b)) / (scale P ln 2)
      d bits / d scale = (b phi(b) - c phi(c)) / (scale P ln 2)

  Args:
    y: Quantized latent or its surrogate, any shape, float32 or float64.
    mean: Mean, broadcastable to `y`, of the same dtype.
    scale: Standard deviation, positive, broadcastable to `y`, of the same dtype.

  Returns:
    Bits, of the shape and dtype of `y`, differentiable in all three.
  """
  mean = tf.broadcast_to(mean, tf.shape(y))
  scale = tf.broadcast_to(scale, tf.shape(y))
  mean.set_shape(y.shape)
  scale.set_shape(y.shape)

  residual = y - mean
  bits, by_residual, by_scale = _gaussian_bits_and_slopes(
    tf.stop_gradient(residual), tf.stop_gradient(scale)
  )
  return with_slope(with_slope(bits, residual, by_residual), scale, by_scale)


def _gaussian_bits_and_slopes(residual, scale):
  """Returns bits and their derivatives with respect to the residual and the scale."""
  d = tf.abs(residual)
  near = (d - 0.5) / scale  # ends of the bin; the nearer one is negative in the central bin
  far = (d + 0.5) / scale
  inside = d < 0.5
  root = math.sqrt(0.5)
  decay = tf.exp(-d / tf.square(scale))  # phi(far) / phi(near)

  # Central bin: the masses on both sides of the mean. Each branch is kept finite where it is not
  # used.
  near_inside = tf.minimum(near, 0.0)
  far_inside = tf.where(inside, far, 1.0)
  central = 0.5 * (tf.math.erf(root * far_inside) + tf.math.erf(-root * near_inside))

  # Tail: Q(x) = erfcx(x / sqrt 2) exp(-x^2 / 2) / 2, where exp(-near^2 / 2) is taken out of both.
  near_outside = tf.maximum(near, 0.0)
  far_outside = tf.where(inside, 1 / scale, far)
  # Both ends in one tensor: it is the longest part of a training step's graph.
  near_tail, far_tail = tf.unstack(erfcx(root * tf.stack([near_outside, far_outside])))
  tail = 0.5 * (near_tail - decay * far_tail)

  mass = tf.where(inside, central, tail)
  log_mass = tf.math.log(mass) - 0.5 * tf.square(near_outside)

  # phi(near) / P, with the same exponential taken out of both.
  hazard = tf.exp(-0.5 * tf.square(near_inside)) / (math.sqrt(2 * math.pi) * mass)
  fall = -tf.math.expm1(-d / tf.square(scale))  # 1 - decay, exact at large scales too
  by_d = hazard * fall / scale
  # b phi(b) - c phi(c) over phi(c), with b = c + 1 / scale and phi(b) = decay phi(c).
  by_scale = hazard * (decay / scale - near * fall) / scale
  return -log_mass / _LN_2, tf.sign(residual) * by_d / _LN_2, by_scale / _LN_2


def laplacian_bits(y: tf.Tensor, mean: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
  """`-log2` of the mass of `exp(-|y - mean| / scale) / (2 scale)` in `[y - 1/2, y + 1/2]`.

  With `d = |y - mean|` and `s = scale` the mass is

      1 - (exp(-(1/2 + d) / s) + exp(-(1/2 - d) / s)) / 2        in the central bin, d < 1/2
      exp(-(d - 1/2) / s) (1 - exp(-1 / s)) / 2                  outside of it

  Args:
    y: Quantized latent or its surrogate, any shape, float32 or float64.
    mean: Mean, broadcastable to `y`, of the same dtype.
    scale: Mean absolute deviation, positive, broadcastable to `y`, of the same dtype.

  Returns:
    Bits, of the shape and dtype of `y`, differentiable in all three.
  """
  d = tf.abs(y - mean)
  # Each branch is kept finite where it is not used: its gradient is multiplied by 0 there, which
  # does not remove inf or nan.
  inner = tf.minimum(d, 0.5)
  outer = tf.maximum(d, 0.5)

  far_side = tf.math.expm1(-(0.5 + inner) / scale)
  near_side = tf.math.expm1((inner - 0.5) / scale)
  central = -0.5 * (far_side + near_side)
  log_tail = tf.math.log(-0.5 * tf.math.expm1(-1 / scale)) - (outer - 0.5) / scale
  return tf.where(d < 0.5, tf.math.log(central), log_tail) / -_LN_2


def mixture_bits(bits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
  """Bits of a mixture, `-log2 sum_k w_k 2^-bits_k` with the weights `w = softmax(logits)`.

  Args:
    bits: `-log2` of the mass under each component, `[..., components]`.
    logits: Unnormalized logarithms of the weights, of the same shape and dtype.

  Returns:
    Bits, `[...]`.
  """
  log_masses = tf.nn.log_softmax(logits) - _LN_2 * bits
  return -tf.reduce_logsumexp(log_masses, -1) / _LN_2
