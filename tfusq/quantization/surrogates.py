"""Forward calculations: what stands in for rounding while training (Sec. 4.1.1).

A surrogate maps a latent `y` and noise `u` to `y_tilde`, elementwise, with step size 1. All here
is shift equivariant, `Q(y + k, u) = Q(y, u) + k` for integer `k`, and is computed on the fraction
`y - floor(y)`, so that large latents lose no precision.
"""

from typing import NamedTuple

import tensorflow as tf

from tfusq.quantization.gradients import with_slope
from tfusq.quantization.soft_rounding import (
  denoise,
  soft_round,
  soft_round_slope,
  soft_round_slope_ratio,
)
from tfusq.quantization.temperature import TYPICAL_TEMPERATURES, Schedule, Temperature


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
    discrete: Whether `y_tilde` is an integer.
    typical_temperatures: What the conformance checks try where a temperature is not given: values
      for each of its parameters that takes a schedule, or a mapping from their names to values.
  """

  differentiable = False
  discrete = False
  typical_temperatures = TYPICAL_TEMPERATURES

  def noise(self, y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns what `__call__` takes as `u`: by default U(-1/2, 1/2) of the shape of `y`.

    Args:
      y: Latent, `[batch, ...]`; only its shape and dtype matter.
      seed: `int32[2]`, as of `tf.random.stateless_uniform`; equal seeds give equal noise.

    Returns:
      Noise of the rank of `y`, broadcastable to it.
    """
    return tf.random.stateless_uniform(tf.shape(y), seed, -0.5, 0.5, y.dtype)

  def __call__(self, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Returns `y_tilde`, of the shape and dtype of `y`, as a function of `(y, u)` alone."""
    raise NotImplementedError

  def secant(self, y: tf.Tensor) -> Secant:
    """Returns the law of `y_tilde` as a secant; overriding it admits the estimator EP."""
    raise NotImplementedError(f'{type(self).__name__} has no secant')

  def proxy(self, y: tf.Tensor) -> tf.Tensor:
    """Returns the soft map that STE back-propagates through: by default `y` itself."""
    return y

  def density(self, y_tilde: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Returns the law of one component of `y_tilde` given `y`.

    Overriding it lets the analyses integrate where else they sample.

    Args:
      y_tilde: Where; integers if the surrogate is `discrete`.
      y: Latent; the two broadcast to each other.

    Returns:
      Density, or probability if the surrogate is `discrete`.
    """
    raise NotImplementedError(f'{type(self).__name__} has no density')

  @classmethod
  def has_density(cls) -> bool:
    """Whether `density` is defined, and of this class: what overrides the sample has another."""
    mro = cls.__mro__
    definer = next(base for base in mro if 'density' in vars(base))
    return definer is not Surrogate and not any(
      name in vars(base) for base in mro[: mro.index(definer)] for name in ('__call__', 'noise')
    )

  @classmethod
  def has_secant(cls) -> bool:
    """Whether `secant` is defined, so that EP is."""
    return cls.secant is not Surrogate.secant


class Deterministic(Surrogate):
  """A surrogate without noise."""

  def noise(self, y, seed):
    return tf.zeros(tf.ones_like(tf.shape(y)), y.dtype)


class Annealed(Surrogate):
  """A surrogate with soft rounding of temperature `alpha` in it."""

  def __init__(self, alpha: float | Schedule):
    """Initializer.

    Args:
      alpha: Temperature: a positive number or a schedule.
    """
    super().__init__()
    self.alpha = Temperature(alpha)

  def proxy(self, y):
    return soft_round(y, self.alpha(y.dtype))


class Round(Deterministic):
  """Rounding to the nearest integer, ties to even: the quantizer itself."""

  discrete = True

  def __call__(self, y, u):
    return tf.round(y)

  def density(self, y_tilde, y):
    return tf.cast(y_tilde == tf.round(y), y.dtype)


class AUN(Surrogate):
  """Additive uniform noise, `y + u`, Eq. (10)."""

  differentiable = True

  def __call__(self, y, u):
    return y + u

  def secant(self, y):
    return Secant(y - 0.5, y + 0.5, tf.ones_like(y))

  def density(self, y_tilde, y):
    return _unit_box(y_tilde - y)


class UQi(Surrogate):
  """Universal quantization with independent noise, `round(y + u) - u`, Eq. (13)."""

  def __call__(self, y, u):
    whole, fraction = _split(y)
    return whole + (tf.round(fraction + u) - u)

  def secant(self, y):
    return Secant(y - 0.5, y + 0.5, tf.ones_like(y))

  def density(self, y_tilde, y):
    return _unit_box(y_tilde - y)


class UQs(UQi):
  """Universal quantization with the same noise for a whole latent, `round(y + u) - u`, Eq. (12).

  The first axis of `y` counts latents (images).
  """

  density = UQi.density  # of one component

  def noise(self, y, seed):
    shape = tf.shape(y)
    shape = tf.concat([shape[:1], tf.ones_like(shape[1:])], 0)
    return tf.random.stateless_uniform(shape, seed, -0.5, 0.5, y.dtype)


class SHA(Annealed, Deterministic):
  """Soft-to-hard annealing, `s(y)`, Eq. (9)."""

  differentiable = True

  def __call__(self, y, u):
    return self.proxy(y)


class SGA(Surrogate):
  """Stochastic Gumbel annealing, `floor(y) + w`, Eq. (14).

  `w` is a relaxed sample, `sigmoid((l_up - l_down + g) / tau)` with logistic noise `g`, of the
  two-point law whose logits are minus the inverse hyperbolic tangents of the distances to the two
  integers, over `tau`.

  #### References
  Yang, Bamler and Mandt, Improving inference for neural image compression, 2020.
  """

  differentiable = True
  typical_temperatures = (0.1, 0.5)

  def __init__(self, tau: float | Schedule):
    """Initializer.

    Args:
      tau: Temperature: a positive number or a schedule; rounding as it falls to 0.
    """
    super().__init__()
    self.tau = Temperature(tau)

  def noise(self, y, seed):
    v = tf.random.stateless_uniform(tf.shape(y), seed, dtype=y.dtype)
    # Open at both ends, so that the logistic quantile is finite.
    v = tf.clip_by_value(v, 1e-7, 1 - 1e-7)
    return tf.math.log(v) - tf.math.log1p(-v)

  def __call__(self, y, u):
    tau = self.tau(y.dtype)
    whole, fraction = _split(y)
    logit, slope = self._logit(fraction)
    w = tf.sigmoid((logit + u) / tau)
    return with_slope(whole + w, y, w * (1 - w) * slope / tau)

  def _logit(self, fraction):
    """Returns `l_up - l_down` and its derivative."""
    tau = self.tau(fraction.dtype)
    v = tf.clip_by_value(fraction, 1e-5, 1 - 1e-5)
    return ((tf.atanh(v) - tf.atanh(1 - v)) / tau, (1 / (1 - v * v) + 1 / (v * (2 - v))) / tau)


class SGAHard(SGA):
  """Stochastic Gumbel annealing without relaxation: `floor(y) + 1` with probability `P_up`.

  The distances are clipped at 1e-5, as originally, which leaves `P_up` a jump at integers: 5e-6 at
  the original's highest `tau` of 0.5, but 0.2 at 5, where EP misses it.
  """

  differentiable = False
  discrete = True

  def noise(self, y, seed):
    return Surrogate.noise(self, y, seed)

  def __call__(self, y, u):
    whole, fraction = _split(y)
    up = tf.sigmoid(self._logit(fraction)[0])
    return whole + tf.cast(u + 0.5 < up, y.dtype)

  def secant(self, y):
    whole, fraction = _split(y)
    logit, slope = self._logit(fraction)
    up = tf.sigmoid(logit)
    return Secant(whole, whole + 1, up * (1 - up) * slope)

  def density(self, y_tilde, y):
    whole, fraction = _split(y)
    up = tf.sigmoid(self._logit(fraction)[0])
    return tf.where(y_tilde == whole, 1 - up, tf.where(y_tilde == whole + 1, up, 0))


class SUA(Annealed):
  """Stochastic uniform annealing, `r(s(y) + u)`, Eq. (15).

  `s` is soft rounding with temperature `alpha` and `r` its denoiser. `alpha -> 0` is AUN and
  `alpha -> inf` rounding. Because `r(s(y) +- 1/2) = y +- 1/2`, `y_tilde` lies in
  `[y - 1/2, y + 1/2]` for every `alpha`, and its secant is AUN's times `s'(y)`.

  PGE's gradient is `s'(y) r'(s(y) + u)`, whose mean is carried by rare values as large as
  `sinh(alpha) / alpha`; the grid of float32 noise resolves them up to about `alpha = 14` (1 % of
  the mean), and not beyond.
  """

  differentiable = True

  def __call__(self, y, u):
    alpha = self.alpha(y.dtype)
    whole, fraction = _split(y)
    y_tilde = denoise(soft_round(fraction, alpha) + u, alpha)
    # The support holds in exact arithmetic; where `s` is flat, rounding errors are large.
    y_tilde = tf.clip_by_value(y_tilde, fraction - 0.5, fraction + 0.5)
    # r' = 1 / s'(r - 1/2): the closed form stays right where differentiating `atanh` overflows.
    slope = soft_round_slope_ratio(fraction, y_tilde - 0.5, alpha)
    return with_slope(whole + y_tilde, y, slope)

  def secant(self, y):
    return Secant(y - 0.5, y + 0.5, soft_round_slope(y, self.alpha(y.dtype)))

  def density(self, y_tilde, y):
    return _unit_box(y_tilde - y) * soft_round_slope(y_tilde - 0.5, self.alpha(y.dtype))


class SUAn(Annealed):
  """Stochastic uniform annealing without the denoiser, `s(y) + u`."""

  differentiable = True

  def __call__(self, y, u):
    return self.proxy(y) + u

  def secant(self, y):
    alpha = self.alpha(y.dtype)
    soft = soft_round(y, alpha)
    return Secant(soft - 0.5, soft + 0.5, soft_round_slope(y, alpha))


class SR(Surrogate):
  """Stochastic rounding: `floor(y) + 1` with probability `y - floor(y)`, Eq. (17)."""

  discrete = True

  def __call__(self, y, u):
    whole, fraction = _split(y)
    return whole + tf.floor(fraction + (u + 0.5))

  def secant(self, y):
    whole = tf.floor(y)
    return Secant(whole, whole + 1, tf.ones_like(y))

  def density(self, y_tilde, y):
    return tf.nn.relu(1 - tf.abs(y_tilde - y))


class SRA(Annealed):
  """Stochastic rounding annealing: stochastic rounding of `s(y)`."""

  discrete = True

  def __call__(self, y, u):
    whole, fraction = _split(y)
    return whole + tf.floor(soft_round(fraction, self.alpha(y.dtype)) + (u + 0.5))

  def secant(self, y):
    whole = tf.floor(y)
    return Secant(whole, whole + 1, soft_round_slope(y, self.alpha(y.dtype)))

  def density(self, y_tilde, y):
    return tf.nn.relu(1 - tf.abs(y_tilde - self.proxy(y)))


def _unit_box(distance):
  return tf.cast(tf.abs(distance) <= 0.5, distance.dtype)


def _split(y):
  """Returns `floor(y)` and `y - floor(y)`, both without a gradient."""
  y = tf.stop_gradient(y)
  whole = tf.floor(y)
  return whole, y - whole
