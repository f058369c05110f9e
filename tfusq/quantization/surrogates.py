"""Surrogates: the forward calculations that replace rounding in training (Sec. 4.1.1).

A surrogate maps a latent `y` and noise `u` to `y_tilde = Q(y, u)`, elementwise, with step size 1.
With soft rounding `s` and its denoiser `r`, of temperature `alpha` (see `soft_rounding`):

    class      y_tilde                 law of y_tilde given y                            equation
    Round      round(y)                one integer
    AUN        y + u                   uniform on [y - 1/2, y + 1/2]                         (10)
    UQs        round(y + u) - u        as AUN; one u for all components of a latent          (12)
    UQi        round(y + u) - u        as AUN; independent u                                 (13)
    SHA        s(y)                    one value                                              (9)
    SGA        floor(y) + w            w in [0, 1], a relaxed 0 or 1, temperature tau        (14)
    SGAHard    floor(y) + b            b = 1 with SGA's probability P_up, else 0
    SUA        r(s(y) + u)             s'(y_tilde - 1/2) on [y - 1/2, y + 1/2]               (15)
    SUAn       s(y) + u                uniform on [s(y) - 1/2, s(y) + 1/2]
    SR         floor(y) + b            b = 1 with probability y - floor(y), else 0           (17)
    SRA        floor(y) + b            b = 1 with probability s(y) - floor(y), else 0

The noise `u` is uniform on `[-1/2, 1/2]`, but logistic for SGA. All formulas are computed on the
fraction `y - floor(y)`, so that large latents lose no precision.

#### References
Equations: On uniform scalar quantization for learned image compression, 2023,
https://arxiv.org/abs/2309.17051.
AUN: Balle, Laparra and Simoncelli, End-to-end optimized image compression, 2017,
https://arxiv.org/abs/1611.01704.
UQs: Choi, El-Khamy and Lee, Variable rate deep image compression with a conditional autoencoder,
2019, https://arxiv.org/abs/1909.04802.
SGA: Yang, Bamler and Mandt, Improving inference for neural image compression, 2020,
https://arxiv.org/abs/2006.04240.
SUA: Agustsson and Theis, Universally quantized neural compression, 2020,
https://arxiv.org/abs/2006.09952.
SR: Theis, Shi, Cunningham and Huszar, Lossy image compression with compressive autoencoders, 2017,
https://arxiv.org/abs/1703.00395.
"""

import tensorflow as tf

from tfusq.quantization.base import Secant, Surrogate
from tfusq.quantization.gradients import with_slope
from tfusq.quantization.noise import uniform
from tfusq.quantization.schedules import Schedule
from tfusq.quantization.soft_rounding import (
  denoise,
  soft_round,
  soft_round_slope,
  soft_round_slope_ratio,
)
from tfusq.quantization.temperature import Temperature


class Deterministic(Surrogate):
  """Base class of surrogates without noise."""

  def noise(self, y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    return tf.zeros(tf.ones_like(tf.shape(y)), y.dtype)


class Annealed(Surrogate):
  """Base class of surrogates with soft rounding `s` of temperature `alpha`."""

  def __init__(self, alpha: float | Schedule):
    """Initializer.

    Args:
      alpha: Temperature of soft rounding, a positive number or a schedule.
    """
    super().__init__()
    self.alpha = Temperature(alpha)

  def proxy(self, y: tf.Tensor) -> tf.Tensor:
    return soft_round(y, self.alpha(y.dtype))


class Round(Deterministic):
  """Rounding to the nearest integer, ties to even: the quantizer itself."""

  discrete = True

  def __call__(self, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    return tf.round(y)

  def density(self, y_tilde: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return tf.cast(y_tilde == tf.round(y), y.dtype)


class AUN(Surrogate):
  """Additive uniform noise, `y + u`, Eq. (10).

  `E f` is the integral of `f` over `[y - 1/2, y + 1/2]`.
  """

  differentiable = True

  def __call__(self, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    return y + u

  def secant(self, y: tf.Tensor) -> Secant:
    return Secant(y - 0.5, y + 0.5, tf.ones_like(y))

  def density(self, y_tilde: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return _unit_box(y_tilde - y)


class UQi(Surrogate):
  """Universal quantization with independent noise, `round(y + u) - u`, Eq. (13).

  In law it is AUN. The sample at fixed noise is a staircase in `y`, so that PGE has no meaning.
  """

  def __call__(self, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    floor, fraction = _split(y)
    return floor + (tf.round(fraction + u) - u)

  def secant(self, y: tf.Tensor) -> Secant:
    return Secant(y - 0.5, y + 0.5, tf.ones_like(y))

  def density(self, y_tilde: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return _unit_box(y_tilde - y)


class UQs(UQi):
  """Universal quantization with one noise value for each image, `round(y + u) - u`, Eq. (12).

  The first axis of `y` counts the images. Each component by itself has the law of UQi.
  """

  # Assigned again because this class overrides the noise (`has_density`).
  density = UQi.density

  def noise(self, y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    shape = tf.shape(y)
    shape = tf.concat([shape[:1], tf.ones_like(shape[1:])], 0)
    return uniform(shape, seed, -0.5, 0.5, y.dtype)


class SHA(Annealed, Deterministic):
  """Soft-to-hard annealing, `s(y)`, Eq. (9)."""

  differentiable = True

  def __call__(self, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    return self.proxy(y)


class SGA(Surrogate):
  """Stochastic Gumbel annealing, `floor(y) + w`, Eq. (14).

  With the fraction `v = y - floor(y)`, the two integers have the logits

      l_down = -atanh(v) / tau,    l_up = -atanh(1 - v) / tau,

  and `w = sigmoid((l_up - l_down + g) / tau)` is a relaxed sample of 0 or 1. Its noise `g` is
  logistic, the difference of two Gumbel variables. The temperature stands twice, as in the
  original.
  """

  differentiable = True
  typical_temperatures = (0.1, 0.5)

  def __init__(self, tau: float | Schedule):
    """Initializer.

    Args:
      tau: Temperature, a positive number or a schedule. As it falls to 0, this becomes rounding.
    """
    super().__init__()
    self.tau = Temperature(tau)

  def noise(self, y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    v = uniform(tf.shape(y), seed, 0.0, 1.0, y.dtype)
    # Open at both ends, so that the logistic quantile is finite.
    v = tf.clip_by_value(v, 1e-7, 1 - 1e-7)
    return tf.math.log(v) - tf.math.log1p(-v)

  def __call__(self, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    tau = self.tau(y.dtype)
    floor, fraction = _split(y)
    logit, slope = self._logit(fraction)
    w = tf.sigmoid((logit + u) / tau)
    return with_slope(floor + w, y, w * (1 - w) * slope / tau)

  def _logit(self, fraction: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `l_up - l_down` and its derivative with respect to `y`."""
    tau = self.tau(fraction.dtype)
    # The original clips here, too; atanh is infinite at 1.
    v = tf.clip_by_value(fraction, 1e-5, 1 - 1e-5)
    logit = (tf.atanh(v) - tf.atanh(1 - v)) / tau
    slope = (1 / (1 - v * v) + 1 / (v * (2 - v))) / tau
    return logit, slope


class SGAHard(SGA):
  """Stochastic Gumbel annealing without relaxation, `floor(y) + b`.

  `b = 1` with probability `P_up = sigmoid(l_up - l_down)`, else 0, with the logits of `SGA`.

  The clipping of the fraction at 1e-5 leaves `P_up` a jump at integers, which EP misses: 5e-6 at
  the highest `tau` of the original schedule, 0.5, but 0.2 at 5.
  """

  differentiable = False
  discrete = True

  def noise(self, y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    return Surrogate.noise(self, y, seed)

  def __call__(self, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    floor, fraction = _split(y)
    logit, _ = self._logit(fraction)
    return floor + tf.cast(u + 0.5 < tf.sigmoid(logit), y.dtype)

  def secant(self, y: tf.Tensor) -> Secant:
    floor, fraction = _split(y)
    logit, slope = self._logit(fraction)
    up = tf.sigmoid(logit)
    return Secant(floor, floor + 1, up * (1 - up) * slope)

  def density(self, y_tilde: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    floor, fraction = _split(y)
    logit, _ = self._logit(fraction)
    up = tf.sigmoid(logit)
    return tf.where(y_tilde == floor, 1 - up, tf.where(y_tilde == floor + 1, up, 0))


class SUA(Annealed):
  """Stochastic uniform annealing, `r(s(y) + u)`, Eq. (15).

  `s` is soft rounding with temperature `alpha`, `r` its denoiser. For `alpha -> 0` this is AUN, for
  `alpha -> inf` it is rounding. Because `r(s(y) +- 1/2) = y +- 1/2`, `y_tilde` lies in
  `[y - 1/2, y + 1/2]` for every `alpha`, with density `s'(y_tilde - 1/2)` there, Eq. (16), (26):

      E f = integral of f(w) s'(w - 1/2) over w in [y - 1/2, y + 1/2],
      d/dy E f = s'(y) (f(y + 1/2) - f(y - 1/2)),

  since `s'` has period 1. The gradient of PGE is `s'(y) r'(s(y) + u)`. Its mean rests on rare
  values as large as `sinh(alpha) / alpha`; the grid of float32 noise resolves them up to about
  `alpha = 14` (to 1 % of the mean), and not beyond.
  """

  differentiable = True

  def __call__(self, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    alpha = self.alpha(y.dtype)
    floor, fraction = _split(y)
    y_tilde = denoise(soft_round(fraction, alpha) + u, alpha)
    # The support holds in exact arithmetic; where `s` is flat, rounding errors are large.
    y_tilde = tf.clip_by_value(y_tilde, fraction - 0.5, fraction + 0.5)
    # r' = 1 / s'(r - 1/2): the closed form stays right where differentiating `atanh` overflows.
    slope = soft_round_slope_ratio(fraction, y_tilde - 0.5, alpha)
    return with_slope(floor + y_tilde, y, slope)

  def secant(self, y: tf.Tensor) -> Secant:
    return Secant(y - 0.5, y + 0.5, soft_round_slope(y, self.alpha(y.dtype)))

  def density(self, y_tilde: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return _unit_box(y_tilde - y) * soft_round_slope(y_tilde - 0.5, self.alpha(y.dtype))


class SUAn(Annealed):
  """Stochastic uniform annealing without the denoiser, `s(y) + u`.

  `E f` is the integral of `f` over `[s(y) - 1/2, s(y) + 1/2]`.
  """

  differentiable = True

  def __call__(self, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    return self.proxy(y) + u

  def secant(self, y: tf.Tensor) -> Secant:
    alpha = self.alpha(y.dtype)
    soft = soft_round(y, alpha)
    return Secant(soft - 0.5, soft + 0.5, soft_round_slope(y, alpha))


class SR(Surrogate):
  """Stochastic rounding: `floor(y) + 1` with probability `p = y - floor(y)`, Eq. (17).

  `E f = (1 - p) f(floor(y)) + p f(floor(y) + 1)`; its derivative jumps at integers, where the
  secant takes the limit from above.
  """

  discrete = True

  def __call__(self, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    floor, fraction = _split(y)
    return floor + tf.floor(fraction + (u + 0.5))

  def secant(self, y: tf.Tensor) -> Secant:
    floor = tf.floor(y)
    return Secant(floor, floor + 1, tf.ones_like(y))

  def density(self, y_tilde: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return tf.nn.relu(1 - tf.abs(y_tilde - y))


class SRA(Annealed):
  """Stochastic rounding annealing: `floor(y) + 1` with probability `s(y) - floor(y)`.

  This is stochastic rounding of `s(y)`, since `floor(s(y)) = floor(y)`.
  """

  discrete = True

  def __call__(self, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    floor, fraction = _split(y)
    soft = soft_round(fraction, self.alpha(y.dtype))
    return floor + tf.floor(soft + (u + 0.5))

  def secant(self, y: tf.Tensor) -> Secant:
    floor = tf.floor(y)
    return Secant(floor, floor + 1, soft_round_slope(y, self.alpha(y.dtype)))

  def density(self, y_tilde: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return tf.nn.relu(1 - tf.abs(y_tilde - self.proxy(y)))


def _unit_box(distance: tf.Tensor) -> tf.Tensor:
  """Returns the density of the uniform law on [-1/2, 1/2]."""
  return tf.cast(tf.abs(distance) <= 0.5, distance.dtype)


def _split(y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns `floor(y)` and the fraction `y - floor(y)`, both without a gradient."""
  y = tf.stop_gradient(y)
  floor = tf.floor(y)
  return floor, y - floor
