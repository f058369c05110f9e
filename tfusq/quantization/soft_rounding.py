"""Soft rounding, its slope and its denoiser, in forms that hold in float32 (Sec. 4.1.1, Eq. 9, 15).

With `m = floor(y) + 1/2`, `e = y - m` and `T = tanh(alpha / 2)`,

    s(y)  = m + tanh(alpha e) / (2 T)
    s'(y) = alpha sech^2(alpha e) / (2 T)
    r(v)  = s^-1(v - 1/2) + 1/2

All three are equivariant to integer shifts, and `r(s(y) +- 1/2) = y +- 1/2`.

#### References
Agustsson and Theis, Universally quantized neural compression, 2020, Sec. 4.1.
"""

import tensorflow as tf

from tfusq.quantization.gradients import with_slope


def soft_round(y: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
  """Soft rounding, `s(y) = m + tanh(alpha e) / (2 T)`, Eq. (9).

  `m = floor(y) + 1/2`, `e = y - m`, `T = tanh(alpha / 2)`. Its gradient is `soft_round_slope`.

  Args:
    y: Latent, any shape, float.
    alpha: Positive scalar of the same dtype; below 1e-3 it is taken as 1e-3, where `s(y) = y` to
      within 1e-7.

  Returns:
    Soft-rounded latent.
  """
  alpha = tf.maximum(alpha, 1e-3)
  constant = tf.stop_gradient(y)
  middle = tf.floor(constant) + 0.5
  soft = middle + tf.tanh(alpha * (constant - middle)) / (2 * tf.tanh(alpha / 2))
  return with_slope(soft, y, soft_round_slope(constant, alpha))


def soft_round_slope(y: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
  """`s'(y)`, from `alpha / sinh(alpha)` at integers to `alpha / (2 T)` at half-integers.

  Args:
    y: Latent, any shape, float.
    alpha: Positive scalar of the same dtype.

  Returns:
    Slope of `soft_round`, without a gradient of its own.
  """
  alpha = tf.maximum(alpha, 1e-3)
  y = tf.stop_gradient(y)
  # sech^2 by the decaying exponential: `1 - tanh^2` is 13 % off by alpha = 16 in float32.
  decay = tf.exp(-2 * alpha * tf.abs(y - tf.floor(y) - 0.5))
  return alpha / (2 * tf.tanh(alpha / 2)) * 4 * decay / tf.square(1 + decay)


def soft_round_slope_ratio(y: tf.Tensor, w: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
  """`s'(y) / s'(w)`, also where both slopes underflow; at most `exp(80)`.

  Args:
    y: Latent, any shape, float.
    w: Another, of the same shape.
    alpha: Positive scalar of the same dtype.

  Returns:
    The ratio, without a gradient of its own.
  """
  alpha = tf.maximum(alpha, 1e-3)
  distance_y, distance_w = (
    tf.abs(x - tf.floor(x) - 0.5) for x in (tf.stop_gradient(y), tf.stop_gradient(w))
  )
  # sech^2(x) = 4 exp(-2 x) / (1 + exp(-2 x))^2, the exponentials divided as a difference.
  exponent = tf.minimum(2 * alpha * (distance_w - distance_y), 80.0)
  rest = (1 + tf.exp(-2 * alpha * distance_w)) / (1 + tf.exp(-2 * alpha * distance_y))
  return tf.exp(exponent) * tf.square(rest)


def denoise(v: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
  """The denoiser `r(v) = s^-1(v - 1/2) + 1/2`: the mean of `y` given `s(y) + u = v`, Eq. (15).

  Args:
    v: Noisy soft-rounded latent, any shape, float.
    alpha: Positive scalar of the same dtype.

  Returns:
    Denoised latent, without a gradient (see `SUA`, which has it in closed form).
  """
  alpha = tf.maximum(alpha, 1e-3)
  v = tf.stop_gradient(v) - 0.5
  middle = tf.floor(v) + 0.5
  q = v - middle
  # atanh(x) = log1p(2 x / (1 - x)) / 2 at x = 2 T |q|, where 1 - x must not cancel as T -> 1.
  x = 2 * tf.tanh(alpha / 2) * tf.abs(q)
  complement = 2 * tf.exp(-alpha) / (1 + tf.exp(-alpha)) + (
    tf.tanh(alpha / 2) * (1 - 2 * tf.abs(q))
  )
  e = tf.sign(q) * tf.math.log1p(2 * x / complement) / (2 * alpha)
  return middle + tf.clip_by_value(e, -0.5, 0.5) + 0.5
