"""The study of mutual information."""

import math

import pytest

import tfusq
from tfusq.analysis.studies import information
from tfusq.analysis.study import Effort


@pytest.fixture
def rows(monkeypatch):
  monkeypatch.setattr(Effort, 'scales', lambda self: [0.2, 1.0])
  surrogates = [tfusq.Round(), tfusq.AUN(), tfusq.SHA(5.0)]
  (study,) = information.measure(surrogates, Effort())
  assert [axes.get_title() for axes in study.figure.axes] == ['mean 0', 'mean 0.5']
  return {(row['surrogate'], row['mean'], row['scale']): row for row in study.rows}


def test_there_is_a_row_for_each_surrogate_mean_and_scale(rows):
  assert len(rows) == 3 * 2 * 2


def test_rounding_carries_its_entropy_and_has_no_difference_to_itself(rows):
  # At scale 0.2 and mean 1/2 nearly one bit: both neighbours are equally likely.
  row = rows['Round', 0.5, 0.2]
  assert row['information'] == pytest.approx(1.0, abs=0.001) and row['difference'] == 0
  assert rows['Round', 0.0, 1.0]['information'] == pytest.approx(2.10483, abs=1e-4)


def test_noise_carries_as_much_at_every_mean(rows):
  for mean in information.MEANS:
    row = rows['AUN', mean, 0.2]
    assert row['information'] == pytest.approx(0.52119, abs=1e-4)
    assert row['difference'] == row['information'] - row['rounding']


def test_an_invertible_map_carries_everything(rows):
  assert math.isinf(rows['SHA(alpha=5)', 0.0, 1.0]['information'])
