"""Checks of forward calculations."""

import numpy as np
import tensorflow as tf

from tfusq.quantization.surrogates import Surrogate
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

_INTERVALS = (0.1, 0.4), (0.55, 0.95), (-0.2, 0.3), (0.9, 1.6)
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
  """The forward calculation, and what its estimators need, are finite at hard latents."""
  y = tf.constant(HARD_LATENTS, tf.float32)[None]
  parts = {'y_tilde': surrogate(y, noise_of(surrogate, y))}
  parts['slope of the proxy'] = gradient_of(surrogate.proxy, y)[1][0]
  if surrogate.differentiable:
    parts['gradient'] = gradient_of(surrogate, y, noise_of(surrogate, y))[1][0]
  if surrogate.has_secant():
    parts |= {f'secant.{name}': value for name, value in surrogate.secant(y)._asdict().items()}
  for name, value in parts.items():
    bad = np.flatnonzero(~np.isfinite(value[0]))
    require(not bad.size, f'{name} is not finite at y = {HARD_LATENTS[bad]}')


def agrees_when_traced(surrogate: Surrogate) -> None:
  """A graph of unknown shapes gives the values, the gradients and the secant of eager calls."""

  def everything(y):
    u = noise_of(surrogate, y)
    y_tilde, gradients = gradient_of(surrogate, y, u)
    parts = [u, y_tilde, *gradient_of(surrogate.proxy, y)[1]]
    if surrogate.differentiable:
      parts += gradients
    return parts + list(surrogate.secant(y) if surrogate.has_secant() else [])

  require_same_when_traced(everything, 3 * tf.random.stateless_normal([2, 3, 4, 5], [3, 4]))


def shifts_by_integers(surrogate: Surrogate) -> None:
  """`Q(y + k, u) = Q(y, u) + k` for integer k: a unit step size."""
  y = grid(tf.float64)
  u = noise_of(surrogate, y)
  for k in (1, -3):
    error = np.abs(surrogate(y + k, u) - surrogate(y, u) - k).max()
    require(error < 1e-9, f'Q(y + {k}, u) differs from Q(y, u) + {k} by {error:.3g}')


def stays_near(surrogate: Surrogate) -> None:
  """`y_tilde` is within 1 of `y`, as one of its two integers or noise of one step is."""
  y = tf.tile(grid(), [50, 1])
  distance = np.abs(surrogate(y, noise_of(surrogate, y)) - y).max()
  require(distance <= 1 + 1e-5, f'y_tilde is up to {distance:.4g} away from y')


def is_elementwise(surrogate: Surrogate) -> None:
  """What is beside a component does not matter."""
  y = grid()
  u = tf.broadcast_to(noise_of(surrogate, y), y.shape)
  apart = np.abs(surrogate(y, u)[:, :7] - surrogate(y[:, :7], u[:, :7])).max()
  require(apart < 1e-5, f'y_tilde is {apart:.3g} apart where other components are left out')


def holds_its_temperatures(surrogate: Surrogate) -> None:
  """Each parameter that takes a schedule is held as a `Temperature`, without which none anneals."""
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
  first, again, other = (noise_of(surrogate, y, seed).numpy() for seed in ((1, 2), (1, 2), (1, 3)))
  require(
    np.array_equal(first, again),
    f'one seed gave two noises, {np.abs(first - again).max():.3g} apart',
  )
  if np.ptp(first) or np.ptp(other):
    share = (first == other).mean()
    require(share < 0.01, f'two seeds gave the same noise in {share:.0%} of the places')


def is_a_function_of_latent_and_noise(surrogate: Surrogate) -> None:
  """Called twice on one latent and noise, the surrogate gives one value."""
  y = grid()
  u = noise_of(surrogate, y)
  apart = np.abs(surrogate(y, u) - surrogate(y, u)).max()
  require(apart == 0, f'two calls on one latent and noise are {apart:.3g} apart')


def gradient_is_the_finite_difference(surrogate: Surrogate) -> None:
  """Where the surrogate says it is differentiable, autodiff agrees with finite differences."""
  if not surrogate.differentiable:
    raise NotApplicable('it is not said to be differentiable')
  y = tf.tile(grid(tf.float64), [20, 1])
  u = noise_of(surrogate, y)
  ours = gradient_of(surrogate, y, u)[1][0].numpy()
  h = 1e-6
  differences = [
    ((surrogate(y + step, u) - surrogate(y - step, u)) / (2 * step)).numpy() for step in (h, h / 2)
  ]
  # Where two step sizes disagree there is a kink, as at the cells' borders.
  smooth = np.abs(differences[0] - differences[1]) < 1e-4 * (1 + np.abs(differences[1]))
  error = np.where(smooth, np.abs(ours - differences[1]) / (1 + np.abs(differences[1])), 0)
  require(
    smooth.mean() > 0.5 and error.max() < 1e-3,
    f'the gradient is {error.max():.3g} (relative) off the finite difference',
  )


def gradient_is_the_change_of_the_mean(surrogate: Surrogate) -> None:
  """Autodiff's gradient integrates to the Monte-Carlo change of `E[f(Q(y))]`, if differentiable."""
  if not surrogate.differentiable:
    raise NotApplicable('it is not said to be differentiable')
  for low, high in _INTERVALS:
    start, end, between = across(low, high, tf.float64)
    u = noise_of(surrogate, start)
    at_start, at_end = surrogate(start, u), surrogate(end, u)
    independent = noise_of(surrogate, between, (3, 4))
    for name, f in _FUNCTIONS.items():
      _, (slope,) = gradient_of(lambda y: f(surrogate(y, independent)), between)  # noqa: B023
      require_integral(f(at_end) - f(at_start), slope, low, high, f'the mean of {name}')


def secant_is_the_change_of_the_mean(surrogate: Surrogate) -> None:
  """The secant integrates to the Monte-Carlo change of `E[f(Q(y))]`, for three functions f."""
  if not surrogate.has_secant():
    raise NotApplicable('it has no secant')
  for low, high in _INTERVALS:
    edges = np.linspace(low, high, 2001)
    middles = tf.constant((edges[1:] + edges[:-1]) / 2)
    secant = surrogate.secant(middles)
    start, end = (tf.fill([SAMPLES, 1], tf.constant(edge, tf.float64)) for edge in (low, high))
    u = noise_of(surrogate, start)
    at_start, at_end = surrogate(start, u), surrogate(end, u)
    for name, f in _FUNCTIONS.items():
      integral = float(tf.reduce_mean(secant.slope * (f(secant.upper) - f(secant.lower)))) * (
        high - low
      )
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
  edges = np.linspace(-1.5, 1.5, 31)
  for latent in (0.03, 0.34, -0.48, 0.71):
    y = tf.fill([SAMPLES, 1], tf.constant(latent, tf.float64))
    samples = surrogate(y, noise_of(surrogate, y)).numpy()
    if surrogate.discrete:
      places = np.arange(-1.0, 3.0)
      probability = _density_at(surrogate, places, latent)
      frequency = (samples == places).mean(0)
    else:
      fine = (np.arange(30 * 1000) + 0.5) / 10_000 - 1.5
      probability = _density_at(surrogate, fine, latent).reshape(30, 1000).sum(1) / 10_000
      frequency = np.histogram(samples, edges)[0] / SAMPLES
    z = np.abs(frequency - probability) / np.sqrt((probability + 1e-4) / SAMPLES)
    worst = z.argmax()
    require(
      z[worst] < MAX_Z,
      f'at a latent of {latent} a frequency is {frequency[worst]:.4f}, and '
      f'the density gives {probability[worst]:.4f}: z = {z[worst]:.1f}',
    )


def _density_at(surrogate, places, latent):
  return surrogate.density(tf.constant(places), tf.constant(latent, tf.float64)).numpy()


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
