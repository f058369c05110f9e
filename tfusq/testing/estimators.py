"""Checks of backward calculations."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tfusq.quantization.estimators import Estimator, Undefined
from tfusq.quantization.surrogates import AUN, SR, SUA, Round, Surrogate
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


def _admitted(estimator: Estimator) -> Iterator[Surrogate]:
  for surrogate in (Round(), AUN(), SUA(5.0), SR()):
    try:
      estimator.check(surrogate)
    except Undefined:
      continue
    yield surrogate


def admits_a_surrogate(estimator: Estimator) -> None:
  """At least one of Round, AUN, SUA and SR is admitted; others are refused with `Undefined`."""
  admitted = len(list(_admitted(estimator)))
  require(admitted, f'{admitted} of 4 surrogates are admitted')


def leaves_the_forward_value(estimator: Estimator) -> None:
  """The value is the surrogate's, whatever the gradient."""
  y = tf.constant(HARD_LATENTS, tf.float32)[None]
  for surrogate in _admitted(estimator):
    u = noise_of(surrogate, y)
    expected = surrogate(y, u)
    values = [estimator.evaluate(tf.identity, surrogate, y, u)]
    if not estimator.elementwise:
      values.append(estimator.quantize(surrogate, y, u))
    error = max(np.abs(value - expected).max() for value in values)
    require(error == 0, f'with {type(surrogate).__name__} the value is off by {error:.3g}')


def has_finite_gradients(estimator: Estimator) -> None:
  """The gradient of a smooth loss has the latent's shape and is finite at hard latents."""
  y = tf.constant(HARD_LATENTS, tf.float32)[None]
  for surrogate in _admitted(estimator):
    u = noise_of(surrogate, y)
    _, (by_y,) = gradient_of(lambda y: estimator.evaluate(tf.tanh, surrogate, y, u), y)  # noqa: B023
    bad = np.flatnonzero(~np.isfinite(by_y[0]))
    require(
      not bad.size,
      f'with {type(surrogate).__name__} the gradient is not finite at y = {HARD_LATENTS[bad]}',
    )


def agrees_when_traced(estimator: Estimator) -> None:
  """A graph of unknown shapes gives the values and gradients of eager calls."""
  for surrogate in _admitted(estimator):

    def evaluate(y, parameter):
      value, gradients = gradient_of(
        lambda y, parameter: estimator.evaluate(
          lambda v: tf.tanh(parameter * v), surrogate, y, noise_of(surrogate, y)
        ),  # noqa: B023
        y,
        parameter,
      )
      return [value, *gradients]

    require_same_when_traced(evaluate, grid(), tf.fill(grid().shape, 0.7))


def moves_the_mean_over_a_period(estimator: Estimator) -> None:
  """`Q(y + 1) = Q(y) + 1`, so that the gradient of a linear loss has the mean 1 over a period."""
  y = tf.constant((np.arange(SAMPLES) + 0.5) / SAMPLES, tf.float32)[:, None]
  for surrogate in _admitted(estimator):
    u = noise_of(surrogate, y)
    _, (by_y,) = gradient_of(lambda y: estimator.evaluate(tf.identity, surrogate, y, u), y)  # noqa: B023
    mean, spread = np.mean(by_y, dtype=np.float64), np.std(by_y)
    z = (mean - 1) / (spread / np.sqrt(SAMPLES) + 1e-5)
    require(
      abs(z) < MAX_Z,
      f'with {type(surrogate).__name__} the mean gradient is {mean:.5f}, not 1: z = {z:.1f}',
    )


def is_exact_where_only_elementwise(estimator: Estimator) -> None:
  """An estimator that gives up what is not elementwise gives the expected loss's own gradient."""
  if not estimator.elementwise:
    raise NotApplicable('it is not for elementwise losses only')
  for surrogate in _admitted(estimator):
    for low, high in ((0.05, 0.4), (-0.3, -0.1)):
      start, end, between = across(low, high, tf.float32)
      u = noise_of(surrogate, start)
      _, (slope,) = gradient_of(
        lambda y: estimator.evaluate(lambda v: tf.cos(3 * v), surrogate, y, u), between
      )  # noqa: B023
      change = tf.cos(3 * surrogate(end, u)) - tf.cos(3 * surrogate(start, u))
      require_integral(
        change, slope, low, high, f'with {type(surrogate).__name__} the mean of cos(3 v)'
      )


def keeps_the_gradient_of_parameters(estimator: Estimator) -> None:
  """What else the loss depends on gets its gradient at the sample."""
  y = grid()
  for surrogate in _admitted(estimator):
    u = noise_of(surrogate, y)
    parameter = tf.fill(y.shape, 0.7)
    # The latent is watched too: a custom gradient drops what it captures only where it is used.
    _, (_, ours) = gradient_of(
      lambda y, parameter: estimator.evaluate(lambda v: tf.sin(parameter * v), surrogate, y, u),
      y,
      parameter,
    )  # noqa: B023
    sample = surrogate(y, u)
    error = np.abs(ours - sample * tf.cos(parameter * sample)).max()
    require(
      error < 1e-5, f"with {type(surrogate).__name__} a parameter's gradient is off by {error:.3g}"
    )


estimator_checks = [
  admits_a_surrogate,
  leaves_the_forward_value,
  has_finite_gradients,
  agrees_when_traced,
  moves_the_mean_over_a_period,
  is_exact_where_only_elementwise,
  keeps_the_gradient_of_parameters,
]
