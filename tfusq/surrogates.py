"""Forward calculations: what stands in for rounding while training (Sec. 4.1.1).

A surrogate maps a latent `y` and noise `u` to `y_tilde`, elementwise, with step size 1. All here
is shift equivariant, `Q(y + k, u) = Q(y, u) + k` for integer `k`, and is computed on the fraction
`y - floor(y)`, so that large latents lose no precision.
"""

from typing import NamedTuple

import tensorflow as tf

from tfusq.gradients import with_slope
from tfusq.temperature import Schedule, Temperature


class Secant(NamedTuple):
  """`d/dy E[f(Q(y))] = slope * (f(upper) - f(lower))`, for every elementwise `f`."""
  lower: tf.Tensor
  upper: tf.Tensor
  slope: tf.Tensor


class Surrogate(tf.Module):
  """A forward calculation: the base class of the group `tfusq.surrogates`.

  Attributes:
    differentiable: Whether back-propagation through `__call__` at fixed noise is the gradient of
      the sample, which the pathwise gradient estimator (PGE) needs.
  """

  differentiable = False

  def noise(self, y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns what `__call__` takes as `u`: by default U(-1/2, 1/2) of the shape of `y`.

    Args:
      y: Latent, `[batch, ...]`; only its shape and dtype matter.
      seed: `int32[2]`, as of `tf.random.stateless_uniform`; equal seeds give equal noise.

    Returns:
      Noise of the rank of `y`, broadcastable to it.
    """
    return tf.random.stateless_uniform(tf.shape(y), seed, -.5, .5, y.dtype)

  def __call__(self, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Returns `y_tilde`, of the shape and dtype of `y`, as a function of `(y, u)` alone."""
    raise NotImplementedError

  def secant(self, y: tf.Tensor) -> Secant:
    """Returns the law of `y_tilde` as a secant; overriding it admits the estimator EP."""
    raise NotImplementedError(f'{type(self).__name__} has no secant')

  def proxy(self, y: tf.Tensor) -> tf.Tensor:
    """Returns the soft map that STE back-propagates through: by default `y` itself."""
    return y

  @classmethod
  def has_secant(cls) -> bool:
    """Whether `secant` is defined, so that EP is."""
    return cls.secant is not Surrogate.secant


class Round(Surrogate):
  """Rounding to the nearest integer, ties to even: the quantizer itself."""

  def noise(self, y, seed):
    return tf.zeros([1] * y.shape.rank, y.dtype)

  def __call__(self, y, u):
    return tf.round(y)


class AUN(Surrogate):
  """Additive uniform noise, `y + u`, Eq. (10)."""

  differentiable = True

  def __call__(self, y, u):
    return y + u

  def secant(self, y):
    return Secant(y - .5, y + .5, tf.ones_like(y))


class SUA(Surrogate):
  """Stochastic uniform annealing, `r(s(y) + u)`, Eq. (15).

  `s` is soft rounding with temperature `alpha` and `r` its denoiser. `alpha -> 0` is AUN and
  `alpha -> inf` rounding. Because `r(s(y) +- 1/2) = y +- 1/2`, `y_tilde` lies in
  `[y - 1/2, y + 1/2]` for every `alpha`, and its secant is AUN's times `s'(y)`.
  """

  differentiable = True

  def __init__(self, alpha: float | Schedule):
    """Initializer.

    Args:
      alpha: Temperature: a positive number or a schedule.
    """
    super().__init__()
    self.alpha = Temperature(alpha)

  def __call__(self, y, u):
    alpha = self.alpha(y.dtype)
    constant = tf.stop_gradient(y)
    whole = tf.floor(constant)
    fraction = constant - whole
    y_tilde = denoise(soft_round(fraction, alpha) + u, alpha)
    # The support holds in exact arithmetic; where `s` is flat, rounding errors are large.
    y_tilde = tf.clip_by_value(y_tilde, fraction - .5, fraction + .5)
    # r' = 1 / s'(r - 1/2): the closed form stays right where differentiating `atanh` overflows.
    slope = soft_round_slope(fraction, alpha) / soft_round_slope(y_tilde - .5, alpha)
    return with_slope(whole + y_tilde, y, slope)

  def secant(self, y):
    return Secant(y - .5, y + .5, soft_round_slope(y, self.alpha(y.dtype)))

  def proxy(self, y):
    return soft_round(y, self.alpha(y.dtype))


def soft_round(y: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
  """Soft rounding, `s(y) = m + tanh(alpha e) / (2 T)`, Eq. (9).

  `m = floor(y) + 1/2`, `e = y - m`, `T = tanh(alpha / 2)`. Its gradient is `soft_round_slope`.

  Args:
    y: Latent, any shape, float.
    alpha: Positive scalar of the same dtype; below 1e-3 it is taken as 1e-3, where `s(y) = y` to
      within 1e-7.

  Returns:
    Soft-rounded latent.

  #### References
  Agustsson and Theis, Universally quantized neural compression, 2020, Sec. 4.1.
  """
  alpha = tf.maximum(alpha, 1e-3)
  constant = tf.stop_gradient(y)
  middle = tf.floor(constant) + .5
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
  decay = tf.exp(-2 * alpha * tf.abs(y - tf.floor(y) - .5))
  return alpha / (2 * tf.tanh(alpha / 2)) * 4 * decay / tf.square(1 + decay)


def denoise(v: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
  """The denoiser `r(v) = s^-1(v - 1/2) + 1/2`: the mean of `y` given `s(y) + u = v`, Eq. (15).

  Args:
    v: Noisy soft-rounded latent, any shape, float.
    alpha: Positive scalar of the same dtype.

  Returns:
    Denoised latent, without a gradient (see `SUA`, which has it in closed form).
  """
  alpha = tf.maximum(alpha, 1e-3)
  v = tf.stop_gradient(v) - .5
  middle = tf.floor(v) + .5
  q = v - middle
  # atanh(x) = log1p(2 x / (1 - x)) / 2 at x = 2 T |q|, where 1 - x must not cancel as T -> 1.
  x = 2 * tf.tanh(alpha / 2) * tf.abs(q)
  complement = 2 * tf.exp(-alpha) / (1 + tf.exp(-alpha)) + (
      tf.tanh(alpha / 2) * (1 - 2 * tf.abs(q)))
  e = tf.sign(q) * tf.math.log1p(2 * x / complement) / (2 * alpha)
  return middle + tf.clip_by_value(e, -.5, .5) + .5
