import csv
import itertools
import re
from pathlib import Path

import pytest

from tfusq.analysis import statements, study
from tfusq.analysis.statements.recorded import Figures
from tfusq.analysis.study import AnalysisError
from tfusq.cli import analyze

ANALYSES = Path(__file__).parents[3] / 'gin' / 'paper' / 'analyses'


def write(folder, study, rows):
  with (folder / f'{study}.csv').open('w', newline='') as file:
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)


@pytest.fixture
def information(tmp_path):
  """Writes AUN's information beyond rounding's, given at small and large scales."""

  def make(small, large):
    write(
      tmp_path,
      'information',
      [
        {'surrogate': 'AUN', 'mean': 0.0, 'scale': scale, 'difference': value}
        for scale, value in ((0.1, small), (0.3, small / 2), (1.0, large), (4.0, large))
      ],
    )
    return Figures(tmp_path)

  return make


def statement(text):
  (found,) = (each for each in statements.STATEMENTS if text in each.text)
  return found


def test_a_statement_holds_or_not_by_the_figures(information):
  measure = statement("AUN's excess is negligible").measure
  figures, holds = measure(information(0.5, 0.001))
  assert holds and figures == {'scale <= 0.3:': 0.5, 'scale >= 1:': 0.001}
  assert not measure(information(0.05, 0.001))[1]
  assert not measure(information(0.5, 0.1))[1]


def test_repeats_are_averaged(tmp_path):
  write(
    tmp_path,
    'laplacian',
    [
      {'method': 'MIX', 'transform': 'linear', 'slope': slope, 'repeat': repeat, 'cost': cost}
      for slope, repeat, cost in ((2.0, 0, 5.0), (1.0, 0, 2.0), (1.0, 1, 4.0))
    ],
  )
  slopes, costs = Figures(tmp_path).curve('laplacian', 'cost', 'slope', method='MIX')
  assert slopes.tolist() == [1.0, 2.0] and costs.tolist() == [3.0, 5.0]


def test_what_was_not_measured_is_an_error(tmp_path, information):
  with pytest.raises(AnalysisError, match='rate.csv is not there; make it by tfusq analyze'):
    Figures(tmp_path).rows('rate')
  with pytest.raises(AnalysisError, match="no row with {'surrogate': 'SR'}"):
    information(0.5, 0.1).rows('information', surrogate='SR')


def test_the_committed_statements_are_those_of_the_committed_figures():
  rows = statements.check(ANALYSES)
  block = (ANALYSES / 'README.md').read_text(encoding='utf-8').split('```\n')[-2]
  assert study.table(rows) == block.rstrip()
  assert len({row['statement'] for row in rows}) == len(rows) == 38
  told = {row['statement'] for row in rows if row['holds'] == 'NO'}
  text = (ANALYSES / 'README.md').read_text(encoding='utf-8')
  assert all(f'**{statement}**' in text for statement in told)


def test_the_committed_figures_are_those_that_the_readme_names():
  text = (ANALYSES / 'README.md').read_text(encoding='utf-8')
  named = set(re.findall(r'`([a-z0-9_]+)`', text)) & {
    *analyze.STUDIES,
    *itertools.chain(*analyze.OUTPUTS.values()),
  }
  kept = {path.stem for path in ANALYSES.glob('*.csv')}
  assert kept == {path.stem for path in ANALYSES.glob('*.png')} and kept == named
