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

from tfusq.quantization.base import Surrogate
from tfusq.quantization.surrogates import UQs

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
  probability = _box_probability(y_tilde, scale, correlation)
  return float(-np.log2(probability).mean())


def _samples(surrogate, scale, correlation, count, seed):
  """Returns `y_tilde` of Gaussian latents, `float64[count, 2]`."""
  uniform = qmc.Sobol(2, seed=seed).random(count)
  normal = special.ndtri(np.clip(uniform, 1e-12, 1 - 1e-12))
  first = normal[:, 0]
  second = correlation * first + math.sqrt(1 - correlation**2) * normal[:, 1]

  y = tf.constant(scale * np.stack([first, second], 1))
  # The seed of the latents is `seed`, that of the noise `[seed, 1]`.
  u = surrogate.noise(y, tf.constant([seed, 1]))
  return surrogate(y, u).numpy()


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
  two_pairs = tf.zeros([2, 2], tf.float64)
  u = surrogate.noise(two_pairs, tf.constant([0, 0]))
  return u.shape == [2, 1]


def _grid_offsets(scale, correlation):
  """Returns midpoints of cells of [-1, 1], at least eight in a conditional standard deviation.

  Their number in a unit is even, so that boxes that end at `+-1/2` end between cells.
  """
  conditional_scale = scale * math.sqrt(1 - min(correlation, 0.99) ** 2)
  cells_per_unit = 2 * max(32, math.ceil(4 / conditional_scale))
  return (np.arange(2 * cells_per_unit) + 0.5) / cells_per_unit - 1


def _posterior_variance_of_equals(surrogate, y_tilde, offsets, scale):
  """Returns the sum of posterior variances of both components, which are one latent."""
  first, second = np.split(y_tilde, 2, axis=1)
  y = first + offsets
  prior = np.exp(-(y**2) / (2 * scale**2))
  weight = _likelihood(surrogate, first, y) * prior * _likelihood(surrogate, second, y)
  return 2 * _variance(weight, y).sum()


def _posterior_variance(surrogate, y_tilde, offsets, scale, correlation):
  """Returns the sum of posterior variances of both components."""
  first, second = np.split(y_tilde, 2, axis=1)
  y_1 = first + offsets
  y_2 = second + offsets
  likelihood_1 = _likelihood(surrogate, first, y_1)
  likelihood_2 = _likelihood(surrogate, second, y_2)

  # From here axes are samples, the first component's grid, and the second's.
  rows, columns = y_1[:, :, None], y_2[:, None]
  likelihood = likelihood_1[:, :, None] * likelihood_2[:, None]
  quadratic_form = rows**2 - 2 * correlation * rows * columns + columns**2
  exponent = quadratic_form / (2 * scale**2 * (1 - correlation**2))
  # Relative to the greatest prior, so that it does not underflow everywhere.
  prior = np.exp(exponent.min((1, 2), keepdims=True) - exponent)

  weight = prior * likelihood
  variance_1 = _variance(weight.sum(2), y_1)
  variance_2 = _variance(weight.sum(1), y_2)
  return variance_1.sum() + variance_2.sum()


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
  first_centre, second_centre = centre.T
  conditional_scale = scale * math.sqrt(1 - correlation**2)
  nodes, weights = np.polynomial.legendre.leggauss(64)
  # From [-1, 1] to [-1/2, 1/2].
  nodes, weights = nodes / 2, weights / 2

  total = np.zeros(len(centre))
  for node, weight in zip(nodes, weights):
    first = first_centre + node
    density = np.exp(-((first / scale) ** 2) / 2) / (scale * math.sqrt(2 * math.pi))
    # By symmetry only the distance counts; a box below the mean has the more precise difference.
    distance = np.abs(second_centre - correlation * first)
    upper = special.ndtr((0.5 - distance) / conditional_scale)
    lower = special.ndtr((-0.5 - distance) / conditional_scale)
    total += weight * density * (upper - lower)
  return np.maximum(total, _LEAST_PROBABILITY)
