"""Against reference numbers, limits that the paper states, and scalars."""

import math

import pytest

import tfusq
from tfusq.analysis import pairs, quadrature


@pytest.mark.parametrize(
  'name, surrogate',
  [
    ('round', tfusq.Round()),
    ('UQ-s', tfusq.UQs()),
    ('AUN/UQ-i', tfusq.UQi()),
    ('AUN/UQ-i', tfusq.AUN()),
  ],
)
def test_the_rate_of_pairs_is_that_of_the_reference(reference, name, surrogate):
  for key, values in reference['rate2d'].items():
    scale_text, correlation_text = key.split(',')
    scale, correlation = float(scale_text.split('=')[1]), float(correlation_text.split('=')[1])
    if correlation < 1 and scale < 4:
      assert pairs.rate(surrogate, scale, correlation) == pytest.approx(
        values['value'][name], abs=0.015
      ), (scale, correlation)


@pytest.mark.parametrize(
  'surrogate, expected',
  [(tfusq.Round(), 1 / 12), (tfusq.UQs(), 1 / 12), (tfusq.UQi(), 1 / 24), (tfusq.AUN(), 1 / 24)],
)
def test_of_wide_pairs_that_are_equal_the_ideal_error_is_the_papers(surrogate, expected):
  # Sec. 4.2.2; a box's variance is smaller by the square of its width over the scale.
  assert pairs.mmse(surrogate, 4.0, 1.0) == pytest.approx(expected, rel=0.015)


@pytest.mark.parametrize('surrogate', [tfusq.Round(), tfusq.AUN(), tfusq.SUA(5.0), tfusq.SRA(5.0)])
def test_of_pairs_that_are_independent_the_ideal_error_is_that_of_scalars(surrogate):
  expected = quadrature.mmse(quadrature.law(surrogate, 0.0, 0.7))
  assert pairs.mmse(surrogate, 0.7, 0.0) == pytest.approx(expected, rel=0.02)


def test_of_components_that_share_noise_only_uqs_has_an_ideal_error():
  class Shared(tfusq.SR):
    """SR with UQ-s's noise."""

    noise, density = tfusq.UQs.noise, tfusq.SR.density

  assert math.isnan(pairs.mmse(Shared(), 1.0, 0.5))
  assert pairs.mmse(tfusq.UQs(), 1.0, 0.5) > 0
