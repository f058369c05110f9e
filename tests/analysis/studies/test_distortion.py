"""Distortion of trained syntheses relative to rounding."""

import math

import pytest

import tfusq
from tfusq.analysis import quadrature, study
from tfusq.analysis.studies import distortion
from tfusq.analysis.study import Effort
from tfusq.analysis.synthesis import Training


@pytest.mark.long
def test_the_study_is_relative_to_rounding(monkeypatch):
  monkeypatch.setattr(Effort, 'scales', lambda self: [0.3])
  monkeypatch.setattr(distortion, 'Training', lambda steps, **kwargs: Training(50, **kwargs))
  monkeypatch.setattr(distortion, 'CORRELATIONS', (0.0, 1.0))
  surrogates = [tfusq.SUA(5.0), tfusq.SGA(0.5)]
  scales, temperatures, correlations = distortion.measure(surrogates, Effort())
  assert [row['surrogate'] for row in scales.rows] == ['Round', 'SUA(alpha=5)', 'SGA(tau=0.5)']
  assert scales.rows[0]['relative'] == scales.rows[0]['ideal_relative'] == 1
  row = scales.rows[1]
  assert row['relative'] == pytest.approx(row['estimated'] / scales.rows[0]['estimated'])
  assert {row['surrogate'] for row in temperatures.rows} == {'SUA', 'SGA', 'Round', 'NoisyRound'}
  assert {row['correlation'] for row in correlations.rows} == {0.0, 1.0}
  # Of pairs the ideal decoder needs the density, which SGA does not give.
  assert [math.isnan(row['ideal']) for row in correlations.rows] == [False] * 4 + [True] * 2


def test_noise_after_rounding_hides_no_information():
  law = quadrature.law(distortion.NoisyRound(), 0.0, 1.0)
  assert law.information == pytest.approx(
    quadrature.law(tfusq.Round(), 0.0, 1.0).information, abs=0.01
  )
  assert study.label(distortion.NoisyRound()) == 'NoisyRound'
