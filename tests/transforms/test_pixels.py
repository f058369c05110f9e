import numpy as np
import pytest
import tensorflow as tf

from tfusq.transforms import pixels

ALL = np.arange(256, dtype=np.uint8)


def test_floats_are_the_same_bits_in_eager_and_graph_mode(mode):
  x = mode(pixels.from_uint8)(tf.constant(ALL))
  np.testing.assert_array_equal(x, ALL.astype(np.float32) * np.float32(1 / 255))
  assert x[0] == 0 and x[255] == 1


@pytest.mark.usefixtures('optimized')
def test_a_division_in_a_graph_is_the_same_product():
  quotients = tf.function(lambda image: tf.cast(image, tf.float32) / 255)(tf.constant(ALL))
  np.testing.assert_array_equal(quotients, pixels.from_uint8(ALL))


def test_every_pixel_comes_back(mode):
  x = pixels.from_uint8(ALL)
  np.testing.assert_array_equal(mode(pixels.to_uint8)(x), ALL)


def test_floats_are_rounded_and_clipped():
  x = tf.constant([-1.0, -0.001, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.0, 7.0])
  assert pixels.to_uint8(x).numpy().tolist() == [0, 0, 0, 1, 255, 255, 255]
