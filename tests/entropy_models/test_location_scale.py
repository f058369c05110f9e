import numpy as np
import pytest
import tensorflow as tf

from tfusq import Gaussian, GaussianMixture, Laplacian


@pytest.mark.parametrize('cls', [Gaussian, Laplacian])
def test_lower_bound_passes_what_would_raise_the_scale(cls):
  """Eq. (34) on the logarithm: below the bound only negative gradients pass."""
  model = cls(bound=0.11)
  scale = tf.constant([0.05, 0.05, 0.2, 0.2])
  raw = tf.concat([tf.zeros_like(scale), tf.math.log(scale)], -1)
  with tf.GradientTape() as tape:
    tape.watch(raw)
    parameters = model.parameters(raw)
    loss = tf.reduce_sum(parameters.log_scale * tf.constant([1.0, -1.0, 1.0, -1.0]))
  np.testing.assert_allclose(parameters.scale, [0.11, 0.11, 0.2, 0.2], rtol=1e-6)
  np.testing.assert_array_equal(tape.gradient(loss, raw)[4:], [0, -1, 1, -1])


def test_gaussian_splits_the_raw_parameters_into_mean_and_log_scale():
  parameters = Gaussian().parameters(tf.constant([[1.0, 2.0, 0.0, 100.0]]))
  np.testing.assert_allclose(parameters.mean, [[1.0, 2.0]])
  np.testing.assert_allclose(parameters.scale, [[1.0, 256.0]], rtol=1e-6)
  np.testing.assert_array_equal(Gaussian().centre(parameters), parameters.mean)


def test_far_symbols_at_the_post_stage_bound_have_bounded_gradients_that_are_not_zero():
  model = Gaussian(bound=1e-6)
  y = tf.constant([[1.0, -3.0, 40.0]])
  raw = tf.concat([tf.zeros([1, 3]), tf.fill([1, 3], -20.0)], -1)
  with tf.GradientTape() as tape:
    tape.watch([y, raw])
    bits = tf.reduce_sum(model.bits(y, model.parameters(raw)))
  by_y, by_raw = tape.gradient(bits, [y, raw])
  by_log_scale = by_raw[:, 3:]
  assert (np.abs(by_y) > 0.1).all() and (np.abs(by_y) < 200).all()
  # The scale lies below its bound and must rise: the bound passes it, times d scale / d raw.
  assert (by_log_scale < 0).numpy().all() and np.isfinite(by_log_scale).all()


@pytest.mark.parametrize('cls', [Gaussian, Laplacian, GaussianMixture])
@pytest.mark.parametrize(
  'arguments', [{'bound': 0}, {'bound': 1e3}, {'floor': 1.0}, {'floor': -1.0}]
)
def test_what_is_out_of_range_is_refused(cls, arguments):
  with pytest.raises(ValueError, match=f'{cls.__name__}.* must'):
    cls(**arguments)
