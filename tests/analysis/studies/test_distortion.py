"""Trained syntheses against the ideal decoder."""

import math

import pytest

import tfusq
from tfusq.analysis import quadrature, study
from tfusq.analysis.studies import distortion
from tfusq.analysis.study import Effort
from tfusq.analysis.synthesis import Source, Training, train


def test_a_trained_synthesis_comes_near_the_ideal_decoder():
  sources = [
    Source(surrogate, scale)
    for surrogate in (tfusq.Round(), tfusq.AUN(), tfusq.SUA(5.0), tfusq.SHA(5.0))
    for scale in (0.2, 1.0)
  ]
  found = train(sources, Training(steps=600), 'test')
  assert found.estimated.shape == (8, 2)
  for source, estimated in zip(sources, found.estimated.mean(1)):
    if isinstance(source.surrogate, tfusq.SHA):  # invertible
      assert estimated < 0.1 * min(source.scale**2, 1 / 12)
    else:
      ideal = quadrature.mmse(quadrature.law(source.surrogate, 0.0, source.scale))
      assert estimated == pytest.approx(ideal, rel=0.03), source
  # A synthesis trained on rounding sees just that.
  assert found.rounded[0] == pytest.approx(found.estimated[0])


def test_pairs_with_common_noise_keep_their_distortion_and_others_do_not():
  sources = [
    Source(surrogate, 1.0, correlation)
    for surrogate in (tfusq.UQs(), tfusq.UQi())
    for correlation in (0.0, 0.99)
  ]
  apart, close, apart_i, close_i = train(sources, Training(steps=400), 'test').estimated.mean(1)
  assert apart == pytest.approx(apart_i, rel=0.04) and close_i < 0.85 * close


def test_the_study_is_relative_to_rounding(monkeypatch):
  monkeypatch.setattr(Effort, 'scales', lambda self: [0.3])
  monkeypatch.setattr(distortion, 'Training', lambda steps, **kwargs: Training(50, **kwargs))
  monkeypatch.setattr(distortion, 'CORRELATIONS', (0.0, 1.0))
  scales, temperatures, correlations = distortion.measure([tfusq.SUA(5.0), tfusq.SGA(0.5)], Effort())
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
