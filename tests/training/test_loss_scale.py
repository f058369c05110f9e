import numpy as np
import tensorflow as tf

from tfusq.training.loss_scale import LossScale


def make():
  """Returns a variable, an optimizer that has moved it once, and a scale."""
  variable = tf.Variable([1.0, 2.0])
  optimizer = tf.keras.optimizers.Adam(0.1)
  optimizer.build([variable])
  optimizer.apply_gradients([(tf.constant([1.0, -1.0]), variable)])
  return variable, optimizer, LossScale()


def step(scale, optimizer, variable, gradient):
  gradients = scale.unscaled([gradient * scale.scale])
  return bool(scale.apply(optimizer, gradients, [variable], tf.linalg.global_norm(gradients)))


def test_a_finite_gradient_is_the_loss_s_own_and_is_applied():
  variable, optimizer, scale = make()
  other, other_optimizer, _ = make()
  assert step(scale, optimizer, variable, tf.constant([0.3, 0.7]))
  other_optimizer.apply_gradients([(tf.constant([0.3, 0.7]), other)])
  np.testing.assert_array_equal(variable, other)
  assert scale.scale == 2.0**15 and scale.good_steps == 1


def test_a_gradient_that_is_not_finite_changes_nothing_but_the_scale():
  variable, optimizer, scale = make()
  kept = [v for v in [variable, *optimizer.variables] if v is not optimizer.iterations]
  before = [v.numpy() for v in kept]
  scale.good_steps.assign(7)
  assert not step(scale, optimizer, variable, tf.constant([np.inf, 0.0]))
  for v, value in zip(kept, before):
    np.testing.assert_array_equal(v, value)
  assert optimizer.iterations == 2
  assert scale.scale == 2.0**14 and scale.good_steps == 0


def test_it_rises_after_many_good_steps():
  variable, optimizer, scale = make()
  scale.good_steps.assign(1999)
  step(scale, optimizer, variable, tf.zeros([2]))
  assert scale.scale == 2.0**16 and scale.good_steps == 0


def test_where_it_can_not_fall_the_step_is_no_skipped_one():
  variable, optimizer, scale = make()
  scale.scale.assign(2.0)
  assert not step(scale, optimizer, variable, tf.constant([np.nan, 0.0]))
  assert scale.scale == 1
  assert step(scale, optimizer, variable, tf.constant([np.nan, 0.0]))
