"""The law of a surrogate given its latent, as a table over the phases of one unit.

It comes from the surrogate's `density` (`tabulate_density`, `tabulate_integers`) or, where there is
none, from samples (`sample`, `tabulate_samples`). See `tfusq.analysis.quadrature` for its use.
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfusq.analysis.study import AnalysisError
from tfusq.quantization.base import Surrogate

_NOISE_VALUES = 8192
_NOISE_DRAWS = 2**20
# Floats hide information where more than this share of samples is at an integer, and as many are
# nearer to one than the distance without being there.
_NEAR_DISTANCE, _ROUNDED_SHARE = 1e-6, 1e-3


class Table(NamedTuple):
  """Probabilities of cells of `y_tilde`, given the phase of a latent in [0, 1).

  Attributes:
    first_unit: Integer part of the first cells of `y_tilde`.
    fraction: Positions of the cells within each unit, `float64[cells_per_unit]`.
    probability: `float64[phases, units * cells_per_unit]`; rows add up to 1.
  """

  first_unit: int
  fraction: np.ndarray
  probability: np.ndarray


def phase_count(least: int, scale: float) -> int:
  """Returns a number of phases of which at least 32 are within a standard deviation.

  It is even, so that half-integers, where rounding jumps, are edges between phases.

  Args:
    least: Least number of phases, even.
    scale: Least standard deviation of the latents.
  """
  return max(least, 2 * math.ceil(16 / scale))


def _midpoints(count):
  return (np.arange(count) + 0.5) / count


def tabulate_density(surrogate: Surrogate, phases: int) -> Table:
  """Tabulates a surrogate whose density is given.

  Args:
    surrogate: The forward calculation, not discrete.
    phases: An even number; the table has one phase, and one cell of a unit, more.

  Raises:
    AnalysisError: if the density does not integrate to 1.
  """
  # An odd number, so that the unit box about a midpoint, the support of many laws, ends at edges.
  phases += 1
  fraction = _midpoints(phases)
  units = np.arange(-1, 2)  # y is in [0, 1), and y_tilde within 1 of it
  y_tilde = (units[:, None] + fraction).ravel()

  y = fraction[:, None]
  density = surrogate.density(tf.constant(y_tilde), tf.constant(y)).numpy()
  return Table(-1, fraction, _normalized(surrogate, density / phases))


def tabulate_integers(surrogate: Surrogate, phases: int) -> Table:
  """Tabulates a surrogate whose outputs are integers, with one cell in each unit.

  Args:
    surrogate: The forward calculation, discrete and with a density.
    phases: Number of phases of the latent.

  Raises:
    AnalysisError: if the probabilities do not add up to 1.
  """
  integers = np.arange(-1.0, 3.0)
  y = _midpoints(phases)[:, None]

  probability = surrogate.density(tf.constant(integers), tf.constant(y)).numpy()
  return Table(-1, np.zeros(1), _normalized(surrogate, probability))


def _normalized(surrogate, probability):
  total = probability.sum(1, keepdims=True)
  if not (probability.min() >= 0 and np.abs(total - 1).max() < 0.02):
    raise AnalysisError(
      f'the density of {type(surrogate).__name__} integrates to between '
      f'{total.min():.3g} and {total.max():.3g}, not to 1, or is too sharp for '
      f'cells of 1/{probability.shape[0]}'
    )
  return probability / total


def noise_quantiles(surrogate: Surrogate, count: int, seed: int = 0) -> np.ndarray:
  """Returns quantiles of the noise of one component, at the midpoints of equal probabilities.

  They are taken from a million draws, so that their own error is below a thousandth of the law's
  width.

  Args:
    surrogate: The forward calculation.
    count: Number of quantiles.
    seed: Seed of the draws.

  Returns:
    `float64[count]`, ascending.

  Raises:
    AnalysisError: if latents of one batch share their noise.
  """
  y = tf.zeros([_NOISE_DRAWS, 1], tf.float64)
  draws = np.ravel(surrogate.noise(y, tf.constant([seed, 0])))
  other_draws = np.ravel(surrogate.noise(y, tf.constant([seed, 1])))

  # Fewer values than latents are fine if they are no noise at all, the same for any seed.
  if len(draws) < _NOISE_DRAWS and not np.array_equal(draws, other_draws):
    raise AnalysisError(
      f'{type(surrogate).__name__} draws one noise for a whole batch; the first '
      'axis of the latent counts latents, each of which has its own'
    )
  ranks = (np.arange(count) + 0.5) / count * len(draws)
  return np.sort(draws)[ranks.astype(int)]


def sample(surrogate: Surrogate, phases: int) -> np.ndarray:
  """Returns `y_tilde` for latents in [0, 1) and quantiles of the noise.

  Args:
    surrogate: The forward calculation.
    phases: Number of latents.

  Returns:
    `float64[phases, noise_values]`.

  Raises:
    AnalysisError: if latents of one batch share their noise.
  """
  u = tf.constant(noise_quantiles(surrogate, _NOISE_VALUES))
  y = _midpoints(phases)[:, None]
  # Noise is broadcast to the latent, not the latent to the noise.
  y = np.repeat(y, _NOISE_VALUES, axis=1)
  return surrogate(tf.constant(y), u[None]).numpy()


def is_rounded_off(y_tilde: np.ndarray) -> bool:
  """Returns whether floats have rounded many values to integers.

  That is so if many values are at integers, and many others nearly so without being there. Of a
  surrogate that gives integers only, there are no such others.
  """
  distance = np.abs(y_tilde - np.round(y_tilde))
  at_integers = (distance == 0).mean()
  near_integers = ((distance > 0) & (distance < _NEAR_DISTANCE)).mean()
  return at_integers > _ROUNDED_SHARE and near_integers > _ROUNDED_SHARE


def tabulate_samples(y_tilde: np.ndarray, cells_per_unit: int) -> Table:
  """Tabulates a surrogate by a histogram of its samples.

  The cells are equally likely over all phases, and the same in every unit. So they are as fine as
  the law is concentrated, and a one-to-one map of `y_tilde` changes little.

  Args:
    y_tilde: Samples from `sample`.
    cells_per_unit: Number of cells; there are fewer if many samples are equal.
  """
  unit = np.floor(y_tilde).astype(np.int64)
  fraction = y_tilde - unit
  levels = np.arange(1, cells_per_unit) / cells_per_unit
  edges = np.unique(np.quantile(fraction, levels))
  cell = np.searchsorted(edges, fraction, 'right')
  cells = len(edges) + 1

  # Each cell is represented by the mean of its samples.
  flat_cell = cell.ravel()
  count = np.bincount(flat_cell, minlength=cells)
  fraction_sum = np.bincount(flat_cell, fraction.ravel(), cells)
  mean_fraction = fraction_sum / np.maximum(count, 1)

  # A histogram for each phase: cells are numbered through all phases, so that one call counts.
  phases = len(y_tilde)
  first_unit = unit.min()
  columns = (unit.max() - first_unit + 1) * cells
  first_of_phase = np.arange(phases)[:, None] * columns
  number = first_of_phase + (unit - first_unit) * cells + cell
  histogram = np.bincount(number.ravel(), minlength=phases * columns)
  histogram = histogram.reshape(phases, columns)
  return Table(int(first_unit), mean_fraction, histogram / y_tilde.shape[1])
