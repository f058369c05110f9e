"""Checks of backward calculations."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from tfusq.quantization.base import Surrogate
from tfusq.quantization.estimators import Estimator, Undefined
from tfusq.quantization.surrogates import AUN, SR, SUA, Round
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
  """Yields those of four surrogates for which the estimator is defined.

  The four are a staircase, additive noise, soft rounding with noise, and a two-point law.
  """
  for surrogate in (Round(), AUN(), SUA(5.0), SR()):
    try:
      estimator.check(surrogate)
    except Undefined:
      continue
    yield surrogate


def _gradient_of_latent(
  estimator: Estimator,
  f: Callable[[tf.Tensor], tf.Tensor],
  surrogate: Surrogate,
  y: tf.Tensor,
  u: tf.Tensor,
) -> tf.Tensor:
  """Returns the gradient with respect to `y` of the sum of `f(y_tilde)`."""
  _, (by_y,) = gradient_of(lambda y: estimator.evaluate(f, surrogate, y, u), y)
  return by_y


def admits_a_surrogate(estimator: Estimator) -> None:
  """At least one of Round, AUN, SUA and SR is admitted; others are refused with `Undefined`."""
  admitted = len(list(_admitted(estimator)))
  require(admitted, f'{admitted} of 4 surrogates are admitted')


def leaves_the_forward_value(estimator: Estimator) -> None:
  """The value is the surrogate's sample, whatever the gradient."""
  y = tf.constant(HARD_LATENTS, tf.float32)[None]
  for surrogate in _admitted(estimator):
    u = noise_of(surrogate, y)
    values = [estimator.evaluate(tf.identity, surrogate, y, u)]
    if not estimator.elementwise:
      values.append(estimator.quantize(surrogate, y, u))

    expected = surrogate(y, u)
    error = max(np.abs(value - expected).max() for value in values)
    require(error == 0, f'with {type(surrogate).__name__} the value is off by {error:.3g}')


def has_finite_gradients(estimator: Estimator) -> None:
  """The gradient of a smooth loss has the latent's shape and is finite at hard latents."""
  y = tf.constant(HARD_LATENTS, tf.float32)[None]
  for surrogate in _admitted(estimator):
    by_y = _gradient_of_latent(estimator, tf.tanh, surrogate, y, noise_of(surrogate, y))
    bad = np.flatnonzero(~np.isfinite(by_y[0]))
    require(
      not bad.size,
      f'with {type(surrogate).__name__} the gradient is not finite at y = {HARD_LATENTS[bad]}',
    )


def agrees_when_traced(estimator: Estimator) -> None:
  """A graph of unknown shapes gives the values and gradients of eager calls."""
  for surrogate in _admitted(estimator):
    _require_same_when_traced(estimator, surrogate)


def _require_same_when_traced(estimator: Estimator, surrogate: Surrogate) -> None:
  def loss(y, parameter):
    u = noise_of(surrogate, y)
    return estimator.evaluate(lambda v: tf.tanh(parameter * v), surrogate, y, u)

  def value_and_gradients(y, parameter):
    value, gradients = gradient_of(loss, y, parameter)
    return [value, *gradients]

  y = grid()
  require_same_when_traced(value_and_gradients, y, tf.fill(y.shape, 0.7))


def moves_the_mean_over_a_period(estimator: Estimator) -> None:
  """`Q(y + 1) = Q(y) + 1`, so that the gradient of a linear loss has the mean 1 over a period."""
  y = tf.constant((np.arange(SAMPLES) + 0.5) / SAMPLES, tf.float32)[:, None]
  for surrogate in _admitted(estimator):
    by_y = _gradient_of_latent(estimator, tf.identity, surrogate, y, noise_of(surrogate, y))
    mean = np.mean(by_y, dtype=np.float64)

    # The last term is for rounding errors where the gradient does not vary.
    z = (mean - 1) / (np.std(by_y) / np.sqrt(SAMPLES) + 1e-5)
    require(
      abs(z) < MAX_Z,
      f'with {type(surrogate).__name__} the mean gradient is {mean:.5f}, not 1: z = {z:.1f}',
    )


def is_exact_where_only_elementwise(estimator: Estimator) -> None:
  """An estimator for elementwise functions only gives the gradient of the expected loss."""
  if not estimator.elementwise:
    raise NotApplicable('it is not for elementwise losses only')

  def f(v):
    return tf.cos(3 * v)

  for surrogate in _admitted(estimator):
    for low, high in ((0.05, 0.4), (-0.3, -0.1)):
      start, end, between = across(low, high, tf.float32)
      u = noise_of(surrogate, start)
      slope = _gradient_of_latent(estimator, f, surrogate, between, u)
      change = f(surrogate(end, u)) - f(surrogate(start, u))
      description = f'with {type(surrogate).__name__} the mean of cos(3 v)'
      require_integral(change, slope, low, high, description)


def keeps_the_gradient_of_parameters(estimator: Estimator) -> None:
  """Everything else that the loss depends on receives its gradient at the sample."""
  for surrogate in _admitted(estimator):
    _require_gradient_of_parameter(estimator, surrogate)


def _require_gradient_of_parameter(estimator: Estimator, surrogate: Surrogate) -> None:
  y = grid()
  u = noise_of(surrogate, y)
  parameter = tf.fill(y.shape, 0.7)

  def loss(y, parameter):
    return estimator.evaluate(lambda v: tf.sin(parameter * v), surrogate, y, u)

  # The latent is watched, too: a custom gradient that drops what it captures is only in use then.
  _, (_, by_parameter) = gradient_of(loss, y, parameter)

  sample = surrogate(y, u)
  error = np.abs(by_parameter - sample * tf.cos(parameter * sample)).max()
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
