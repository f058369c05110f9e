"""The studies of estimated rates."""

import pytest

import tfusq
from tfusq.analysis.studies import rate
from tfusq.analysis.study import Effort


@pytest.fixture(scope='module')
def studies():
  with pytest.MonkeyPatch.context() as monkeypatch:
    monkeypatch.setattr(Effort, 'scales', lambda self: [0.5, 1.0])
    return rate.measure([tfusq.AUN(), tfusq.SUA(5.0), tfusq.SR()], Effort())


@pytest.mark.long
def test_rates_of_scalars_are_those_of_quadrature(studies):
  scalars, _ = studies
  rows = {(row['surrogate'], row['mean'], row['scale']): row for row in scalars.rows}
  assert len(rows) == 3 * 2 * 2
  for (name, mean, scale), expected in {
    ('AUN', 0.0, 0.5): 1.25443,
    ('SUA(alpha=5)', 0.0, 0.5): 1.24680,
    ('SR', 0.0, 0.5): 1.43587,
    ('AUN', 0.5, 1.0): 2.10483,
    ('SR', 0.5, 1.0): 2.16033,
  }.items():
    row = rows[name, mean, scale]
    assert row['estimated'] == pytest.approx(expected, abs=1e-4), (name, mean, scale)
    assert row['difference'] == row['estimated'] - row['true']
  assert rows['SR', 0.5, 0.5]['true'] == pytest.approx(1.26766, abs=1e-4)
  assert rows['SUA(alpha=5)', 0.0, 0.5]['best_scale_ratio'] == pytest.approx(1, abs=1e-3)


def test_rates_of_pairs_are_those_of_quadrature(studies):
  _, pairs = studies
  rows = {(row['surrogate'], row['correlation']): row for row in pairs.rows}
  assert len(rows) == 3 * 4
  assert rows['AUN', 0.0]['true'] == pytest.approx(4.20967, abs=0.01)
  assert rows['AUN', 0.99]['true'] == pytest.approx(2.70692, abs=0.01)
  assert rows['AUN', 0.99]['estimated'] == pytest.approx(2.89646, abs=0.01)
  assert [axes.get_ylabel() for axes in pairs.figure.axes] == ['estimated minus true rate [bits]']
