"""The minimization that trains small networks."""

import numpy as np
import pytest
import tensorflow as tf

from tfusq.analysis import optimization


def test_a_random_loss_is_minimized_the_same_way_with_one_seed():
  def minimize(seed):
    variable = tf.Variable([3.0])

    def loss(step_seed):
      target = 1 + 0.1 * tf.random.stateless_normal([1], step_seed)
      return tf.reduce_sum(tf.square(variable - target))

    optimization.minimize(loss, [variable], steps=300, learning_rate=0.1, seed=seed)
    return float(variable[0])

  assert minimize(0) == pytest.approx(1.0, abs=0.05)
  assert minimize(0) == minimize(0) != minimize(1)


def test_every_step_has_a_seed_of_its_own():
  seeds = tf.Variable(tf.zeros([3, 2], tf.int32), trainable=False)
  variable = tf.Variable(0.0)

  def loss(step_seed):
    seeds.scatter_nd_update([[step_seed[1]]], [step_seed])
    return tf.square(variable)

  optimization.minimize(loss, [variable], steps=3, learning_rate=0.1, seed=5)
  assert seeds.numpy().tolist() == [[5, 0], [5, 1], [5, 2]]


def test_the_gradient_of_each_network_is_clipped_by_itself():
  gradient = tf.constant([[[30.0, 40.0]], [[0.3, 0.4]]])
  clipped = optimization._clip(gradient, 10.0)
  np.testing.assert_allclose(clipped, [[[6.0, 8.0]], [[0.3, 0.4]]], rtol=1e-6)
