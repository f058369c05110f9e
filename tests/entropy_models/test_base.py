import numpy as np
import pytest
import tensorflow as tf

from tfusq import EntropyModel, Factorized, Gaussian, GaussianMixture, Laplacian
from tfusq.entropy_models.location_scale import LocationScale


def test_only_a_model_with_a_centre_admits_zero_centre():
  assert Gaussian.has_centre() and not Factorized.has_centre()


@pytest.mark.parametrize(
  'cls, missing',
  [(EntropyModel, ['bits', 'parameters']), (LocationScale, ['exact_bits', 'quantile'])],
)
def test_an_entropy_model_without_its_methods_is_not_built(cls, missing):
  class Incomplete(cls):
    pass

  with pytest.raises(TypeError, match='abstract methods?.*' + '.*'.join(missing)):
    Incomplete()


def test_centre_and_coder_are_optional():
  class Uniform(EntropyModel):
    def parameters(self, raw):
      return raw

    def bits(self, y, parameters):
      return 0 * y

  model = Uniform()
  with pytest.raises(NotImplementedError, match='Uniform has no centre'):
    model.centre(None)
  with pytest.raises(NotImplementedError, match='Uniform has no bitstream'):
    model.coder(zero_centre=False)


@pytest.mark.parametrize(
  'entropy_model', [Gaussian(), Laplacian(0.01), GaussianMixture(3)], ids=lambda m: type(m).__name__
)
def test_widening_multiplies_the_scale_of_each_channel_and_component(entropy_model):
  raw = tf.random.stateless_normal([2, 3, 4, 5 * entropy_model.channels], [1, 2])
  factor = np.exp(tf.random.stateless_normal([2, 1, 1, 5], [3, 4])).astype(np.float32)
  before = entropy_model.parameters(raw)
  after = entropy_model.parameters(entropy_model.widen(raw, np.log(factor)))
  if len(before.log_scale.shape) == 5:  # components have the last axis
    factor = factor[..., None]
  expected = np.maximum(np.exp(before.log_scale) * factor, entropy_model.bound)
  is_above = np.exp(before.log_scale) > 1.001 * entropy_model.bound
  assert is_above.mean() > 0.9
  np.testing.assert_allclose(np.exp(after.log_scale)[is_above], expected[is_above], rtol=1e-5)
  for name in set(before._fields) - {'log_scale'}:
    np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_an_entropy_model_without_scales_stays_as_it_is():
  raw = tf.zeros([1, 2, 2, 0])
  assert Factorized().widen(raw, tf.ones([1, 1, 1, 3])) is raw
