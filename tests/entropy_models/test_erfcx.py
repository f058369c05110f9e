import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from tfusq.entropy_models.erfcx import erfcx

# From 0 to where its square overflows in float32.
X = np.concatenate([[0.0], np.geomspace(1e-12, 1e19, 400)])


@pytest.mark.parametrize('dtype, tolerance', [(tf.float64, 1e-14), (tf.float32, 1e-6)])
def test_erfcx_is_scipys(dtype, tolerance, mode):
  x = tf.constant(X, dtype)
  expected = special.erfcx(x.numpy().astype(np.float64))
  np.testing.assert_allclose(mode(erfcx)(x), expected, rtol=tolerance)


def test_erfcx_is_the_tails_mass_without_its_exponential():
  x = np.linspace(0, 5, 101)
  expected = np.exp(x**2) * special.erfc(x)
  np.testing.assert_allclose(erfcx(tf.constant(x)), expected, rtol=1e-13)


@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
def test_erfcx_equals_tensorflow_probabilitys_to_the_last_bit(dtype):
  tfp = pytest.importorskip('tensorflow_probability')
  x = tf.constant(X, dtype)
  np.testing.assert_array_equal(erfcx(x), tfp.math.erfcx(x))
