"""The study of the Laplacian source."""

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


def test_the_study_has_a_row_for_each_codec(monkeypatch):
  monkeypatch.setattr(laplacian.ScalarCodecs, 'train', lambda self, steps, seed: None)
  monkeypatch.setattr(scalar_codecs, '_EVALUATED_SAMPLES', 256)
  (study,) = laplacian.measure([tfusq.Round()], Effort())
  names = {row['method'] for row in study.rows}
  assert {'Round+STE', 'MIX'} <= names and len(study.rows) == 2 * 3 * len(names)
  upper, *_ = study.figure.axes
  assert "Shannon's lower bound" in upper.get_legend_handles_labels()[1]
