"""Information, rate and distortion of a surrogate on Gaussian latents, by quadrature.

A surrogate that gives its `density` is integrated over the latent and `y_tilde`. Any other is a
black box: the latent runs over phases of a unit and the noise over the quantiles of what `noise`
draws, and mutual information is found on cells of `y_tilde` that are equally likely, whose loss is
extrapolated away. Where a map without noise is one-to-one it is infinite; where `y_tilde` comes so
near to integers that floats round it to them, as relaxed SGA's does at low temperatures, it is nan,
and so is the ideal decoder's error.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy import optimize, special

from tfusq.analysis.study import AnalysisError
from tfusq.entropy_models import gaussian_bits
from tfusq.quantization.surrogates import Surrogate

REACH = 8.0  # standard deviations to both sides; beyond are 1e-15
_DRAWS = 2**20
_NOISES = 8192
_CELLS = 256  # of a unit
_PER_UNIT = 512
_FLAT = 1e-6  # bits
_NEAR, _PILED = 1e-6, 1e-3  # to an integer, and the share of samples that may be rounded to one


class Law(NamedTuple):
  """The joint law of a Gaussian latent and its surrogate, on cells of `y_tilde`.

  Attributes:
    y_tilde: Midpoints of the cells, `float64[cells]`.
    mass: Their probabilities.
    moment: `E[(y - mean) 1(y_tilde in the cell)]`.
    information: `I(y; y_tilde)` in bits.
    variance: Of the latent, on the grid.
  """

  y_tilde: np.ndarray
  mass: np.ndarray
  moment: np.ndarray
  information: float
  variance: float


class Conditional:
  """The law of a surrogate given the latent, at phases of one unit.

  Surrogates are shift equivariant, so one unit is all there is to know.
  """

  def __init__(self, surrogate: Surrogate, least_scale: float):
    """Tabulates it.

    Args:
      surrogate: The forward calculation.
      least_scale: Of the latents that `law` is asked for.

    Raises:
      AnalysisError: if its density is none, or its noise is not each latent's own.
    """
    self._least_scale = least_scale
    self._invertible = self._rounded_off = False
    if surrogate.has_density():
      phases = _count(_PER_UNIT, least_scale)
      self._tables = [(_of_integers if surrogate.discrete else _of_density)(surrogate, phases)]
    else:
      y_tilde = _samples(surrogate, _count(32, least_scale))
      self._tables = [_of_samples(y_tilde, cells) for cells in (_CELLS, 2 * _CELLS)]
      self._rounded_off = _rounded_off(y_tilde)
      self._invertible = not np.ptp(y_tilde, axis=1).any() and (np.diff(y_tilde[:, 0]) > 0).all()

  def law(self, mean: float, scale: float) -> Law:
    """Returns the joint law with a Gaussian latent of that mean and scale.

    Relative errors of information, rate and squared error are about 1e-4 where the surrogate gives
    its density, with jumps at `y +- 1/2` if any; else that of information is 0.01 bits.

    Information is infinite of an invertible map, and with the moment nan if floats hide it.

    Raises:
      AnalysisError: if the scale is below the least.
    """
    if scale < self._least_scale:
      raise AnalysisError(f'the scale is below the least, {self._least_scale}: {scale}')
    *coarser, finest = (table.law(mean, scale) for table in self._tables)
    if self._invertible:
      return finest._replace(information=math.inf)
    if self._rounded_off:
      return finest._replace(information=math.nan, moment=np.full_like(finest.moment, math.nan))
    # What cells hide is linear in their probability.
    return (
      finest._replace(information=max(2 * finest.information - coarser[0].information, 0.0))
      if coarser
      else finest
    )


class _Table(NamedTuple):
  """Probabilities of cells of `y_tilde`, given the phase of the latent.

  Attributes:
    first: Unit of the first cells.
    fraction: Where in its unit each cell of a unit is, `float64[per_unit]`.
    probability: `float64[phases, units * per_unit]`.
  """

  first: int
  fraction: np.ndarray
  probability: np.ndarray

  def law(self, mean: float, scale: float) -> Law:
    """Returns the joint law with a Gaussian latent."""
    phases = len(self.probability)
    first, last = (math.floor(mean + sign * REACH * scale) for sign in (-1, 1))
    edges = first + np.arange((last + 1 - first) * phases + 1) / phases
    weight = np.diff(special.ndtr((edges - mean) / scale))
    weight /= weight.sum()
    centred = (edges[1:] + edges[:-1]) / 2 - mean
    mass, moment = (
      self._shifted(joint.reshape(-1, phases) @ self.probability)
      for joint in (weight, weight * centred)
    )
    own = special.xlogy(self.probability, self.probability).sum(1)
    negentropy = weight.reshape(-1, phases).sum(0) @ own
    information = (negentropy - special.xlogy(mass, mass).sum()) / math.log(2)
    units = first + self.first + np.arange(len(mass) // len(self.fraction))
    return Law(
      (units[:, None] + self.fraction).ravel(),
      mass,
      moment,
      max(float(information), 0.0),
      weight @ centred**2,
    )

  def _shifted(self, units):
    """Adds up cells of each unit of the latent, each a unit beyond that before."""
    per_unit, count = len(self.fraction), self.probability.shape[1]
    total = np.zeros(count + (len(units) - 1) * per_unit)
    for place, unit in enumerate(units):
      total[place * per_unit : place * per_unit + count] += unit
    return total


@functools.lru_cache(maxsize=64)
def conditional(surrogate: Surrogate, least_scale: float) -> Conditional:
  """Returns the law of a surrogate given the latent, tabulated once: its temperature is fixed."""
  return Conditional(surrogate, least_scale)


def law(surrogate: Surrogate, mean: float, scale: float) -> Law:
  """Returns the joint law of a Gaussian latent and a surrogate; see `Conditional.law`."""
  return conditional(surrogate, scale).law(mean, scale)


def _count(per_unit, scale):
  """Cells of a unit, even, so that half-integers are edges of cells."""
  return max(per_unit, 2 * math.ceil(16 / scale))


def _phases(count):
  return (np.arange(count) + 0.5) / count


def _of_density(surrogate, phases):
  phases += 1  # odd, so that a unit box about a midpoint ends at edges
  fraction = _phases(phases)
  places = (np.arange(-1, 2)[:, None] + fraction).ravel()  # y_tilde is within 1 of y
  found = surrogate.density(tf.constant(places), tf.constant(fraction[:, None])).numpy()
  return _Table(-1, fraction, _normalized(surrogate, found / phases))


def _of_integers(surrogate, phases):
  found = surrogate.density(
    tf.constant(np.arange(-1.0, 3.0)), tf.constant(_phases(phases)[:, None])
  ).numpy()
  return _Table(-1, np.zeros(1), _normalized(surrogate, found))


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
  """Returns quantiles of the noise of one component at the midpoints of equal probabilities.

  They are of a million draws, so that their own error is below a thousandth of the law's width.

  Raises:
    AnalysisError: if latents of one batch share their noise.
  """
  y = tf.zeros([_DRAWS, 1], tf.float64)
  draws, others = (np.ravel(surrogate.noise(y, tf.constant([seed, place]))) for place in (0, 1))
  if len(draws) < _DRAWS and not np.array_equal(draws, others):
    raise AnalysisError(
      f'{type(surrogate).__name__} draws one noise for a whole batch; the first '
      'axis of the latent counts latents, each of which has its own'
    )
  return np.sort(draws)[((np.arange(count) + 0.5) / count * len(draws)).astype(int)]


def _samples(surrogate, phases):
  u = tf.constant(noise_quantiles(surrogate, _NOISES))
  y = np.repeat(_phases(phases)[:, None], _NOISES, axis=1)
  return surrogate(tf.constant(y), u[None]).numpy()


def _rounded_off(y_tilde):
  """Whether many values are at integers that others come near to without being there."""
  distance = np.abs(y_tilde - np.round(y_tilde))
  return (distance == 0).mean() > _PILED and ((distance > 0) & (distance < _NEAR)).mean() > _PILED


def _of_samples(y_tilde, per_unit):
  """Tabulates cells that are equally likely over all phases, and the same in every unit.

  So cells are as fine as the law is concentrated, and a one-to-one map changes little.
  """
  unit = np.floor(y_tilde).astype(np.int64)
  fraction = y_tilde - unit
  edges = np.unique(np.quantile(fraction, np.arange(1, per_unit) / per_unit))
  place = np.searchsorted(edges, fraction, 'right')
  cells = len(edges) + 1
  count = np.bincount(place.ravel(), minlength=cells)
  mean = np.bincount(place.ravel(), fraction.ravel(), cells) / np.maximum(count, 1)
  first = unit.min()
  columns = (unit.max() - first + 1) * cells
  rows = np.arange(len(unit))[:, None] * columns
  found = np.bincount(
    (rows + (unit - first) * cells + place).ravel(), minlength=len(unit) * columns
  ).reshape(len(unit), columns)
  return _Table(int(first), mean, found / y_tilde.shape[1])


def mmse(law: Law) -> float:
  """Squared error of the ideal decoder of a surrogate, `E Var(y | y_tilde)` (Sec. 4.2.2)."""
  if math.isinf(law.information):
    return 0.0
  occupied = law.mass > 0
  return float(law.variance - (law.moment[occupied] ** 2 / law.mass[occupied]).sum())


def rate(law: Law, mean: float, model_scale: float) -> float:
  """Estimated rate in bits, `E -log2 P(y_tilde)`, by a Gaussian model (Sec. 4.3, Eq. 24).

  Args:
    law: Of latent and surrogate; `Round`'s gives the true rate.
    mean: Of the model.
    model_scale: Of the model.
  """
  bits = gaussian_bits(
    tf.constant(law.y_tilde), tf.constant(mean, tf.float64), tf.constant(model_scale, tf.float64)
  ).numpy()
  return float(law.mass @ bits)


def best_scale(law: Law, mean: float, scale: float) -> float:
  """Returns the model's scale at which the estimated rate is least (Fig. 4).

  It is 0 where the rate falls down to a fiftieth of the latent's, and nan where that scale is as
  good as any.

  Args:
    law: Of latent and surrogate.
    mean: Of the latent and the model.
    scale: Of the latent, near which it is looked for.
  """
  least = math.log(scale) - 4
  found = optimize.minimize_scalar(
    lambda log_scale: rate(law, mean, math.exp(log_scale)),
    bounds=(least, math.log(scale) + 3),
    method='bounded',
    options={'xatol': 1e-5},
  )
  if found.x < least + 1e-3:
    return 0.0
  flat = rate(law, mean, scale) - found.fun < _FLAT and abs(found.x - math.log(scale)) > 0.01
  return math.nan if flat else math.exp(found.x)
