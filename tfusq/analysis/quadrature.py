"""Information, rate and distortion of a surrogate on Gaussian latents, by quadrature.

The latent is `y ~ N(mean, scale^2)`, and `y_tilde` is the surrogate's output, with step size 1.
Everything here follows from the conditional law `p(y_tilde | y)`. Surrogates are shift equivariant,
`p(y_tilde + 1 | y + 1) = p(y_tilde | y)`, so it is tabulated for latents in one unit, at evenly
spaced phases `y - floor(y)`, and shifted to all other units. With `w_i` the probability that the
latent is near the grid's point `y_i`, and `p_ic` that `y_tilde` is then in cell `c`,

    mass_c   = P(y_tilde in c)                = sum_i w_i p_ic
    moment_c = E[(y - mean) 1(y_tilde in c)]  = sum_i w_i (y_i - mean) p_ic
    I(y; y_tilde)       = sum_i w_i sum_c p_ic log2 p_ic - sum_c mass_c log2 mass_c     (Sec. 4.2.1)
    E Var(y | y_tilde)  = Var(y) - sum_c moment_c^2 / mass_c                            (Sec. 4.2.2)
    estimated rate      = sum_c mass_c l(y_tilde_c)                             (Sec. 4.3, Eq. (24))

where `l(v) = -log2(Phi((v + 1/2 - mean) / s) - Phi((v - 1/2 - mean) / s))` with the model's scale
`s`. The widths of the cells cancel in the information. The squared error is the law of total
variance, since the ideal decoder estimates `E[y | y_tilde in c] = mean + moment_c / mass_c`.

The conditional law comes from the surrogate's `density`, where it has one. Any other surrogate is a
black box: the noise runs over the quantiles of what `noise` draws, and cells of `y_tilde` are
equally likely. Coarse cells hide an information that is proportional to their probability, `1 / K`
for `K` cells of a unit, so that `2 I_2K - I_K` is free of it.

Two cases are reported differently. A map without noise that is one-to-one has infinite information.
Where `y_tilde` comes so near to integers that floats round it to them, as relaxed SGA's does at low
temperatures, information and the ideal decoder's error are nan.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy import optimize, special

from tfusq.analysis import tabulation
from tfusq.analysis.study import AnalysisError
from tfusq.entropy_models import gaussian_bits
from tfusq.quantization.base import Surrogate

# Standard deviations to both sides of the mean; the probability beyond is 1e-15.
REACH = 8.0
# Least numbers of phases and cells in a unit, for the errors that `Conditional.law` states.
_DENSITY_PHASES = 512
_SAMPLED_PHASES = 32
_SAMPLED_CELLS = 256
# A best scale is not unique where another scale's rate is within this many bits of the best.
_FLAT_BITS = 1e-6


class Law(NamedTuple):
  """The joint law of a Gaussian latent and its surrogate, on cells of `y_tilde`.

  Attributes:
    y_tilde: Midpoints of the cells, `float64[cells]`.
    mass: Probabilities of the cells, `float64[cells]`.
    moment: `E[(y - mean) 1(y_tilde in the cell)]`, `float64[cells]`.
    information: `I(y; y_tilde)` in bits.
    variance: Variance of the latent on the grid.
  """

  y_tilde: np.ndarray
  mass: np.ndarray
  moment: np.ndarray
  information: float
  variance: float


class Conditional:
  """The law of a surrogate given the latent, tabulated at phases of one unit."""

  def __init__(self, surrogate: Surrogate, least_scale: float):
    """Tabulates the law.

    Args:
      surrogate: The forward calculation; its temperature must not move afterwards.
      least_scale: Least standard deviation of latents that `law` can be asked for.

    Raises:
      AnalysisError: if the surrogate's density does not integrate to 1, or if it has none and its
        noise is shared by several latents.
    """
    self._least_scale = least_scale
    self._coarse_table = None
    self._invertible = self._rounded_off = False

    if surrogate.has_density():
      phases = tabulation.phase_count(_DENSITY_PHASES, least_scale)
      if surrogate.discrete:
        self._table = tabulation.tabulate_integers(surrogate, phases)
      else:
        self._table = tabulation.tabulate_density(surrogate, phases)
      return

    y_tilde = tabulation.sample(surrogate, tabulation.phase_count(_SAMPLED_PHASES, least_scale))
    self._coarse_table = tabulation.tabulate_samples(y_tilde, _SAMPLED_CELLS)
    self._table = tabulation.tabulate_samples(y_tilde, 2 * _SAMPLED_CELLS)
    self._rounded_off = tabulation.is_rounded_off(y_tilde)
    deterministic = not np.ptp(y_tilde, axis=1).any()
    self._invertible = bool(deterministic and (np.diff(y_tilde[:, 0]) > 0).all())

  def law(self, mean: float, scale: float) -> Law:
    """Returns the joint law with a Gaussian latent.

    Where the surrogate has a density whose only jumps, if any, are at `y +- 1/2`, relative errors
    of information, rate and squared error are about 1e-4. Else the error of the information is
    0.01 bits.

    Args:
      mean: Mean of the latent.
      scale: Standard deviation of the latent.

    Returns:
      The law; its information is infinite for an invertible map. Information and moments are nan
      where floats hide them.

    Raises:
      AnalysisError: if the scale is below the least.
    """
    if scale < self._least_scale:
      raise AnalysisError(f'the scale is below the least, {self._least_scale}: {scale}')
    joint = _joint_law(self._table, mean, scale)

    if self._invertible:
      return joint._replace(information=math.inf)
    if self._rounded_off:
      return joint._replace(information=math.nan, moment=np.full_like(joint.moment, math.nan))
    if self._coarse_table is None:
      return joint

    coarse = _joint_law(self._coarse_table, mean, scale)
    # What cells hide is proportional to their probability, which the coarse ones have twice.
    information = 2 * joint.information - coarse.information
    return joint._replace(information=max(information, 0.0))


def _joint_law(table, mean, scale):
  """Returns the joint law of a Gaussian latent and what a table says of its surrogate."""
  phases = len(table.probability)
  first = math.floor(mean - REACH * scale)
  last = math.floor(mean + REACH * scale)
  edges = first + np.arange((last + 1 - first) * phases + 1) / phases
  weight = np.diff(special.ndtr((edges - mean) / scale))
  weight /= weight.sum()
  centred = (edges[1:] + edges[:-1]) / 2 - mean

  weight_by_unit = weight.reshape(-1, phases)
  mass = _add_units(table, weight_by_unit @ table.probability)
  moment_by_unit = (weight * centred).reshape(-1, phases)
  moment = _add_units(table, moment_by_unit @ table.probability)

  # sum_c p log p at each phase; it is the same in all units of the latent.
  conditional = special.xlogy(table.probability, table.probability).sum(1)
  conditional_mean = weight_by_unit.sum(0) @ conditional
  information = (conditional_mean - special.xlogy(mass, mass).sum()) / math.log(2)

  units = first + table.first_unit + np.arange(len(mass) // len(table.fraction))
  return Law(
    y_tilde=(units[:, None] + table.fraction).ravel(),
    mass=mass,
    moment=moment,
    information=max(float(information), 0.0),
    variance=weight @ centred**2,
  )


def _add_units(table, by_unit):
  """Adds up what each unit of the latent contributes; each row is shifted by one more unit."""
  cells_per_unit = len(table.fraction)
  cell_count = table.probability.shape[1]
  total = np.zeros(cell_count + (len(by_unit) - 1) * cells_per_unit)
  for unit, contribution in enumerate(by_unit):
    start = unit * cells_per_unit
    total[start : start + cell_count] += contribution
  return total


@functools.lru_cache(maxsize=64)
def conditional(surrogate: Surrogate, least_scale: float) -> Conditional:
  """Returns the law of a surrogate given the latent, tabulated once; see `Conditional`.

  Args:
    surrogate: The forward calculation; its temperature must be fixed.
    least_scale: Least standard deviation of the latents.
  """
  return Conditional(surrogate, least_scale)


def law(surrogate: Surrogate, mean: float, scale: float) -> Law:
  """Returns the joint law of a Gaussian latent and a surrogate; see `Conditional.law`.

  Args:
    surrogate: The forward calculation.
    mean: Mean of the latent.
    scale: Standard deviation of the latent.
  """
  return conditional(surrogate, scale).law(mean, scale)


def mmse(law: Law) -> float:
  """Returns the squared error of the ideal decoder, `E Var(y | y_tilde)` (Sec. 4.2.2)."""
  if math.isinf(law.information):
    return 0.0
  occupied = law.mass > 0
  explained = (law.moment[occupied] ** 2 / law.mass[occupied]).sum()
  return float(law.variance - explained)


def rate(law: Law, mean: float, model_scale: float) -> float:
  """Returns the estimated rate in bits, `E -log2 P(y_tilde)`, with a Gaussian model (Eq. (24)).

  Args:
    law: The joint law of latent and surrogate; that of `Round` gives the true rate.
    mean: Mean of the model.
    model_scale: Standard deviation of the model.
  """
  y_tilde = tf.constant(law.y_tilde)
  bits = gaussian_bits(y_tilde, tf.constant(mean, tf.float64), tf.constant(model_scale, tf.float64))
  return float(law.mass @ bits.numpy())


def best_scale(law: Law, mean: float, scale: float) -> float:
  """Returns the model's scale at which the estimated rate is least (Fig. 4).

  Args:
    law: The joint law of latent and surrogate.
    mean: Mean of the latent and of the model.
    scale: Standard deviation of the latent, near which the best scale is searched for.

  Returns:
    The scale; 0 if the rate still falls at a fiftieth of the latent's scale, and nan if another
    scale is as good as the latent's.
  """
  least_log_scale = math.log(scale) - 4  # a factor of 1/55
  best = optimize.minimize_scalar(
    lambda log_scale: rate(law, mean, math.exp(log_scale)),
    bounds=(least_log_scale, math.log(scale) + 3),
    method='bounded',
    options={'xatol': 1e-5},
  )
  if best.x < least_log_scale + 1e-3:
    return 0.0

  is_flat = rate(law, mean, scale) - best.fun < _FLAT_BITS
  is_apart = abs(best.x - math.log(scale)) > 0.01
  return math.nan if is_flat and is_apart else math.exp(best.x)
