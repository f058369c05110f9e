import pytest

from tfusq.analysis.statements.recorded import RecordedStudies, falls
from tfusq.analysis.study import AnalysisError


def test_rows_are_those_at_the_coordinates_with_numbers_as_numbers(record):
  studies = record(
    'rate',
    [
      {'surrogate': 'AUN', 'mean': 0.0, 'true': 'inf'},
      {'surrogate': 'AUN', 'mean': 0.5, 'true': 1.25},
      {'surrogate': 'SR', 'mean': 0.5, 'true': 2.0},
    ],
  )
  assert studies.rows('rate', surrogate='AUN', mean=0.5) == [
    {'surrogate': 'AUN', 'mean': 0.5, 'true': 1.25}
  ]
  assert studies.rows('rate', mean=0.0)[0]['true'] == float('inf')


def test_repeats_are_averaged(record):
  rows = [
    {'method': 'MIX', 'transform': 'linear', 'slope': slope, 'repeat': repeat, 'cost': cost}
    for slope, repeat, cost in ((2.0, 0, 5.0), (1.0, 0, 2.0), (1.0, 1, 4.0))
  ]
  slopes, costs = record('laplacian', rows).curve('laplacian', 'cost', 'slope', method='MIX')
  assert slopes.tolist() == [1.0, 2.0] and costs.tolist() == [3.0, 5.0]


def test_what_was_not_measured_is_an_error(tmp_path, record):
  with pytest.raises(
    AnalysisError, match='rate.csv does not exist; make it with tfusq analyze rate$'
  ):
    RecordedStudies(tmp_path).rows('rate')
  with pytest.raises(
    AnalysisError, match='of_pairs.csv does not exist; .* with tfusq analyze rate$'
  ):
    RecordedStudies(tmp_path).rows('rate_of_pairs')

  studies = record('information', [{'surrogate': 'AUN', 'scale': 0.1, 'difference': 0.5}])
  with pytest.raises(AnalysisError, match="no row with {'surrogate': 'SR'}; make it with tfusq"):
    studies.rows('information', surrogate='SR')
  with pytest.raises(AnalysisError, match='no columns rate and scale'):
    studies.curve('information', 'rate', 'scale')


@pytest.mark.parametrize(
  'values, expected', [([3, 2, 1], True), ([3, 2.99, 1], False), ([1, 2], False), ([1], True)]
)
def test_what_falls_falls_by_a_hundredth_each_time(values, expected):
  assert falls(iter(values)) is expected
