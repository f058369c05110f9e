import math

import numpy as np
import pytest

import tfusq
from tfusq.analysis.studies import laplacian, scalar_codecs
from tfusq.analysis.study import Effort


def test_shannons_bound_is_that_of_a_laplacian():
  # h = log2(2 e), and a Gaussian of squared error D has log2(2 pi e D) / 2.
  assert laplacian.shannon_lower_bound(np.array([0.1]))[0] == pytest.approx(
    math.log2(2 * math.e / math.sqrt(2 * math.pi * math.e * 0.1))
  )
  assert laplacian.shannon_lower_bound(np.array([2.0]))[0] == 0


def test_every_estimator_goes_with_both_terms():
  names = [method.name for method in laplacian.methods([tfusq.SR(), tfusq.Round()])]
  assert {'SR+STE', 'SR+EP', 'Round+STE', 'MIX'} <= set(names) and 'Round+EP' not in names


def test_codecs_come_near_the_bound_and_never_pass_it(monkeypatch):
  monkeypatch.setattr(
    laplacian,
    'methods',
    lambda surrogates: [
      method
      for method in METHODS(surrogates)
      if method.name in ('AUN+PGE', 'SR+EP', 'SR+STE', 'Round+STE', 'MIX')
    ],
  )
  codecs = scalar_codecs.ScalarCodecs(
    laplacian.methods([tfusq.AUN(), tfusq.SR(), tfusq.Round()]), [1.9, 6.0], 1, 0
  )
  codecs.train(400, 0)
  rows = codecs.rows()
  assert len(rows) == 5 * 2 * 2
  assert all(row['beyond_bound'] > 0 for row in rows)
  cost = {(row['method'], row['transform'], row['slope']): row['cost'] for row in rows}
  # A uniform quantizer is a quarter of a bit beyond at high rates.
  assert cost['AUN+PGE', 'linear', 6.0] < math.log2(math.e) / 2 + 1.25 * math.log2(6.0) + 0.1
  for row in rows:  # of MIX with non-linear transforms the paper says that it fails
    if row['method'] == 'AUN+PGE' or (row['method'], row['transform']) == ('MIX', 'linear'):
      assert row['beyond_bound'] < 0.4, row
  # Sec. 4.4.2: with non-linear transforms the expected gradient beats STE.
  assert cost['SR+EP', 'residual blocks', 1.9] < cost['SR+STE', 'residual blocks', 1.9]


METHODS = laplacian.methods


def test_the_study_has_a_row_for_each_codec(monkeypatch):
  monkeypatch.setattr(scalar_codecs.ScalarCodecs, 'train', lambda self, steps, seed: None)
  (study,) = laplacian.measure([tfusq.Round()], Effort())
  names = {row['method'] for row in study.rows}
  assert {'Round+STE', 'MIX'} <= names and len(study.rows) == 2 * 3 * len(names)
  upper, *_ = study.figure.axes
  assert "Shannon's lower bound" in upper.get_legend_handles_labels()[1]
