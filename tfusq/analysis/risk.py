"""Gradient estimation risk: bias and variance of the gradient of the rate (Sec. 4.4.2, 4.4.3).

The rate is `-log2 P` of a zero-mean Gaussian, and the gradient autodiff's through the library's
quantizers, with respect to the latent.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfusq.analysis.study import AnalysisError
from tfusq.entropy_models import gaussian_bits
from tfusq.quantization.estimators import EP, PGE, Estimator
from tfusq.quantization.quantizer import Quantizer
from tfusq.quantization.surrogates import Surrogate

BLOCK, _FOLDS = 1000, 10  # samples at once, and in how many parts
_LATENTS = 256  # at once


class Expected(NamedTuple):
  """The gradient of the expected rate at each latent, in bits, `float64[points]`.

  Attributes:
    value: The gradient.
    error: Its standard error.
    half: By how much the mean of half of the samples exceeds `value`; that of the other falls
      short as much.
  """

  value: np.ndarray
  error: np.ndarray
  half: np.ndarray


class Pointwise(NamedTuple):
  """Gradient estimation risk at each latent, `float64[points]`.

  Attributes:
    bias: Mean of the estimated gradient less the expected, in bits.
    absolute: Its size, without the upward bias of a noisy absolute value: each tenth of the samples
      gives the size, the other nine the sign, against separate halves of the expected gradient's.
    bias_error: Standard error of both.
    variance: Over the noise, in bits^2.
    variance_error: Its standard error.
  """

  bias: np.ndarray
  absolute: np.ndarray
  bias_error: np.ndarray
  variance: np.ndarray
  variance_error: np.ndarray


class Risk(NamedTuple):
  """Gradient estimation risk, each figure with its standard error.

  Attributes:
    bias: Mean over y of the absolute bias, in bits.
    bias_error: Its standard error.
    variance: Mean over y of the variance over the noise, in bits^2.
    variance_error: Its standard error.
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
      Undefined: if a pair has no meaning.
    """
    self._surrogate = surrogate
    self._quantizers = [Quantizer(surrogate, estimator) for estimator in estimators]

  @tf.function(reduce_retracing=True)
  def _sample(self, y, scale, seed):
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
      scale: Of the Gaussian.
      seed: Of the noise, two integers.

    Returns:
      `float64[estimators, samples, points]`.
    """
    return self._sample(tf.constant(y), tf.constant(scale, tf.float64), tf.constant(seed)).numpy()


def scalar_noise(surrogate: Surrogate, y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
  """Draws noise for latents of one component each, of any shape: it is each one's own."""
  u = surrogate.noise(tf.reshape(y, [-1, 1]), seed)
  return tf.reshape(tf.broadcast_to(u, [tf.size(y), 1]), tf.shape(y))


def _rate(v, scale):
  return gaussian_bits(v, tf.zeros([], v.dtype), scale)


class ExpectedGradient:
  """The gradient of the expected rate; traced once for all scales.

  By EP where it is defined; else as the mean of PGE, which is unbiased; else as a difference
  quotient of the mean rate between neighbouring latents, with the noise in common.
  """

  def __init__(self, surrogate: Surrogate):
    self._surrogate = surrogate
    estimators = [EP()] if surrogate.has_secant() else [PGE()] if surrogate.differentiable else []
    self._gradient = RateGradient(surrogate, estimators) if estimators else self._quotients

  def _quotients(self, y, scale, seed):
    u = scalar_noise(self._surrogate, tf.constant(y), tf.constant(seed))
    # From cell to cell of the latents, so that no jump is missed.
    step = (y[0, 1] - y[0, 0]) / 2
    upper, lower = (
      _rate(self._surrogate(tf.constant(y + side), u), tf.constant(scale, tf.float64)).numpy()
      for side in (step, -step)
    )
    return (upper - lower)[None] / (2 * step)

  def __call__(self, y: np.ndarray, scale: float, samples: int, seed: int = 0) -> Expected:
    """Returns the gradient.

    Args:
      y: Latents, `float64[points]`; for difference quotients, evenly spaced.
      scale: Of the Gaussian.
      samples: Of the noise, where it takes any; a multiple of 1,000.
      seed: Of the noise.
    """
    if self._surrogate.has_secant():
      exact = self._gradient(y[None], scale, [0, 0])[0, 0]
      return Expected(exact, *np.zeros([2, len(exact)]))
    parts = [self._mean(part, scale, samples, [seed, place]) for place, part in _split(y)]
    return Expected(*np.concatenate(parts, axis=1))

  def _mean(self, y, scale, samples, seed):
    halves, square = np.zeros([2, len(y)]), 0.0
    for block in range(samples // BLOCK):
      (found,) = self._gradient(np.tile(y, [BLOCK, 1]), scale, [seed[0], seed[1] + block])
      halves += found.reshape(2, BLOCK // 2, len(y)).sum(1)
      square += (found**2).sum(0)
    mean = halves.sum(0) / samples
    return [
      mean,
      np.sqrt(np.maximum(square / samples - mean**2, 0) / samples),
      2 * halves[0] / samples - mean,
    ]


def _split(y):
  """Returns parts of the latents, with what to add to a seed for each."""
  parts = np.array_split(y, -(-len(y) // _LATENTS))
  return [(1_000_000 * place, part) for place, part in enumerate(parts)]


def pointwise(
  gradient: RateGradient, exact: Expected, y: np.ndarray, scale: float, samples: int, seed: int = 0
) -> list[Pointwise]:
  """Measures the risk of each estimator at each latent.

  Args:
    gradient: Of what.
    exact: The expected gradient at the same latents and scale.
    y: Latents, `float64[points]`.
    scale: Of the Gaussian.
    samples: Of the noise at each; a multiple of 1,000.
    seed: Of the noise.

  Raises:
    AnalysisError: if `samples` is no such multiple.
  """
  if samples < 1 or samples % BLOCK:
    raise AnalysisError(f'samples must be a multiple of {BLOCK}, not {samples}')
  parts = [
    _moments(gradient, value, part, scale, samples, [seed, place])
    for (place, part), (_, value) in zip(_split(y), _split(exact.value))
  ]
  return [_pointwise(moments, exact, samples) for moments in np.concatenate(parts, axis=-1)]


def _moments(gradient, exact, y, scale, samples, seed):
  """Returns sums of the powers of errors, `[estimators, folds, 4, points]`."""
  total = 0.0
  tiled = np.tile(y, [BLOCK, 1])
  for block in range(samples // BLOCK):
    error = gradient(tiled, scale, [seed[0], seed[1] + block]) - exact
    folds = error.reshape(len(error), _FOLDS, BLOCK // _FOLDS, len(y))
    # Central moments about the expectation need no second pass.
    total += np.stack([(folds**power).sum(2) for power in range(1, 5)], axis=2)
  return total


def _pointwise(moments, exact, samples):
  sums = moments[:, 0]
  absolute = (_size(sums, exact.half * samples) + _size(sums, -exact.half * samples)) / 2 / samples
  mean, square, cube, fourth = moments.sum(0) / samples
  variance = np.maximum(square - mean**2, 0) * samples / (samples - 1)
  central_fourth = fourth - 4 * mean * cube + 6 * mean**2 * square - 3 * mean**4
  return Pointwise(
    mean,
    absolute,
    np.sqrt(variance / samples + exact.error**2),
    variance,
    np.sqrt(np.maximum(central_fourth - variance**2, 0) / samples),
  )


def _size(sums, half):
  """Sum of the sizes of folds' sums against one half, by the others' signs against the other."""
  own = sums - half / _FOLDS
  others = sums.sum(0) - sums + half * (_FOLDS - 1) / _FOLDS
  return (own * np.sign(others)).sum(0)


def risk(found: Pointwise) -> Risk:
  """Returns the means over the latents, as in Table II."""
  points = len(found.bias)
  return Risk(
    float(found.absolute.mean()),
    float(np.sqrt((found.bias_error**2).sum()) / points),
    float(found.variance.mean()),
    float(np.sqrt((found.variance_error**2).sum()) / points),
  )
