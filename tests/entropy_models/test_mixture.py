import numpy as np
import pytest
import tensorflow as tf

from tfusq import GaussianMixture


def test_a_mixture_reads_logits_means_and_scales_and_is_centred_at_its_mean():
  model = GaussianMixture(2, bound=0.11)
  raw = tf.constant([[0.0, np.log(3.0), 7.0, 7.0, -1.0, 3.0, 0.0, 0.0, -9.0, 0.0, 99.0, 0.0]])
  parameters = model.parameters(raw)  # two channels
  assert parameters.logits.shape == [1, 2, 2]
  np.testing.assert_allclose(parameters.mean, [[[-1.0, 3.0], [0.0, 0.0]]])
  np.testing.assert_allclose(tf.exp(parameters.log_scale), [[[0.11, 1.0], [256.0, 1.0]]], rtol=1e-6)
  np.testing.assert_allclose(model.centre(parameters), [[2.0, 0.0]], atol=1e-3)  # the code's grid


@pytest.mark.parametrize('components', [0, 1.5, '3'])
def test_a_mixture_has_components(components):
  with pytest.raises(ValueError, match='at least 1'):
    GaussianMixture(components)
