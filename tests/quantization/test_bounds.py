import numpy as np
import pytest
import tensorflow as tf

from tfusq import lower_bound, upper_bound

# Below, at and above the bound of 0.25.
X = np.array([-3.0, 0.25 - 1e-6, 0.25, 0.25 + 1e-6, 7.0])


@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
@pytest.mark.parametrize(
  'bounded, function, upstream, passing',
  [
    (lower_bound, np.maximum, -2.0, [1, 1, 1, 1, 1]),  # descent would raise x
    (lower_bound, np.maximum, 2.0, [0, 0, 1, 1, 1]),
    (lower_bound, np.maximum, 0.0, [1, 1, 1, 1, 1]),
    (upper_bound, np.minimum, 2.0, [1, 1, 1, 1, 1]),  # descent would lower x
    (upper_bound, np.minimum, -2.0, [1, 1, 1, 0, 0]),
  ],
)
def test_only_gradients_that_lead_back_pass_beyond_the_bound(
  bounded, function, upstream, passing, dtype, gradients
):
  x = tf.constant(X, dtype)
  bounds = tf.fill(x.shape, tf.constant(0.25, dtype))
  value, (by_x, by_bound) = gradients(lambda x, bound: upstream * bounded(x, bound), x, bounds)
  np.testing.assert_array_equal(value, upstream * function(x.numpy(), 0.25))
  np.testing.assert_array_equal(by_x, upstream * np.array(passing))
  assert by_bound is None


def test_each_component_has_its_own_gradient():
  x = tf.Variable(X)
  weights = tf.constant([1.0, -1.0, 1.0, -1.0, 1.0], tf.float64)
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(weights * lower_bound(x, 0.25))
  np.testing.assert_array_equal(tape.gradient(loss, x), [0, -1, 1, -1, 1])


@pytest.mark.parametrize('name', ['lower_bound', 'upper_bound'])
def test_bounds_equal_tensorflow_compressions(name):
  tfc = pytest.importorskip('tensorflow_compression')
  ours, theirs = {'lower_bound': lower_bound, 'upper_bound': upper_bound}[name], getattr(tfc, name)
  x = tf.random.stateless_normal([40, 5], [1, 2])
  bound = tf.linspace(-1.0, 1.0, 5)
  weights = tf.random.stateless_normal(x.shape, [3, 4])
  results = []
  for function in (ours, theirs):
    with tf.GradientTape() as tape:
      tape.watch(x)
      value = function(x, bound)
      loss = tf.reduce_sum(weights * value)
    results.append((value, tape.gradient(loss, x)))
  for one, other in zip(*results):
    np.testing.assert_array_equal(one, other)
