"""Checks of backward calculations."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tfusq.estimators import Estimator, Undefined
from tfusq.surrogates import AUN, SR, SUA, Round, Surrogate
from tfusq.testing.requirements import (
  HARD_LATENTS,
  MAX_Z,
  SAMPLES,
  gradient_of,
  grid,
  noise_of,
  require,
  require_same_when_traced,
)


def _admitted(estimator: Estimator) -> Iterator[Surrogate]:
  for surrogate in (Round(), AUN(), SUA(5.), SR()):
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
    require(not bad.size, f'with {type(surrogate).__name__} the gradient is not finite at '
             f'y = {HARD_LATENTS[bad]}')


def agrees_when_traced(estimator: Estimator) -> None:
  """A graph of unknown shapes gives the values and gradients of eager calls."""
  for surrogate in _admitted(estimator):
    def evaluate(y):
      value, (by_y,) = gradient_of(lambda y: estimator.evaluate(
          tf.tanh, surrogate, y, noise_of(surrogate, y)), y)  # noqa: B023
      return [value, by_y]

    require_same_when_traced(evaluate, grid())


def moves_the_mean_of_additive_noise(estimator: Estimator) -> None:
  """With AUN, `E[y_tilde] = y`, so that the gradient of a linear loss has the mean 1."""
  if not any(isinstance(surrogate, AUN) for surrogate in _admitted(estimator)):
    return
  y = tf.fill([SAMPLES, 1], .3)
  u = noise_of(AUN(), y)
  by_y = gradient_of(lambda y: estimator.evaluate(tf.identity, AUN(), y, u), y)[1][0].numpy()
  z = (by_y.mean(dtype=np.float64) - 1) / (by_y.std() / np.sqrt(SAMPLES) + 1e-6)
  require(abs(z) < MAX_Z, f'the mean gradient is {by_y.mean():.5f}, not 1: z = {z:.1f}')


def keeps_the_gradient_of_parameters(estimator: Estimator) -> None:
  """What else the loss depends on gets its gradient at the sample."""
  y = grid()
  for surrogate in _admitted(estimator):
    u = noise_of(surrogate, y)
    parameter = tf.fill(y.shape, .7)
    _, (ours,) = gradient_of(lambda parameter: estimator.evaluate(
        lambda v: tf.sin(parameter * v), surrogate, y, u), parameter)  # noqa: B023
    sample = surrogate(y, u)
    error = np.abs(ours - sample * tf.cos(parameter * sample)).max()
    require(error < 1e-5, f'with {type(surrogate).__name__} a parameter\'s gradient is off by '
             f'{error:.3g}')


estimator_checks = [
    admits_a_surrogate, leaves_the_forward_value, has_finite_gradients, agrees_when_traced,
    moves_the_mean_of_additive_noise, keeps_the_gradient_of_parameters]
