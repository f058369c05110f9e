"""Against reference numbers that were made by quadrature independently of this library."""

import functools
import math

import pytest

import tfusq
from tfusq.analysis import quadrature

SURROGATES = {
  'round': tfusq.Round,
  'AUN': tfusq.AUN,
  'SR': tfusq.SR,
  'SUA': tfusq.SUA,
  'SRA': tfusq.SRA,
  'SGA-hard': tfusq.SGAHard,
  'SUA-n': tfusq.SUAn,
  'SHA': tfusq.SHA,
  'SGA': tfusq.SGA,
}


@functools.cache  # laws of one surrogate share its table
def make(name):
  """Returns the surrogate that the reference calls by a name such as `SUA@5`."""
  name, _, temperature = name.partition('@')
  return SURROGATES[name](float(temperature)) if temperature else SURROGATES[name]()


def law(name, mean, scale):
  return quadrature.law(make(name), mean, scale)


def cases(reference, table, scales):
  """Yields mean, scale and reference numbers; keys are such as `mu=0.5,sigma=2`."""
  for key, values in reference[table].items():
    mean_text, scale_text = key.split(',')
    mean, scale = float(mean_text.split('=')[1]), float(scale_text.split('=')[1])
    if scale in scales:
      yield mean, scale, values


@pytest.mark.parametrize('scale', [0.1, 0.5, 2.0])
def test_information_is_that_of_the_reference(reference, scale):
  for mean, _, values in cases(reference, 'mutual_information', [scale]):
    for name, expected in values['value'].items():
      assert law(name, mean, scale).information == pytest.approx(expected, rel=1e-4, abs=1e-6), (
        name,
        mean,
      )


class BlackBox(tfusq.Surrogate):
  """A surrogate of which only samples can be seen."""

  def __init__(self, surrogate):
    super().__init__()
    self.noise, self._run = surrogate.noise, surrogate.__call__

  def __call__(self, y, u):
    return self._run(y, u)


@pytest.mark.parametrize('name', ['round', 'AUN', 'SR', 'SUA@1', 'SUA@10', 'SRA@5'])
def test_of_a_black_box_it_is_right_to_a_hundredth_of_a_bit(reference, name):
  for mean, scale, values in cases(reference, 'mutual_information', (0.2, 1.0)):
    law_of_samples = quadrature.law(BlackBox(make(name)), mean, scale)
    assert law_of_samples.information == pytest.approx(values['value'][name], abs=0.01), (
      mean,
      scale,
    )
    assert quadrature.rate(law_of_samples, mean, scale) == pytest.approx(
      reference['rate'][f'mu={mean:g},sigma={scale:g}'][name]['rate'], abs=0.01
    )


def test_an_invertible_map_lets_everything_through():
  for alpha in (0.5, 5.0):
    for scale in (0.1, 1.0, 4.0):
      assert quadrature.law(tfusq.SHA(alpha), 0.5, scale).information == math.inf


def test_a_weak_noise_is_not_taken_for_none():
  class Weak(tfusq.SHA):
    """SHA with a little noise."""

    noise = tfusq.Surrogate.noise

    def __call__(self, y, u):
      return self.proxy(y) + 1e-3 * u

  assert quadrature.law(tfusq.SHA(1.0), 0.0, 1.0).information == math.inf
  assert quadrature.law(Weak(1.0), 0.0, 1.0).information < math.inf


def test_what_overrides_the_sample_has_not_its_bases_density():
  class Other(tfusq.SUA):
    """Noise of another law."""

    def noise(self, y, seed):
      return super().noise(y, seed) / 2

  assert tfusq.SUA.has_density() and not Other.has_density()
  Other.density = tfusq.SUA.density
  assert Other.has_density()


def test_what_only_moves_the_surrogate_one_to_one_changes_no_information():
  without_denoiser = quadrature.law(tfusq.SUAn(5.0), 0.2, 0.7).information
  assert without_denoiser == pytest.approx(
    quadrature.law(tfusq.SUA(5.0), 0.2, 0.7).information, abs=0.01
  )


def test_the_ideal_decoders_error_is_that_of_the_reference(reference):
  for mean, scale, values in cases(reference, 'mmse', (0.1, 0.5, 2.0)):
    for name, expected in values.items():
      assert quadrature.mmse(law(name, mean, scale)) == pytest.approx(expected, rel=1e-4), name


def test_the_estimated_rate_is_that_of_the_reference(reference):
  for mean, scale, values in cases(reference, 'rate', (0.1, 0.5, 1.0)):
    for name, expected in values.items():
      if name.partition('@')[0] in SURROGATES:
        sampled = name.startswith(('SGA@', 'SHA@', 'SUA-n@'))
        error = {'abs': 0.01} if sampled else {'rel': 1e-4, 'abs': 1e-6}
        assert quadrature.rate(law(name, mean, scale), mean, scale) == pytest.approx(
          expected['rate'], **error
        ), (name, mean, scale)


@pytest.mark.parametrize('name', ['AUN', 'SR', 'SUA@5', 'SUA-n@5', 'SRA@5', 'SHA@5'])
def test_the_best_scale_is_that_of_the_reference(reference, name):
  for mean, scale, values in cases(reference, 'rate', (0.5,)):
    assert quadrature.best_scale(law(name, mean, scale), mean, scale) == pytest.approx(
      values[name]['sigma_opt'], rel=2e-3
    )


def test_the_best_scale_is_nan_where_all_are_as_good():
  # Half of the latents are rounded to 0 and half to 1, by whatever small scale.
  law = quadrature.law(tfusq.Round(), 0.5, 0.1)
  assert math.isnan(quadrature.best_scale(law, 0.5, 0.1))


def test_the_best_scale_is_zero_where_the_rate_falls_without_end():
  # Between integers SHA moves all latents to where a sharp model has them for free.
  law = quadrature.law(tfusq.SHA(5.0), 0.5, 0.1)
  assert quadrature.best_scale(law, 0.5, 0.1) == 0
  assert quadrature.rate(law, 0.5, 0.002) <= quadrature.rate(law, 0.5, 0.05)


def test_what_floats_round_off_is_nan():
  relaxed = quadrature.law(tfusq.SGA(0.1), 0.0, 1.0)
  assert math.isnan(relaxed.information) and math.isnan(quadrature.mmse(relaxed))
  assert quadrature.rate(relaxed, 0.0, 1.0) == pytest.approx(
    quadrature.rate(quadrature.law(tfusq.SGA(0.12), 0.0, 1.0), 0.0, 1.0), abs=0.02
  )
  assert not math.isnan(quadrature.law(tfusq.SGA(0.5), 0.0, 1.0).information)
