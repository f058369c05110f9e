"""Soft rounding, its slope and its denoiser, in forms that stay accurate in float32.

Let `alpha` be the temperature, `T = tanh(alpha / 2)`, `m = floor(y) + 1/2` the middle of the unit
cell that contains `y`, and `e = y - m`, in `[-1/2, 1/2)`. Then

    soft rounding   s(y)    = m + tanh(alpha e) / (2 T)                                   Eq. (9)
    slope           s'(y)   = alpha sech^2(alpha e) / (2 T)
    inverse         s^-1(v) = m_v + atanh(2 T (v - m_v)) / alpha    with m_v = floor(v) + 1/2
    denoiser        r(v)    = s^-1(v - 1/2) + 1/2                                         Eq. (15)

* For `alpha -> 0`, `s` and `r` are the identity; for `alpha -> inf`, they are rounding.
* Both leave integers and half-integers where they are, and `s(y + k) = s(y) + k`,
  `r(v + k) = r(v) + k` for integer `k`.
* `s'` is smallest at integers, `alpha / sinh(alpha)`, and largest at half-integers,
  `alpha / (2 T)`.
* `r(v)` is the mean of `y` given `s(y) + u = v`, if `u` is uniform on `[-1/2, 1/2]` and `y` locally
  uniform. Its slope is `r'(v) = 1 / s'(r(v) - 1/2)`.
* `s^-1(s(y) +- 1) = y +- 1`, and therefore `r(s(y) +- 1/2) = y +- 1/2`: for every `alpha`,
  `r(s(y) + u)` lies in `[y - 1/2, y + 1/2]`.

#### References
Agustsson and Theis, Universally quantized neural compression, 2020, Sec. 4.1,
https://arxiv.org/abs/2006.09952.
"""

import tensorflow as tf

from tfusq.quantization.gradients import with_slope

# Smaller temperatures are taken as this one. Here `s(y)` differs from `y` by less than 2e-8, which
# float32 hardly resolves; at 0 all formulas would be 0 / 0.
MIN_ALPHA = 1e-3


def soft_round(y: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
  """Soft rounding, `s(y) = m + tanh(alpha e) / (2 T)`, Eq. (9).

  `m = floor(y) + 1/2`, `e = y - m`, `T = tanh(alpha / 2)`. Its gradient is `soft_round_slope`.

  Args:
    y: Latent, any shape, float.
    alpha: Temperature, a positive scalar of the dtype of `y`; at least `MIN_ALPHA` is used.

  Returns:
    Soft-rounded latent, of the shape and dtype of `y`.
  """
  alpha = tf.maximum(alpha, MIN_ALPHA)
  constant = tf.stop_gradient(y)
  middle = tf.floor(constant) + 0.5
  soft = middle + tf.tanh(alpha * (constant - middle)) / (2 * tf.tanh(alpha / 2))

  # Automatic differentiation would compute the slope as `1 - tanh^2`, which cancels.
  return with_slope(soft, y, soft_round_slope(constant, alpha))


def soft_round_slope(y: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
  """Slope of soft rounding, `s'(y) = alpha sech^2(alpha e) / (2 T)`.

  Args:
    y: Latent, any shape, float.
    alpha: Temperature, a positive scalar of the dtype of `y`; at least `MIN_ALPHA` is used.

  Returns:
    Slope of `soft_round` at `y`, of its shape and dtype, without a gradient of its own.
  """
  alpha = tf.maximum(alpha, MIN_ALPHA)
  y = tf.stop_gradient(y)

  # sech^2(x) = 4 exp(-2 x) / (1 + exp(-2 x))^2, whose exponential decays. `1 - tanh^2` is wrong by
  # 13 % at alpha = 16 in float32.
  decay = tf.exp(-2 * alpha * _distance_to_middle(y))
  return alpha / (2 * tf.tanh(alpha / 2)) * 4 * decay / tf.square(1 + decay)


def soft_round_slope_ratio(y: tf.Tensor, w: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
  """Ratio of two slopes, `s'(y) / s'(w)`, also where both underflow; at most `exp(80)`.

  Args:
    y: Latent of the numerator, any shape, float.
    w: Latent of the denominator, of the same shape and dtype.
    alpha: Temperature, a positive scalar of the dtype of `y`; at least `MIN_ALPHA` is used.

  Returns:
    The ratio, of the shape and dtype of `y`, without a gradient of its own.
  """
  alpha = tf.maximum(alpha, MIN_ALPHA)
  distance_y = _distance_to_middle(tf.stop_gradient(y))
  distance_w = _distance_to_middle(tf.stop_gradient(w))

  # In sech^2(x) = 4 exp(-2 x) / (1 + exp(-2 x))^2 the exponentials are divided as the exponential
  # of a difference. float32 ends at exp(88).
  exponent = tf.minimum(2 * alpha * (distance_w - distance_y), 80.0)
  remainder = (1 + tf.exp(-2 * alpha * distance_w)) / (1 + tf.exp(-2 * alpha * distance_y))
  return tf.exp(exponent) * tf.square(remainder)


def denoise(v: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
  """Denoiser of soft rounding, `r(v) = s^-1(v - 1/2) + 1/2`, Eq. (15).

  Args:
    v: Noisy soft-rounded latent, `s(y) + u`, any shape, float.
    alpha: Temperature, a positive scalar of the dtype of `v`; at least `MIN_ALPHA` is used.

  Returns:
    Denoised latent, of the shape and dtype of `v`, without a gradient: `SUA` computes its own in
    closed form.
  """
  alpha = tf.maximum(alpha, MIN_ALPHA)
  shifted = tf.stop_gradient(v) - 0.5
  middle = tf.floor(shifted) + 0.5
  q = shifted - middle

  # atanh(x) = log((1 + x) / (1 - x)) / 2 = log1p(2 x / (1 - x)) / 2 with x = 2 T |q|. The
  # complement 1 - x is the sum of two positive terms, (1 - T) + T (1 - 2 |q|), where
  # 1 - T = 2 exp(-alpha) / (1 + exp(-alpha)), so that it does not cancel as T -> 1.
  x = 2 * tf.tanh(alpha / 2) * tf.abs(q)
  complement_of_t = 2 * tf.exp(-alpha) / (1 + tf.exp(-alpha))
  complement = complement_of_t + tf.tanh(alpha / 2) * (1 - 2 * tf.abs(q))
  e = tf.sign(q) * tf.math.log1p(2 * x / complement) / (2 * alpha)

  # The inverse stays in its cell; rounding errors may leave it.
  return middle + tf.clip_by_value(e, -0.5, 0.5) + 0.5


def _distance_to_middle(y: tf.Tensor) -> tf.Tensor:
  """Returns `|e|`, the distance of `y` to the middle of its unit cell."""
  return tf.abs(y - tf.floor(y) - 0.5)
