import numpy as np
import pytest
import tensorflow as tf

import placement
from tfusq.training import fixed_order


@tf.function
def total(x):
  """Returns `1e8 - 1e8 + 1` for a large `x`, and values that need the first terms after it."""
  one, other, last = (tf.tanh(x) * value for value in (1e8, -1e8, 1.0))
  value = one + other + last
  return value, tf.atan2(one, value), tf.atan2(other, value)


@pytest.mark.usefixtures('optimized')
def test_additions_keep_the_order_in_which_they_are_written():
  x = tf.fill([4], 20.0)
  with fixed_order.additions():
    np.testing.assert_array_equal(total(x)[0], 1)
  # Outside TensorFlow adds the last one first, whose buffer it may overwrite.
  np.testing.assert_array_equal(total(x)[0], 0)


@pytest.mark.parametrize('chosen', [True, False])
def test_what_was_chosen_before_is_in_force_again(chosen):
  options = tf.config.optimizer.get_experimental_options
  try:
    tf.config.optimizer.set_experimental_options({'arithmetic_optimization': chosen})
    with pytest.raises(RuntimeError), fixed_order.additions():
      assert options()['arithmetic_optimization'] is False
      raise RuntimeError
    assert options()['arithmetic_optimization'] is chosen
  finally:
    tf.config.optimizer.set_experimental_options({'arithmetic_optimization': True})


def test_gradients_are_sums_of_two_at_a_time():
  variable, unread = tf.Variable(2.0), tf.Variable(0.0)
  rows = tf.Variable(tf.ones([3, 1]))

  def step(differentiate):
    with tf.GradientTape() as tape:
      y = 1.0 * variable
      loss = y + y**2 + y**3 + y**4 + variable + variable**2 + tf.reduce_sum(tf.gather(rows, [1]))
    return differentiate(tape, loss, [variable, unread, rows])

  def most_terms(differentiate):
    return placement.most_terms(tf.function(step).get_concrete_function(differentiate))

  assert most_terms(lambda tape, *arguments: tape.gradient(*arguments)) > 2
  assert most_terms(fixed_order.gradients) == 0
  expected = (1 + 2 * 2 + 3 * 2**2 + 4 * 2**3) + 1 + 2 * 2
  for run in (tf.function(step), step):
    of_variable, of_unread, of_rows = run(fixed_order.gradients)
    assert float(of_variable) == expected
    assert of_unread is None
    np.testing.assert_array_equal(of_rows.indices, [1])
