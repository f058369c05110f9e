"""Optimization of latents through surrogates by Adam, of which the best rounded state is kept.

Every `INTERVAL` iterations the latents are rounded and their cost is taken: what a surrogate says
of the cost is not what the decoder sees.

#### References
Adam: Kingma and Ba, Adam: a method for stochastic optimization, 2015,
https://arxiv.org/abs/1412.6980.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfusq.refinement.picture import Best, Latents, Look, the_better
from tfusq.refinement.refinement import STEPS, Refinement

# Iterations between two looks at the rounded latents.
INTERVAL = 25

# As published.
_BETA_1 = 0.9
_BETA_2 = 0.999
_EPSILON = 1e-8


class Budget(NamedTuple):
  """Limits of an optimization, which ends at the first of them.

  Attributes:
    iterations: Number of iterations, a scalar `int64`; 0 for none.
    seconds: Seconds that it may take, a scalar `float32`.
    seed: Seed of the noise, a scalar `int64`.
  """

  iterations: tf.Tensor
  seconds: tf.Tensor
  seed: tf.Tensor


class _State(NamedTuple):
  """The state of Adam.

  Attributes:
    iteration: Number of iterations so far, a scalar `int64`.
    latents: The latents.
    mean: Running mean of each latent's gradient.
    square: Running mean of each latent's squared gradient.
  """

  iteration: tf.Tensor
  latents: Latents
  mean: Latents
  square: Latents


class _Clock:
  """How far a refinement has come."""

  def __init__(self, budget: Budget):
    """Starts the clock."""
    self._budget = budget
    self._start = tf.timestamp()

  def progress(self, iteration: tf.Tensor) -> tf.Tensor:
    """Returns the fraction that is done, a scalar float64; at the end, 1 or more."""
    of_iterations = tf.cast(iteration, tf.float64) / tf.cast(
      tf.maximum(self._budget.iterations, 1), tf.float64
    )
    with tf.control_dependencies([iteration]):
      elapsed = tf.timestamp() - self._start
    of_seconds = elapsed / tf.maximum(tf.cast(self._budget.seconds, tf.float64), 1e-9)
    return tf.maximum(of_iterations, of_seconds)

  def goes_on(self, iteration: tf.Tensor) -> tf.Tensor:
    """Returns whether there is another iteration."""
    return (iteration < self._budget.iterations) & (self.progress(iteration) < 1)


def descend(
  loss: Callable[[Latents, tf.Tensor], tf.Tensor],
  refinement: Refinement,
  masks: Latents,
  budget: Budget,
  start: Latents,
  best: Best,
  look: Look,
) -> Best:
  """Optimizes latents.

  Args:
    loss: Function from latents and the number of the iteration to a scalar.
    refinement: The settings, in which `loss` is called at the iteration's temperatures.
    masks: 1 where a position of a latent may change, else 0, `float32[1, height, width, 1]`.
    budget: Limits of the optimization.
    start: Latents to start from.
    best: The best latents so far.
    look: Function from latents to their cost when they are rounded.

  Returns:
    The best latents that were seen.
  """
  clock = _Clock(budget)

  def iterate(state):
    progress = tf.minimum(clock.progress(state.iteration), 1)
    step = tf.cast(progress * STEPS, tf.int64)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(state.latents)
      with refinement.held_at(step):
        value = loss(state.latents, state.iteration)
    gradients = tape.gradient(
      value, state.latents, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return (_moved(state, gradients, masks, refinement.learning_rate(step)),)

  def look_again(state, best):
    until = state.iteration + INTERVAL
    (state,) = tf.while_loop(
      lambda state: (state.iteration < until) & clock.goes_on(state.iteration),
      iterate,
      (state,),
      parallel_iterations=1,
    )
    return state, the_better(best, state.latents, look)

  zeros = {name: tf.zeros_like(y) for name, y in start.items()}
  state = _State(tf.constant(0, tf.int64), start, zeros, zeros)
  _, best = tf.while_loop(
    lambda state, _: clock.goes_on(state.iteration),
    look_again,
    (state, best),
    parallel_iterations=1,
  )
  return best


def _moved(state: _State, gradients: Latents, masks: Latents, learning_rate: tf.Tensor) -> _State:
  """Returns the state after one step of Adam."""
  iteration = state.iteration + 1
  count = tf.cast(iteration, tf.float32)
  correction = tf.sqrt(1 - _BETA_2**count) / (1 - _BETA_1**count)

  latents, means, squares = {}, {}, {}
  for name, y in state.latents.items():
    gradient = tf.ensure_shape(gradients[name] * masks[name], y.shape)
    # The range coder refuses latents that are not finite, of which no later state would recover.
    gradient = tf.where(tf.math.is_finite(gradient), gradient, 0)
    means[name] = _BETA_1 * state.mean[name] + (1 - _BETA_1) * gradient
    squares[name] = _BETA_2 * state.square[name] + (1 - _BETA_2) * tf.square(gradient)
    scaled = means[name] / (tf.sqrt(squares[name]) + _EPSILON)
    latents[name] = y - learning_rate * correction * scaled
  return _State(iteration, latents, means, squares)
