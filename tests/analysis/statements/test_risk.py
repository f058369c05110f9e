"""Each kind of measure on made-up studies that bear it out, and on some that do not."""

import pytest

from tfusq.analysis.statements import risk


def measure(text, studies):
  (statement,) = (each for each in risk.STATEMENTS if text in each.text)
  return statement.measure(studies)


def gradient_row(surrogate, estimator, scale, **columns):
  return {'surrogate': surrogate, 'estimator': estimator, 'scale': scale, **columns}


@pytest.mark.parametrize('high, expected', [(300.0, True), (100.0, False)])
def test_a_variance_grows_rapidly_if_tenfold_from_step_to_step(record, high, expected):
  rows = [
    gradient_row(f'SUA(alpha={alpha})', 'PGE', 0.3, variance=variance)
    for alpha, variance in ((1, 0.5), (5, 20.0), (10, high))
  ]
  measured, holds = measure("PGE: SUA's variance grows", record('gradient', rows))
  assert holds is expected
  assert measured == {'alpha 1:': 0.5, 'alpha 5:': 20.0, 'alpha 10:': high}


@pytest.mark.parametrize('values, expected', [((0.5, 1.0, 2.0), True), ((0.5, 2.0, 1.0), False)])
def test_a_bias_grows_with_the_temperature(record, values, expected):
  rows = []
  for alpha, bias in zip((1, 5, 10), values):
    rows.append(gradient_row(f'SUA(alpha={alpha})', 'STE', 0.3, bias=bias))
  _, holds = measure("STE: SUA's bias grows", record('gradient', rows))
  assert holds is expected


def test_scales_are_table_twos(record):
  rows = [
    gradient_row('SUA(alpha=5)', 'STE', 0.3, bias=1.4, variance=1.0),
    gradient_row('SUA(alpha=5)', 'STE', 1.0, bias=0.2, variance=2.0),
  ]
  studies = record('gradient', rows)
  measured, holds = measure('the bias is smaller at a larger scale', studies)
  assert holds and measured == {'scale 0.3:': 1.4, 'scale 1:': 0.2}
  assert not measure('the variance is smaller at a larger scale', studies)[1]


@pytest.mark.parametrize('power, expected', [(0.5, True), (-0.5, False)])
def test_a_bias_grows_with_networks_by_its_correlation_in_logarithms(record, power, expected):
  rows = [
    {
      'surrogate': 'SR',
      'analysis': analysis,
      'synthesis': synthesis,
      'greatest_bias': (analysis * synthesis) ** power,
    }
    for analysis, synthesis in ((1, 1), (1, 16), (16, 1), (16, 16))
  ]
  measured, holds = measure("STE's greatest bias grows", record('network', rows))
  assert holds is expected
  # Two independent sizes with equal shares of the bias each explain half of its variance.
  assert [abs(value) for value in measured.values()] == [pytest.approx(0.5**0.5)] * 2


def test_gaps_are_between_costs_over_slopes(record):
  costs = {'SR+STE': (2.0, 3.0, 4.0), 'SR+EP': (1.5, 2.8, 3.99)}
  rows = []
  for method, values in costs.items():
    for slope, cost in zip((1.0, 2.0, 4.0), values):
      row = {'method': method, 'slope': slope}
      rows.append(row | {'transform': 'residual blocks', 'cost': cost})
      rows.append(row | {'transform': 'linear', 'cost': slope})
  studies = record('laplacian', rows)

  measured, holds = measure('by more at low rates', studies)
  assert holds and list(measured.values()) == [pytest.approx(0.5), pytest.approx(0.01)]
  measured, holds = measure('by more with non-linear', studies)
  assert holds and list(measured.values()) == [0, pytest.approx(0.71 / 3)]
  # With linear transforms there is no gap at all.
  assert not measure('always beats STE', studies)[1]
