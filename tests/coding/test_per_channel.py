import numpy as np
import pytest
import tensorflow as tf

from round_trips import round_trip
from tfusq import Factorized
from tfusq.coding import MAX_WINDOW, PRECISION


def factorized_with(width):
  """A factorized model of four channels whose densities have about the width, and its coder."""
  tf.random.set_seed(1)
  model = Factorized()
  model.build(4)
  for variable in model.density.trainable_variables:
    variable.assign_add(tf.random.stateless_normal(variable.shape, [5, 6], stddev=0.5))
  # Before training the width is about 10; the first layer stretches it.
  matrix = model.density._matrices[0]
  slope = tf.nn.softplus(matrix) * (10 / width)
  matrix.assign(tf.math.log(tf.math.expm1(slope)))
  return model, model.coder(zero_centre=False)


@pytest.mark.parametrize('width', [10.0, 0.1])
def test_factorized_tables_cover_each_channel(width):
  model, coder = factorized_with(width)
  parameters = model.parameters(tf.zeros([1, 3, 50, 0]))
  index = coder.index(parameters)
  assert index.shape == [1, 3, 50, 4] and (index.numpy() == np.arange(4)).all()

  symbols = tf.random.stateless_uniform(index.shape, [9, 9], -8, 9, tf.int32)
  string, decoded = round_trip(coder, symbols, index)
  np.testing.assert_array_equal(decoded, symbols)
  bits = model.bits(tf.cast(symbols, tf.float32), parameters)
  ideal = float(tf.reduce_sum(coder.price(bits, symbols, index)))
  assert abs(8 * len(string) - ideal) < 0.005 * ideal + 32

  for channel in range(4):
    low = int(coder.minima[channel]) - 0.5
    high = low + int(coder.sizes[channel])
    below = tf.exp(model.density.log_cdf(low))[channel]
    above = tf.exp(model.density.log_survival(high))[channel]
    assert float(below + above) < 2**-PRECISION


def test_a_window_that_is_limited_lies_around_the_median():
  model, coder = factorized_with(1e5)
  assert (coder.sizes.numpy() == MAX_WINDOW).all()
  middle = coder.minima + coder.sizes // 2
  at_middle = tf.exp(model.density.log_cdf(tf.cast(middle, tf.float32)))
  np.testing.assert_allclose(at_middle, 0.5, atol=0.01)
