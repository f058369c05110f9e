"""Checks of forward calculations."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfusq.quantization.base import Surrogate
from tfusq.quantization.temperature import Temperature, temperature_parameters
from tfusq.testing.requirements import (
  HARD_LATENTS,
  MAX_Z,
  SAMPLES,
  NotApplicable,
  across,
  gradient_of,
  grid,
  noise_of,
  require,
  require_integral,
  require_same_when_traced,
)

# Within a half cell, across none, one and two cell borders: kinks lie at (half-)integers.
_INTERVALS = ((0.1, 0.4), (0.55, 0.95), (-0.2, 0.3), (0.9, 1.6))

# A mean, a second moment, and a bounded function: together they tell most wrong laws apart.
_FUNCTIONS = {
  'f(v) = v': lambda v: v,
  'f(v) = v^2': tf.square,
  'f(v) = cos(3 v)': lambda v: tf.cos(3 * v),
}


def keeps_shape_and_dtype(surrogate: Surrogate) -> None:
  """`y_tilde` has the shape and dtype of `y`, and the noise broadcasts to it."""
  for dtype in (tf.float32, tf.float64):
    y = tf.zeros([2, 3, 5, 4], dtype)
    u = noise_of(surrogate, y)
    require(
      u.shape.rank == 4 and tf.broadcast_static_shape(u.shape, y.shape) == y.shape,
      f'noise of shape {u.shape} does not broadcast to a latent of {y.shape}',
    )
    y_tilde = surrogate(y, u)
    require(
      y_tilde.shape == y.shape and y_tilde.dtype == dtype,
      f'a latent of {y.shape}, {dtype.name} became {y_tilde.shape}, {y_tilde.dtype.name}',
    )


def is_finite(surrogate: Surrogate) -> None:
  """The forward calculation, and everything its estimators use, are finite at hard latents."""
  y = tf.constant(HARD_LATENTS, tf.float32)[None]
  u = noise_of(surrogate, y)
  results = {'y_tilde': surrogate(y, u)}

  _, (slope,) = gradient_of(surrogate.proxy, y)
  results['slope of the proxy'] = slope
  if surrogate.differentiable:
    _, (by_y, _) = gradient_of(surrogate, y, u)
    results['gradient'] = by_y
  if surrogate.has_secant():
    for name, value in surrogate.secant(y)._asdict().items():
      results[f'secant.{name}'] = value

  for name, value in results.items():
    bad = np.flatnonzero(~np.isfinite(value[0]))
    require(not bad.size, f'{name} is not finite at y = {HARD_LATENTS[bad]}')


def agrees_when_traced(surrogate: Surrogate) -> None:
  """A graph of unknown shapes gives the values, the gradients and the secant of eager calls."""

  def all_results(y):
    u = noise_of(surrogate, y)
    y_tilde, gradients = gradient_of(surrogate, y, u)
    _, slopes = gradient_of(surrogate.proxy, y)
    results = [u, y_tilde, *slopes]
    if surrogate.differentiable:
      results += gradients
    if surrogate.has_secant():
      results += surrogate.secant(y)
    return results

  require_same_when_traced(all_results, 3 * tf.random.stateless_normal([2, 3, 4, 5], [3, 4]))


def shifts_by_integers(surrogate: Surrogate) -> None:
  """`Q(y + k, u) = Q(y, u) + k` for integer k: a unit step size."""
  y = grid(tf.float64)
  u = noise_of(surrogate, y)
  for k in (1, -3):
    error = np.abs(surrogate(y + k, u) - surrogate(y, u) - k).max()
    require(error < 1e-9, f'Q(y + {k}, u) differs from Q(y, u) + {k} by {error:.3g}')


def stays_near(surrogate: Surrogate) -> None:
  """`y_tilde` is within `reach` of `y`: by default 1, as of two integers and noise of one step."""
  y = tf.tile(grid(), [50, 1])
  distance = np.abs(surrogate(y, noise_of(surrogate, y)) - y).max()
  require(
    distance <= surrogate.reach + 1e-5,
    f'y_tilde is up to {distance:.4g} away from y, and its reach is {surrogate.reach}',
  )


def is_elementwise(surrogate: Surrogate) -> None:
  """A component of `y_tilde` does not depend on the other components."""
  y = grid()
  u = tf.broadcast_to(noise_of(surrogate, y), y.shape)
  together = surrogate(y, u)[:, :7]
  alone = surrogate(y[:, :7], u[:, :7])
  difference = np.abs(together - alone).max()
  require(
    difference < 1e-5, f'y_tilde is {difference:.3g} apart where other components are left out'
  )


def holds_its_temperatures(surrogate: Surrogate) -> None:
  """Each parameter that takes a schedule is held as a `Temperature`: others are not annealed."""
  parameters = temperature_parameters(type(surrogate))
  held = sum(isinstance(module, Temperature) for module in surrogate.submodules)
  require(
    held >= len(parameters),
    f'{len(parameters)} parameters take a schedule '
    f'({", ".join(parameters)}), and {held} are held as a Temperature',
  )


def noise_follows_the_seed(surrogate: Surrogate) -> None:
  """Equal seeds give equal noise; other seeds give other noise, unless there is none."""
  y = tf.zeros([2, 8, 8, 3])
  first = noise_of(surrogate, y, (1, 2)).numpy()
  again = noise_of(surrogate, y, (1, 2)).numpy()
  other = noise_of(surrogate, y, (1, 3)).numpy()
  require(
    np.array_equal(first, again),
    f'one seed gave two noises, {np.abs(first - again).max():.3g} apart',
  )

  is_constant = not (np.ptp(first) or np.ptp(other))
  if not is_constant:
    share = (first == other).mean()
    require(share < 0.01, f'two seeds gave the same noise in {share:.0%} of the positions')


def is_a_function_of_latent_and_noise(surrogate: Surrogate) -> None:
  """Called twice on one latent and noise, the surrogate gives one value."""
  y = grid()
  u = noise_of(surrogate, y)
  difference = np.abs(surrogate(y, u) - surrogate(y, u)).max()
  require(difference == 0, f'two calls on one latent and noise are {difference:.3g} apart')


def gradient_is_the_finite_difference(surrogate: Surrogate) -> None:
  """If the surrogate is differentiable, its gradient agrees with finite differences."""
  if not surrogate.differentiable:
    raise NotApplicable('it is not said to be differentiable')
  y = tf.tile(grid(tf.float64), [20, 1])
  u = noise_of(surrogate, y)
  _, (by_y, _) = gradient_of(surrogate, y, u)

  def difference(h):
    return ((surrogate(y + h, u) - surrogate(y - h, u)) / (2 * h)).numpy()

  coarse = difference(1e-6)
  fine = difference(5e-7)

  # Where two step sizes disagree there is a kink, as at the borders of cells.
  smooth = np.abs(coarse - fine) < 1e-4 * (1 + np.abs(fine))
  error = np.where(smooth, np.abs(by_y.numpy() - fine) / (1 + np.abs(fine)), 0)
  require(
    smooth.mean() > 0.5 and error.max() < 1e-3,
    f'the gradient is {error.max():.3g} (relative) off the finite difference',
  )


def gradient_is_the_change_of_the_mean(surrogate: Surrogate) -> None:
  """If the surrogate is differentiable, its gradient integrates to the change of `E[f(Q(y))]`.

  Both the gradient's integral over an interval and the change between its ends are Monte-Carlo
  means.
  """
  if not surrogate.differentiable:
    raise NotApplicable('it is not said to be differentiable')
  for low, high in _INTERVALS:
    start, end, between = across(low, high, tf.float64)
    u = noise_of(surrogate, start)
    at_start = surrogate(start, u)
    at_end = surrogate(end, u)
    for name, f in _FUNCTIONS.items():
      change = f(at_end) - f(at_start)
      slope = _gradient_of_sample(surrogate, f, between)
      require_integral(change, slope, low, high, f'the mean of {name}')


def _gradient_of_sample(
  surrogate: Surrogate, f: Callable[[tf.Tensor], tf.Tensor], y: tf.Tensor
) -> tf.Tensor:
  """Returns the gradient of `f(Q(y, u))` with respect to `y`, with independent noise."""
  u = noise_of(surrogate, y, (3, 4))
  _, (by_y,) = gradient_of(lambda y: f(surrogate(y, u)), y)
  return by_y


def secant_is_the_change_of_the_mean(surrogate: Surrogate) -> None:
  """The secant integrates to the Monte-Carlo change of `E[f(Q(y))]`, for three functions f."""
  if not surrogate.has_secant():
    raise NotApplicable('it has no secant')
  for low, high in _INTERVALS:
    # The midpoint rule: the secant has no noise.
    edges = np.linspace(low, high, 2001)
    secant = surrogate.secant(tf.constant((edges[1:] + edges[:-1]) / 2))

    start, end, _ = across(low, high, tf.float64)
    u = noise_of(surrogate, start)
    at_start = surrogate(start, u)
    at_end = surrogate(end, u)

    for name, f in _FUNCTIONS.items():
      slope = secant.slope * (f(secant.upper) - f(secant.lower))
      integral = float(tf.reduce_mean(slope)) * (high - low)
      change = (f(at_end) - f(at_start)).numpy()
      z = (change.mean() - integral) / (change.std() / np.sqrt(SAMPLES) + 1e-5)
      require(
        abs(z) < MAX_Z,
        f'over [{low}, {high}] the mean of {name} changes by '
        f'{change.mean():.5f}, and the secant integrates to {integral:.5f}: z = {z:.1f}',
      )


def density_is_the_law_of_samples(surrogate: Surrogate) -> None:
  """Over cells of `y_tilde` the density integrates to the frequencies of samples."""
  if not surrogate.has_density():
    raise NotApplicable('it has no density')
  for latent in (0.03, 0.34, -0.48, 0.71):
    y = tf.fill([SAMPLES, 1], tf.constant(latent, tf.float64))
    samples = surrogate(y, noise_of(surrogate, y)).numpy()
    if surrogate.discrete:
      frequency, probability = _two_probabilities_of_integers(surrogate, samples, latent)
    else:
      frequency, probability = _two_probabilities_of_cells(surrogate, samples, latent)

    z = np.abs(frequency - probability) / np.sqrt((probability + 1e-4) / SAMPLES)
    worst = z.argmax()
    require(
      z[worst] < MAX_Z,
      f'at a latent of {latent} a frequency is {frequency[worst]:.4f}, and '
      f'the density gives {probability[worst]:.4f}: z = {z[worst]:.1f}',
    )


def _two_probabilities_of_integers(
  surrogate: Surrogate, samples: np.ndarray, latent: float
) -> tuple[np.ndarray, np.ndarray]:
  """Returns frequencies and probabilities of the integers from -1 to 2."""
  integers = np.arange(-1.0, 3.0)
  frequency = (samples == integers).mean(0)
  return frequency, _density_at(surrogate, integers, latent)


def _two_probabilities_of_cells(
  surrogate: Surrogate, samples: np.ndarray, latent: float
) -> tuple[np.ndarray, np.ndarray]:
  """Returns frequencies and probabilities of 30 cells of width 0.1 from -1.5 to 1.5."""
  edges = np.linspace(-1.5, 1.5, 31)
  frequency = np.histogram(samples, edges)[0] / SAMPLES

  # The midpoint rule with 1000 points in each cell.
  points = (np.arange(30 * 1000) + 0.5) / 10_000 - 1.5
  density = _density_at(surrogate, points, latent)
  return frequency, density.reshape(30, 1000).sum(1) / 10_000


def _density_at(surrogate: Surrogate, y_tilde: np.ndarray, latent: float) -> np.ndarray:
  return surrogate.density(tf.constant(y_tilde), tf.constant(latent, tf.float64)).numpy()


surrogate_checks = [
  keeps_shape_and_dtype,
  is_finite,
  agrees_when_traced,
  is_elementwise,
  shifts_by_integers,
  stays_near,
  noise_follows_the_seed,
  is_a_function_of_latent_and_noise,
  holds_its_temperatures,
  gradient_is_the_finite_difference,
  gradient_is_the_change_of_the_mean,
  secant_is_the_change_of_the_mean,
  density_is_the_law_of_samples,
]
