import pytest
import tensorflow as tf

from tfusq.quantization.gradients import with_slope


def test_value_passes_and_slope_replaces_the_gradient_of_x(gradients):
  x = tf.constant([1.0, 2.0])
  value, (by_x,) = gradients(
    lambda x: with_slope(tf.stop_gradient(x**3), x, tf.constant([5.0, 7.0])), x
  )
  assert value.numpy().tolist() == [1.0, 8.0]
  assert by_x.numpy().tolist() == [5.0, 7.0]


def test_what_the_value_depends_on_keeps_its_gradient(gradients):
  x, mean = tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])
  _, (by_x, by_mean) = gradients(
    lambda x, mean: with_slope(tf.stop_gradient(x) * mean, x, tf.ones_like(x)), x, mean
  )
  assert by_mean.numpy().tolist() == [1.0, 2.0]
  assert by_x.numpy().tolist() == [1.0, 1.0]


def test_the_slope_is_a_constant():
  x = tf.constant(2.0)
  with tf.GradientTape() as outer:
    outer.watch(x)
    with tf.GradientTape() as inner:
      inner.watch(x)
      value = with_slope(tf.stop_gradient(x**3), x, x**2)
    first = inner.gradient(value, x)
  assert float(first) == 4.0
  assert float(outer.gradient(first, x, unconnected_gradients='zero')) == 0.0


def test_a_value_of_another_shape_is_refused():
  x = tf.ones([2, 3])
  with pytest.raises(ValueError, match='keep the shape'):
    with_slope(tf.reduce_sum(x), x, x)
