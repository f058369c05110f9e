import pytest

from tfusq import EntropyModel, Factorized, Gaussian
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
