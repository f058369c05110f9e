import numpy as np
import pytest
import tensorflow as tf
import tensorflow_compression as tfc

from tfusq import transforms


@pytest.mark.parametrize('inverse', [False, True])
def test_gdn_equals_tensorflow_compression(inverse, mode):
  ours, theirs = transforms.GDN(inverse=inverse), tfc.GDN(inverse=inverse)
  x = tf.random.stateless_normal([2, 5, 4, 6], [1, 2])
  ours.build(x.shape)
  theirs.build(x.shape)
  for a, b in zip(ours.weights, theirs.weights):
    value = a + tf.random.stateless_uniform(a.shape, [3, 4], 0, 0.1)
    a.assign(value)
    b.assign(value)
  np.testing.assert_allclose(mode(ours)(x), theirs(x), rtol=1e-5, atol=1e-6)


def test_padding_repeats_the_edge_and_leaves_multiples_alone(mode):
  x = tf.reshape(tf.range(2 * 3.0), [1, 2, 3, 1])
  padded = mode(lambda x: transforms.pad_to_multiple(x, 4))(x)
  np.testing.assert_array_equal(
    padded[0, :, :, 0], [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]
  )
  np.testing.assert_array_equal(transforms.pad_to_multiple(padded, 4), padded)
