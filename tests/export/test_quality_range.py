"""Qualities as `codec.json` states them."""

import math

import numpy as np
import pytest

from tfusq.export.quality_range import QualityError, QualityRange
from tfusq.models import VariableRate

STATED = {'lambdas': [0.01, 0.04, 0.16], 'steps_per_level': 32, 'default': 2.0}


@pytest.fixture
def qualities():
  return QualityRange.stated_in({'identity': '00', 'qualities': STATED})


def test_a_codec_of_one_quality_states_none():
  assert QualityRange.stated_in({'identity': '00'}) is None


def test_steps_count_from_the_lowest_quality(qualities):
  assert qualities.last_step == 64
  assert [qualities.quality(step) for step in (0, 16, 32, 64)] == [1.0, 1.5, 2.0, 3.0]


def test_lambdas_are_those_of_training(qualities):
  """Of every step, as the gains are interpolated."""
  found = [qualities.lmbda(step) for step in range(65)]
  np.testing.assert_allclose(found, VariableRate(STATED['lambdas']).all_lambdas(), rtol=1e-12)


def test_the_quality_of_a_lambda_is_the_nearest_step(qualities):
  assert qualities.step_of_lmbda(0.04) == 32
  assert qualities.step_of_lmbda(math.sqrt(0.01 * 0.04)) == 16
  # Factors of lambda from step to step are 4^(1/32).
  assert qualities.step_of_lmbda(0.04 * 4 ** (0.4 / 32)) == 32
  assert qualities.step_of_lmbda(0.04 * 4 ** (0.6 / 32)) == 33


@pytest.mark.parametrize('lmbda', [0.0099, 0.161, 0.0, -1.0, math.nan, math.inf])
def test_a_lambda_out_of_range_is_refused(qualities, lmbda):
  with pytest.raises(QualityError, match='this codec has the lambdas from 0.01 to 0.16, not'):
    qualities.step_of_lmbda(lmbda)


def test_the_step_of_a_quality_is_the_nearest(qualities):
  assert [qualities.step(quality) for quality in (1, 1.5, 1.51, 3)] == [0, 16, 16, 64]


@pytest.mark.parametrize('quality', [0.99, 3.01, math.nan])
def test_a_quality_out_of_range_is_refused(qualities, quality):
  with pytest.raises(QualityError, match='this codec has the qualities from 1 to 3, not'):
    qualities.step(quality)
