"""Qualities as `codec.json` states them."""

import math

import numpy as np
import pytest

from tfusq.export.quality_range import QualityRange
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
  found = [qualities.lmbda(qualities.quality(step)) for step in range(65)]
  np.testing.assert_allclose(found, VariableRate(STATED['lambdas']).all_lambdas(), rtol=1e-12)


def test_the_quality_of_a_lambda_is_the_nearest_step(qualities):
  assert qualities.of_lmbda(0.04) == 2.0
  assert qualities.of_lmbda(math.sqrt(0.01 * 0.04)) == 1.5
  # Factors of lambda from step to step are 4^(1/32).
  assert qualities.of_lmbda(0.04 * 4 ** (0.4 / 32)) == 2.0
  assert qualities.of_lmbda(0.04 * 4 ** (0.6 / 32)) == 2 + 1 / 32


@pytest.mark.parametrize('lmbda, quality', [(0.001, 1.0), (5.0, 3.0)])
def test_a_lambda_out_of_range_is_the_end(qualities, lmbda, quality):
  assert qualities.of_lmbda(lmbda) == quality
