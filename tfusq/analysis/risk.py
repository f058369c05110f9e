"""Gradient estimation risk: bias and variance of the gradient of the rate (Sec. 4.4.2, 4.4.3).

What is measured. The rate of a latent `y` is `l(y_tilde) = -log2 P(y_tilde)` in bits, with a
Gaussian model of mean 0. A surrogate and an estimator turn `y` and noise `u` into a gradient
`g(y, u)`, here by automatic differentiation through the library's own quantizers. At each latent,

    G(y)        = d/dy E_u[l(y_tilde)]      the expected gradient, see `ExpectedGradient`
    bias(y)     = E_u[g(y, u)] - G(y)
    variance(y) = Var_u[g(y, u)]

and Table II reports the means of `|bias(y)|` and `variance(y)` over latents in [-1.5, 1.5].

Bias and variance. They are estimated from the errors `e_i = g(y, u_i) - G(y)` of `N` samples. With
`m_p` the mean of `e_i^p`, `c_4` the fourth central moment and `error_G` the standard error of `G`,

    bias     = m_1,                           its standard error  sqrt(variance / N + error_G^2)
    variance = (m_2 - m_1^2) N / (N - 1),     its standard error  sqrt((c_4 - variance^2) / N)

are unbiased. The quotient of `bias` and its standard error is a z-score: it is about standard
normal if there is no bias.

Absolute bias. `|m_1|` is too large on average: without any bias it is 0.8 standard errors. So the
samples are split into ten folds; each fold gives the size of the bias, and the other nine its sign:

    |bias| ~ 1/N sum_k S_k sign(S_-k),    S_k  = sum of the errors in fold k
                                          S_-k = sum of the errors in all other folds

Since `S_k` and `S_-k` are independent, the mean of this is `|bias| (2 P(the sign is right) - 1)`:
0 without a bias, never above the truth, and nearly the truth if it is a few standard errors.

Where `G` is a mean of samples too, its error would be common to size and sign. Its samples are
therefore split into halves A and B: the size is measured relative to A's mean and the sign relative
to B's, then the other way round, and the two results are averaged. With
`d = mean of A - G = G - mean of B`, sums of `n` errors relative to A and B are `S - n d` and
`S + n d`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfusq.analysis.study import AnalysisError
from tfusq.entropy_models import gaussian_bits
from tfusq.models import tracing
from tfusq.quantization.base import Surrogate
from tfusq.quantization.estimators import EP, PGE, Estimator
from tfusq.quantization.quantizer import Quantizer

# Samples that are drawn at once; bounds the memory. Numbers of samples are multiples of it.
BLOCK = 1000
# With ten folds the sign rests on nine tenths of the samples; with two it would on one half.
_FOLDS = 10
# Latents that are sampled at once; bounds the memory.
_LATENTS = 256
# Blocks count up from a seed. Seeds of different chunks of latents lie further apart than a study
# has blocks, so that no two chunks share their noise.
_SEED_STRIDE = 1_000_000


class Expected(NamedTuple):
  """The gradient of the expected rate at each latent, in bits, `float64[points]`.

  Attributes:
    value: The gradient.
    error: Standard error of `value`.
    half_difference: Mean over half of the samples, the first half of each block, minus `value`. The
      mean over the other half is `value - half_difference`.
  """

  value: np.ndarray
  error: np.ndarray
  half_difference: np.ndarray


class Pointwise(NamedTuple):
  """Gradient estimation risk at each latent, `float64[points]`.

  Attributes:
    bias: Mean of the estimated gradient minus the expected gradient, in bits.
    absolute: Estimate of the absolute bias, without the upward bias of a noisy absolute value.
    bias_error: Standard error of `bias` and `absolute`.
    variance: Variance of the estimated gradient over the noise, in bits^2.
    variance_error: Standard error of `variance`.
  """

  bias: np.ndarray
  absolute: np.ndarray
  bias_error: np.ndarray
  variance: np.ndarray
  variance_error: np.ndarray


class Risk(NamedTuple):
  """Gradient estimation risk, averaged over latents.

  Attributes:
    bias: Mean over the latents of the absolute bias, in bits.
    bias_error: Standard error of `bias`.
    variance: Mean over the latents of the variance over the noise, in bits^2.
    variance_error: Standard error of `variance`.
  """

  bias: float
  bias_error: float
  variance: float
  variance_error: float


def latents(points: int) -> np.ndarray:
  """Returns the midpoints of equal cells of [-1.5, 1.5], the latents of Table II."""
  return 3 * (np.arange(points) + 0.5) / points - 1.5


class RateGradient:
  """Samples of the gradient of the rate by several estimators; traced once for all scales."""

  def __init__(self, surrogate: Surrogate, estimators: Sequence[Estimator]):
    """Initializer.

    Args:
      surrogate: The forward calculation.
      estimators: Backward calculations, which see the same noise.

    Raises:
      Undefined: if an estimator is not defined for the surrogate.
    """
    self._surrogate = surrogate
    self._quantizers = [Quantizer(surrogate, estimator) for estimator in estimators]
    parts = [surrogate, *surrogate.submodules, *estimators]
    self._sample = tf.function(
      self._draw, reduce_retracing=True, autograph=tracing.needs_autograph(parts)
    )

  def _draw(self, y, scale, seed):
    u = scalar_noise(self._surrogate, y, seed)

    gradients = []
    for quantizer in self._quantizers:
      with tf.GradientTape() as tape:
        tape.watch(y)
        bits = quantizer.evaluate(lambda v: _rate(v, scale), y, u)
      gradients.append(tape.gradient(bits, y))

    return tf.stack(gradients)

  def __call__(self, y: np.ndarray, scale: float, seed: Sequence[int]) -> np.ndarray:
    """Returns gradients, in bits.

    Args:
      y: Latents, `float64[samples, points]`.
      scale: Standard deviation of the Gaussian model.
      seed: Two integers, the seed of the noise.

    Returns:
      `float64[estimators, samples, points]`.
    """
    gradients = self._sample(tf.constant(y), tf.constant(scale, tf.float64), tf.constant(seed))
    return gradients.numpy()


def scalar_noise(surrogate: Surrogate, y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
  """Draws noise for independent latents of one component each.

  Args:
    surrogate: The forward calculation.
    y: Latents, any shape, float.
    seed: `int32[2]`.

  Returns:
    Noise of the shape of `y`; no two latents share theirs, even if the surrogate shares noise among
    the components of one latent.
  """
  # The first axis counts latents, so each scalar has to be a row.
  u = surrogate.noise(tf.reshape(y, [-1, 1]), seed)
  return tf.reshape(tf.broadcast_to(u, [tf.size(y), 1]), tf.shape(y))


def _rate(v, scale):
  return gaussian_bits(v, tf.zeros([], v.dtype), scale)


class ExpectedGradient:
  """The gradient of the expected rate, `G(y)`; traced once for all scales.

  It is found in one of three ways:

  * exactly, by EP, where EP is defined;
  * else as the mean of PGE, which is unbiased, where PGE is defined;
  * else as a difference quotient of the mean rate, from halfway to the latent before to halfway to
    the latent after. The result is the mean of `G` over that cell. Cells meet, so that no jump of
    the rate is missed or counted twice. Both ends see the same noise, which keeps the variance of
    the difference small.
  """

  def __init__(self, surrogate: Surrogate):
    """Initializer.

    Args:
      surrogate: The forward calculation.
    """
    self._surrogate = surrogate
    self._exact = surrogate.has_secant()

    self._gradient: Callable[[np.ndarray, float, Sequence[int]], np.ndarray]
    if self._exact:
      self._gradient = RateGradient(surrogate, [EP()])
    elif surrogate.differentiable:
      self._gradient = RateGradient(surrogate, [PGE()])
    else:
      self._gradient = self._difference_quotients

  def _difference_quotients(self, y, scale, seed):
    """Returns `float64[1, samples, points]`, as a `RateGradient` of one estimator does."""
    u = scalar_noise(self._surrogate, tf.constant(y), tf.constant(seed))
    step = (y[0, 1] - y[0, 0]) / 2
    upper = self._rate_at(y + step, u, scale)
    lower = self._rate_at(y - step, u, scale)
    return (upper - lower)[None] / (2 * step)

  def _rate_at(self, y, u, scale):
    y_tilde = self._surrogate(tf.constant(y), u)
    return _rate(y_tilde, tf.constant(scale, tf.float64)).numpy()

  def __call__(self, y: np.ndarray, scale: float, samples: int, seed: int = 0) -> Expected:
    """Returns the expected gradient.

    Args:
      y: Latents, `float64[points]`; evenly spaced if neither EP nor PGE is defined.
      scale: Standard deviation of the Gaussian model.
      samples: Number of noise samples at each latent, a multiple of `BLOCK`; ignored where EP is
        defined.
      seed: Seed of the noise.
    """
    if self._exact:
      exact = self._gradient(y[None], scale, [0, 0])[0, 0]
      return Expected(exact, np.zeros(len(exact)), np.zeros(len(exact)))

    chunks = []
    for seed_offset, chunk in _chunks(y):
      chunks.append(self._mean(chunk, scale, samples, seed, seed_offset))
    value, error, half_difference = np.concatenate(chunks, axis=1)
    return Expected(value, error, half_difference)

  def _mean(self, y, scale, samples, seed, seed_offset):
    half_sums = np.zeros([2, len(y)])
    square_sum = 0.0
    repeated = np.tile(y, [BLOCK, 1])
    for block in range(samples // BLOCK):
      (gradients,) = self._gradient(repeated, scale, [seed, seed_offset + block])
      half_sums += gradients.reshape(2, BLOCK // 2, len(y)).sum(1)
      square_sum += (gradients**2).sum(0)

    mean = half_sums.sum(0) / samples
    variance = np.maximum(square_sum / samples - mean**2, 0)
    first_half_mean = 2 * half_sums[0] / samples
    return Expected(mean, np.sqrt(variance / samples), first_half_mean - mean)


def _chunks(values):
  """Splits values by latent; returns for each chunk what to add to a seed, and the chunk."""
  chunk_count = -(-len(values) // _LATENTS)
  chunks = np.array_split(values, chunk_count)
  return [(_SEED_STRIDE * index, chunk) for index, chunk in enumerate(chunks)]


def pointwise(
  gradient: RateGradient,
  expected: Expected,
  y: np.ndarray,
  scale: float,
  samples: int,
  seed: int = 0,
) -> list[Pointwise]:
  """Measures the risk at each latent.

  Args:
    gradient: The gradient of the rate, by one or more estimators.
    expected: The expected gradient at the same latents and scale, from other noise.
    y: Latents, `float64[points]`.
    scale: Standard deviation of the Gaussian model.
    samples: Number of noise samples at each latent, a multiple of `BLOCK`.
    seed: Seed of the noise.

  Returns:
    The risk of each estimator of `gradient`.

  Raises:
    AnalysisError: if `samples` is not such a multiple.
  """
  if samples < 1 or samples % BLOCK:
    raise AnalysisError(f'samples must be a multiple of {BLOCK}, not {samples}')

  chunks = []
  for (seed_offset, chunk), (_, value) in zip(_chunks(y), _chunks(expected.value), strict=True):
    chunks.append(_error_sums(gradient, value, chunk, scale, samples, seed, seed_offset))
  sums_by_estimator = np.concatenate(chunks, axis=-1)
  return [_pointwise(error_sums, expected, samples) for error_sums in sums_by_estimator]


def _error_sums(gradient, expected_value, y, scale, samples, seed, seed_offset):
  """Returns sums of the powers 1 to 4 of the errors, `float64[estimators, folds, 4, points]`."""
  total = 0.0
  repeated = np.tile(y, [BLOCK, 1])
  for block in range(samples // BLOCK):
    error = gradient(repeated, scale, [seed, seed_offset + block]) - expected_value
    folds = error.reshape(len(error), _FOLDS, BLOCK // _FOLDS, len(y))
    # Powers of errors, not of gradients: variance is not lost to cancellation in one pass.
    squares = folds**2
    powers = [of_errors.sum(2) for of_errors in (folds, squares, squares * folds, squares**2)]
    total += np.stack(powers, axis=2)
  return total


def _pointwise(error_sums, expected, samples):
  fold_sums = error_sums[:, 0]
  shift = expected.half_difference * samples
  # The size relative to half A with the sign relative to half B, and the other way round.
  absolute_sum = _absolute_sum(fold_sums, shift) + _absolute_sum(fold_sums, -shift)

  mean, square, cube, fourth = error_sums.sum(0) / samples
  variance = np.maximum(square - mean**2, 0) * samples / (samples - 1)
  central_fourth = fourth - 4 * mean * cube + 6 * mean**2 * square - 3 * mean**4

  return Pointwise(
    bias=mean,
    absolute=absolute_sum / 2 / samples,
    bias_error=np.sqrt(variance / samples + expected.error**2),
    variance=variance,
    variance_error=np.sqrt(np.maximum(central_fourth - variance**2, 0) / samples),
  )


def _absolute_sum(fold_sums, shift):
  """Returns `sum_k (S_k - n_k d) sign(S_-k + n_-k d)`; see the module's docstring.

  Args:
    fold_sums: `S_k`, sums of the errors in each fold, `float64[folds, points]`.
    shift: `N d`: for all `N` samples, how far half A of the expected gradient lies above its mean,
      `float64[points]`.
  """
  size = fold_sums - shift / _FOLDS
  other_folds = fold_sums.sum(0) - fold_sums + shift * (_FOLDS - 1) / _FOLDS
  return (size * np.sign(other_folds)).sum(0)


def mean_over_latents(pointwise_risk: Pointwise) -> Risk:
  """Returns the means over the latents, as in Table II."""
  points = len(pointwise_risk.bias)
  return Risk(
    bias=float(pointwise_risk.absolute.mean()),
    bias_error=float(np.sqrt((pointwise_risk.bias_error**2).sum()) / points),
    variance=float(pointwise_risk.variance.mean()),
    variance_error=float(np.sqrt((pointwise_risk.variance_error**2).sum()) / points),
  )
