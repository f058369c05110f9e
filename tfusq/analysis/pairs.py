"""Rate and distortion of a surrogate on pairs of correlated Gaussian latents (Fig. 2c and 5)."""

import math

import numpy as np
import tensorflow as tf
from scipy import special
from scipy.stats import qmc

from tfusq.quantization.surrogates import Surrogate, UQs


def rate(
  surrogate: Surrogate, scale: float, correlation: float, count: int = 2**16, seed: int = 0
) -> float:
  """Estimated rate in bits of a two-dimensional Gaussian latent by the same model (Eq. 25, Fig. 5).

  Quasi-Monte-Carlo over the latent, each with a draw of the surrogate's noise.

  Args:
    surrogate: The forward calculation; `Round` gives the true rate.
    scale: Standard deviation of both components, whose mean is 0.
    correlation: Of the components, less than 1.
    count: Of latents, a power of two.
    seed: Of latents and noise.
  """
  y_tilde = _samples(surrogate, scale, correlation, count, seed)
  return float(-np.log2(_box_probability(y_tilde, scale, correlation)).mean())


def _samples(surrogate, scale, correlation, count, seed):
  """Samples `y_tilde` of two-dimensional Gaussian latents."""
  normal = special.ndtri(np.clip(qmc.Sobol(2, seed=seed).random(count), 1e-12, 1 - 1e-12))
  across = math.sqrt(1 - correlation**2)
  y = tf.constant(
    scale * np.stack([normal[:, 0], correlation * normal[:, 0] + across * normal[:, 1]], 1)
  )
  return surrogate(y, surrogate.noise(y, tf.constant([seed, 1]))).numpy()


def mmse(
  surrogate: Surrogate, scale: float, correlation: float, count: int = 2**11, seed: int = 0
) -> float:
  """Squared error per component of the ideal decoder of two-dimensional Gaussian latents (Fig. 2c).

  The posterior is integrated about samples of `y_tilde`.

  Args:
    surrogate: The forward calculation.
    scale: Standard deviation of both components, whose mean is 0.
    correlation: Of the components.
    count: Of samples, a power of two.
    seed: Of latents and noise.

  Returns:
    The error; nan where the surrogate does not give its density, or components share noise that
    `y_tilde` does not tell, as it does of UQ-s.
  """
  y = tf.zeros([2, 2], tf.float64)
  shared = surrogate.noise(y, tf.constant([0, 0])).shape == [2, 1]
  if not surrogate.has_density() or shared and not isinstance(surrogate, UQs):
    return math.nan
  y_tilde = _samples(surrogate, scale, correlation, count, seed)
  cells = 2 * max(32, math.ceil(4 / (scale * math.sqrt(1 - min(correlation, 0.99) ** 2))))
  offsets = (np.arange(2 * cells) + 0.5) / cells - 1  # edges at halves, where boxes end
  total = 0.0
  for block in np.array_split(y_tilde, max(1, count // 64)):
    first, second = (block[:, component, None] + offsets for component in (0, 1))
    likely = [
      _likelihood(surrogate, block[:, component, None], y)
      for component, y in ((0, first), (1, second))
    ]
    if correlation == 1:
      # One latent; what the second component says is of the first's latents.
      weight = (
        likely[0]
        * np.exp(-(first**2) / (2 * scale**2))
        * _likelihood(surrogate, block[:, 1, None], first)
      )
      total += 2 * _variance(weight, first).sum()
      continue
    exponent = (
      first[:, :, None] ** 2
      - 2 * correlation * first[:, :, None] * second[:, None]
      + second[:, None] ** 2
    ) / (2 * scale**2 * (1 - correlation**2))
    weight = np.exp(exponent.min((1, 2), keepdims=True) - exponent) * (
      likely[0][:, :, None] * likely[1][:, None]
    )
    total += _variance(weight.sum(2), first).sum() + _variance(weight.sum(1), second).sum()
  return float(total) / (2 * count)


def _likelihood(surrogate, y_tilde, y):
  return surrogate.density(tf.constant(y_tilde), tf.constant(y)).numpy()


def _variance(weight, y):
  """Variances of rows of weighted values; 0 where all weight lies between the grid's points."""
  weight = weight / np.maximum(weight.sum(1, keepdims=True), 1e-300)
  mean = (weight * y).sum(1, keepdims=True)
  return (weight * (y - mean) ** 2).sum(1)


def _box_probability(centre, scale, correlation):
  """Probability of the unit boxes about `centre`, `float64[count, 2]`.

  The first component is integrated numerically, the second given the first is a Gaussian.
  """
  nodes, weights = np.polynomial.legendre.leggauss(64)
  across = scale * math.sqrt(1 - correlation**2)
  total = np.zeros(len(centre))
  for node, weight in zip(nodes / 2, weights / 2):
    first = centre[:, 0] + node
    given = np.abs(centre[:, 1] - correlation * first)
    density = np.exp(-((first / scale) ** 2) / 2) / (scale * math.sqrt(2 * math.pi))
    total += (
      weight
      * density
      * (special.ndtr((0.5 - given) / across) - special.ndtr((-0.5 - given) / across))
    )
  return np.maximum(total, 1e-300)
