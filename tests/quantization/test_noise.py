import numpy as np
import pytest
import tensorflow as tf

from tfusq.quantization.noise import uniform

BIG = 7464880146280614444  # more than 32 bits, as the seeds of images


@pytest.mark.parametrize('seed', [(5, 6), (-5, 6), (BIG, 7), (-BIG, 2**40)])
def test_it_is_tensorflow_s_also_where_it_is_compiled(seed):
  seed = tf.constant(seed, tf.int64)
  expected = tf.random.stateless_uniform([2, 5, 37], seed, -0.5, 0.5)

  def draw(seed):
    return uniform([2, 5, 37], seed, -0.5, 0.5, tf.float32)

  for function in (draw, tf.function(draw, jit_compile=True)):
    np.testing.assert_array_equal(function(seed), expected)


def test_other_types_are_drawn_by_tensorflow():
  expected = tf.random.stateless_uniform([4], [1, 2], 0.0, 1.0, tf.float64)
  np.testing.assert_array_equal(uniform([4], [1, 2], 0.0, 1.0, tf.float64), expected)
