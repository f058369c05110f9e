"""Rate and distortion of a surrogate on pairs of correlated Gaussian latents (Fig. 2c and 5).

Both components of a latent have mean 0 and standard deviation `s`, and their correlation is `r`.
Given the first component `y_1`, the second is Gaussian with mean `r y_1` and standard deviation
`s sqrt(1 - r^2)`; the samples, and the probability of a box, are made of these two steps.
"""

import math

import numpy as np
import tensorflow as tf
from scipy import special
from scipy.stats import qmc

from tfusq.quantization.surrogates import Surrogate, UQs

# Samples whose posteriors are integrated at once; bounds the memory.
_BLOCK = 64
# Where floats have no positive number left, a probability counts as this.
_LEAST_PROBABILITY = 1e-300


def rate(
  surrogate: Surrogate, scale: float, correlation: float, count: int = 2**16, seed: int = 0
) -> float:
  """Returns the estimated rate of two-dimensional Gaussian latents by the same model (Fig. 5).

  It is the mean of `-log2 P(y_tilde + [-1/2, 1/2]^2)` (Eq. (25)), by quasi-Monte-Carlo over the
  latents, each with one draw of the surrogate's noise.

  Args:
    surrogate: The forward calculation; `Round` gives the true rate.
    scale: Standard deviation of both components, whose mean is 0.
    correlation: Correlation of the components, less than 1.
    count: Number of latents, a power of two.
    seed: Seed of latents and noise.

  Returns:
    The rate in bits of a pair.
  """
  y_tilde = _samples(surrogate, scale, correlation, count, seed)
  return float(-np.log2(_box_probability(y_tilde, scale, correlation)).mean())


def _samples(surrogate, scale, correlation, count, seed):
  """Returns `y_tilde` of Gaussian latents, `float64[count, 2]`."""
  uniform = qmc.Sobol(2, seed=seed).random(count)
  normal = special.ndtri(np.clip(uniform, 1e-12, 1 - 1e-12))
  first = normal[:, 0]
  second = correlation * first + math.sqrt(1 - correlation**2) * normal[:, 1]

  y = tf.constant(scale * np.stack([first, second], 1))
  return surrogate(y, surrogate.noise(y, tf.constant([seed, 1]))).numpy()


def mmse(
  surrogate: Surrogate, scale: float, correlation: float, count: int = 2**11, seed: int = 0
) -> float:
  """Returns the ideal decoder's squared error on two-dimensional Gaussian latents (Fig. 2c).

  It is the mean of the posterior variance of the latent over samples of `y_tilde`. The posterior
  is proportional to `p(y_1, y_2) p(y_tilde_1 | y_1) p(y_tilde_2 | y_2)`, and integrated on a grid
  within 1 of `y_tilde`, since surrogates move a latent by less than that.

  Args:
    surrogate: The forward calculation.
    scale: Standard deviation of both components, whose mean is 0.
    correlation: Correlation of the components; 1 if they are equal.
    count: Number of samples of `y_tilde`, a power of two.
    seed: Seed of latents and noise.

  Returns:
    The error per component. It is nan if the surrogate has no density, or if the components share
    noise that `y_tilde` does not determine. It does determine UQ-s's, as `y_tilde + u` is an
    integer.
  """
  if not surrogate.has_density():
    return math.nan
  if _shares_noise(surrogate) and not isinstance(surrogate, UQs):
    return math.nan

  y_tilde = _samples(surrogate, scale, correlation, count, seed)
  offsets = _grid_offsets(scale, correlation)
  total = 0.0
  for block in np.array_split(y_tilde, max(1, count // _BLOCK)):
    if correlation == 1:
      total += _posterior_variance_of_equals(surrogate, block, offsets, scale)
    else:
      total += _posterior_variance(surrogate, block, offsets, scale, correlation)
  return float(total) / (2 * count)


def _shares_noise(surrogate):
  y = tf.zeros([2, 2], tf.float64)
  return surrogate.noise(y, tf.constant([0, 0])).shape == [2, 1]


def _grid_offsets(scale, correlation):
  """Returns midpoints of cells of [-1, 1], at least eight in a conditional standard deviation.

  Their number in a unit is even, so that boxes that end at `+-1/2` end between cells.
  """
  conditional_scale = scale * math.sqrt(1 - min(correlation, 0.99) ** 2)
  cells_per_unit = 2 * max(32, math.ceil(4 / conditional_scale))
  return (np.arange(2 * cells_per_unit) + 0.5) / cells_per_unit - 1


def _posterior_variance_of_equals(surrogate, y_tilde, offsets, scale):
  """Returns the sum of posterior variances of both components, which are one latent."""
  y = y_tilde[:, 0, None] + offsets
  prior = np.exp(-(y**2) / (2 * scale**2))
  likelihood_of_first = _likelihood(surrogate, y_tilde[:, 0, None], y)
  likelihood_of_second = _likelihood(surrogate, y_tilde[:, 1, None], y)
  return 2 * _variance(likelihood_of_first * prior * likelihood_of_second, y).sum()


def _posterior_variance(surrogate, y_tilde, offsets, scale, correlation):
  """Returns the sum of posterior variances of both components."""
  first = y_tilde[:, 0, None] + offsets
  second = y_tilde[:, 1, None] + offsets
  likelihood_of_first = _likelihood(surrogate, y_tilde[:, 0, None], first)
  likelihood_of_second = _likelihood(surrogate, y_tilde[:, 1, None], second)
  likelihood = likelihood_of_first[:, :, None] * likelihood_of_second[:, None]

  # Axes are samples, the first component's grid, and the second's.
  y_1, y_2 = first[:, :, None], second[:, None]
  quadratic_form = y_1**2 - 2 * correlation * y_1 * y_2 + y_2**2
  exponent = quadratic_form / (2 * scale**2 * (1 - correlation**2))
  # Relative to the greatest prior, so that it does not underflow everywhere.
  prior = np.exp(exponent.min((1, 2), keepdims=True) - exponent)

  weight = prior * likelihood
  return _variance(weight.sum(2), first).sum() + _variance(weight.sum(1), second).sum()


def _likelihood(surrogate, y_tilde, y):
  return surrogate.density(tf.constant(y_tilde), tf.constant(y)).numpy()


def _variance(weight, y):
  """Returns variances of rows of weighted values; 0 where all weight is between grid points."""
  weight = weight / np.maximum(weight.sum(1, keepdims=True), _LEAST_PROBABILITY)
  mean = (weight * y).sum(1, keepdims=True)
  return (weight * (y - mean) ** 2).sum(1)


def _box_probability(centre, scale, correlation):
  """Returns the probabilities of the unit boxes about `centre`, `float64[count, 2]`.

  The first component is integrated by Gauss-Legendre quadrature; given it, the second is Gaussian.
  """
  nodes, weights = np.polynomial.legendre.leggauss(64)
  conditional_scale = scale * math.sqrt(1 - correlation**2)

  total = np.zeros(len(centre))
  for node, weight in zip(nodes / 2, weights / 2):  # from [-1, 1] to [-1/2, 1/2]
    first = centre[:, 0] + node
    density = np.exp(-((first / scale) ** 2) / 2) / (scale * math.sqrt(2 * math.pi))
    # By symmetry only the distance counts; a box below the mean has the more precise difference.
    distance = np.abs(centre[:, 1] - correlation * first)
    upper = special.ndtr((0.5 - distance) / conditional_scale)
    lower = special.ndtr((-0.5 - distance) / conditional_scale)
    total += weight * density * (upper - lower)
  return np.maximum(total, _LEAST_PROBABILITY)
