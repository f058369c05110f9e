"""Each kind of measure on made-up studies that bear it out, and on some that do not."""

import pytest

from tfusq.analysis.statements import mismatch


def measure(text, studies):
  (statement,) = (each for each in mismatch.STATEMENTS if text in each.text)
  return statement.measure(studies)


@pytest.mark.parametrize(
  'small, large, expected', [(0.5, 0.001, True), (0.05, 0.001, False), (0.5, 0.1, False)]
)
def test_information_is_compared_at_small_and_large_scales(record, small, large, expected):
  studies = record(
    'information',
    [
      {'surrogate': 'AUN', 'mean': 0.0, 'scale': scale, 'difference': value}
      for scale, value in ((0.1, small), (0.3, small / 2), (1.0, large), (4.0, large))
    ],
  )
  measured, holds = measure("AUN's excess is negligible", studies)
  assert holds is expected
  assert measured == {'scale <= 0.3:': small, 'scale >= 1:': large}


@pytest.mark.parametrize('values, expected', [((0.5, 0.2, -0.1), True), ((0.1, -0.2, 0.5), False)])
def test_a_difference_falls_with_the_temperature_by_its_size(record, values, expected):
  rows = []
  for alpha, value in zip((1, 5, 10), values):
    row = {'surrogate': f'SUA(alpha={alpha})', 'mean': 0.0}
    rows += [row | {'scale': 0.1, 'difference': value}, row | {'scale': 1.0, 'difference': 0.0}]
  measured, holds = measure("SUA's difference falls", record('information', rows))
  assert holds is expected
  assert measured == dict(zip(('alpha 1:', 'alpha 5:', 'alpha 10:'), map(abs, values)))


def test_a_ratio_is_measured_from_one_and_nan_is_left_out(record):
  rows = []
  for alpha, ratio in ((1, 0.6), (5, 1.2), (10, 0.9)):
    row = {'surrogate': f'SUA(alpha={alpha})'}
    rows += [row | {'scale': 0.1, 'relative': ratio}, row | {'scale': 1.0, 'relative': 'nan'}]
  measured, holds = measure("SUA's error falls with alpha", record('distortion', rows))
  assert holds
  assert list(measured.values()) == [pytest.approx(0.4), pytest.approx(0.2), pytest.approx(0.1)]


@pytest.mark.parametrize('uqs, expected', [(0.001, True), (0.2, False)])
def test_pairs_are_compared_at_the_greatest_correlation(record, uqs, expected):
  last = {'AUN': 0.6, 'UQi': 0.6, 'SUA(alpha=10)': 0.1, 'UQs': uqs}
  rows = []
  for surrogate, value in last.items():
    row = {'surrogate': surrogate}
    rows += [row | {'correlation': 0.99, 'difference': value}]
    rows += [row | {'correlation': 0.0, 'difference': 0.0}]
  measured, holds = measure('correlated pairs', record('rate_of_pairs', rows))
  assert holds is expected
  assert measured == {f'{name}:': value for name, value in last.items()}


@pytest.mark.parametrize('exceptions, expected', [(2, True), (3, False)])
def test_almost_all_surrogates_are_all_but_two(record, exceptions, expected):
  rows = []
  for index, surrogate in enumerate(mismatch.SUBJECTS[1:]):
    row = {'surrogate': surrogate, 'mean': 0.0}
    small = 0.1 if index < exceptions else 0.3
    rows += [row | {'scale': 0.2, 'difference': small}, row | {'scale': 2.0, 'difference': -0.2}]
  measured, holds = measure('for almost all surrogates', record('rate', rows))
  assert holds is expected
  assert measured == {'surrogates that satisfy it:': 16 - exceptions, 'of': 16}
