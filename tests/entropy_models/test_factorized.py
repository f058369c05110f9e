import numpy as np
import pytest
import tensorflow as tf

from tfusq import Factorized


@pytest.fixture(scope='module')
def factorized():
  tf.random.set_seed(3)
  model = Factorized()
  model.build(5)
  for variable in model.density.trainable_variables:
    variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2], stddev=0.3))
  return model


def test_factorized_probabilities_sum_to_one(factorized):
  y = tf.tile(tf.range(-2000.0, 2001.0)[:, None], [1, 5])
  bits = Factorized.bits(factorized, y, factorized.parameters(tf.zeros([1, 1, 1, 0])))
  total = tf.reduce_sum(2.0 ** -tf.cast(bits, tf.float64), 0).numpy()
  # Saturated bits of the tails add a little: each is less likely than 1e-9.
  np.testing.assert_allclose(total, 1, atol=1e-4)


def test_factorized_equals_tensorflow_compression(factorized, mode):
  tfc = pytest.importorskip('tensorflow_compression')
  density = tfc.DeepFactorized(batch_shape=[5])
  for theirs, ours in zip(density.variables, factorized.density.variables, strict=True):
    theirs.assign(ours)
  y = tf.constant(np.linspace(-4, 4, 45).reshape(9, 5), tf.float32)
  parameters = factorized.parameters(tf.zeros([9, 0]))
  theirs = -tfc.UniformNoiseAdapter(density).log_prob(y) / np.log(2)
  np.testing.assert_allclose(mode(lambda y: factorized.bits(y, parameters))(y), theirs, rtol=1e-6)
