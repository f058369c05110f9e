import time

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from tfusq.refinement import Budget, Refinement, optimization
from tfusq.refinement.picture import Best

TARGET = np.linspace(-1, 1, 24).reshape(1, 2, 3, 4).astype(np.float32)


def refinement(learning_rate=0.05, surrogate=None):
  noise = tfusq.Quantizer(surrogate or tfusq.AUN(), tfusq.PGE())
  return Refinement(noise, noise, learning_rate)


def budget(iterations, seconds=np.inf):
  return Budget(
    tf.constant(iterations, tf.int64), tf.cast(seconds, tf.float32), tf.constant(0, tf.int64)
  )


def squared_distance(latents, number=None):
  del number
  return tf.reduce_sum(tf.square(latents['y'] - TARGET))


def descend(budget, loss=squared_distance, look=squared_distance, mask=1.0, settings=None):
  start = {'y': tf.zeros_like(TARGET)}
  best = Best(tf.constant(np.inf, tf.float64), start)
  return optimization.descend(
    loss,
    settings or refinement(),
    {'y': tf.fill([1, 2, 3, 1], mask)},
    budget,
    start,
    best,
    lambda latents: tf.cast(look(latents), tf.float64),
  )


def adam(iterations, learning_rate):
  """Adam as published (Algorithm 1), in float64."""
  y, m, v = np.zeros_like(TARGET, np.float64), 0, 0
  for t in range(1, iterations + 1):
    g = 2 * (y - TARGET)
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    y = y - learning_rate(t - 1) * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
  return y


@pytest.mark.parametrize('iterations', [25, 40])
def test_it_is_adam(iterations, eagerly):
  best = descend(budget(iterations))
  expected = adam(iterations, lambda t: 0.05)
  # Where the gradient is next to zero, the published epsilon and ours differ.
  np.testing.assert_allclose(best.latents['y'], expected, atol=1e-4)


def test_schedules_are_gone_through_in_proportion(eagerly):
  settings = refinement(tfusq.Linear(0.0, 1000, 0.1))
  best = descend(budget(40), settings=settings)
  expected = adam(40, lambda t: 0.1 - 0.1 * np.floor(t / 40 * 1000) / 1000)
  np.testing.assert_allclose(best.latents['y'], expected, atol=1e-4)


def test_temperatures_are_those_of_the_step(eagerly):
  seen = []
  settings = refinement(surrogate=tfusq.SUA(tfusq.Linear(12.0, 1000, 2.0)))

  def loss(latents, number):
    seen.append(float(settings.rate.temperatures()['SUA.alpha']))
    return squared_distance(latents)

  descend(budget(10), loss, settings=settings)
  np.testing.assert_allclose(seen, 2 + np.arange(10), rtol=1e-5)


def test_the_best_look_is_kept_and_there_is_one_each_25_iterations(eagerly):
  looks = []

  def look(latents):
    looks.append(latents['y'].numpy())
    return tf.constant([3.0, 1.0, 2.0][len(looks) - 1])

  best = descend(budget(60), look=look)
  assert len(looks) == 3
  assert float(best.cost) == 1.0
  np.testing.assert_array_equal(best.latents['y'], looks[1])
  np.testing.assert_allclose(looks[2], adam(60, lambda t: 0.05), atol=1e-4)


def test_what_is_not_better_is_not_used(eagerly):
  best = descend(budget(30), look=lambda latents: tf.constant(np.inf))
  np.testing.assert_array_equal(best.latents['y'], np.zeros_like(TARGET))


def test_no_iterations_change_nothing(eagerly):
  best = descend(budget(0), look=lambda latents: pytest.fail('there is nothing to look at'))
  np.testing.assert_array_equal(best.latents['y'], np.zeros_like(TARGET))


def test_what_is_held_does_not_move(eagerly):
  best = descend(budget(25), mask=0.0)
  np.testing.assert_array_equal(best.latents['y'], np.zeros_like(TARGET))


def test_it_ends_in_time():
  run = tf.function(lambda seconds: descend(budget(10**9, seconds)).cost, autograph=False)
  run(tf.constant(0.0))
  start = time.perf_counter()
  assert float(run(tf.constant(0.3))) < 8
  assert 0.3 < time.perf_counter() - start < 5


def test_gradients_that_are_not_finite_are_left_out(eagerly):
  def loss(latents, number):
    root = tf.sqrt(latents['y'][..., 0] - 10)
    return squared_distance(latents) + tf.reduce_sum(root)

  best = descend(budget(25), loss)
  assert np.isfinite(best.latents['y']).all()
  expected = adam(25, lambda t: 0.05)[..., 1:]
  np.testing.assert_allclose(best.latents['y'][..., 1:], expected, atol=1e-4)
