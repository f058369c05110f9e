"""The committed studies, and what the README beside them says about the statements."""

import itertools
import re
from pathlib import Path

from tfusq.analysis import statements, study
from tfusq.cli import analyze

ANALYSES = Path(__file__).parents[3] / 'gin' / 'paper' / 'analyses'


def test_the_committed_statements_are_those_of_the_committed_studies():
  rows = statements.check(ANALYSES)
  block = (ANALYSES / 'README.md').read_text(encoding='utf-8').split('```\n')[-2]
  assert study.format_rows(rows) == block.rstrip()
  assert len({row['statement'] for row in rows}) == len(rows) == 38
  refuted = {row['statement'] for row in rows if row['holds'] == 'NO'}
  text = (ANALYSES / 'README.md').read_text(encoding='utf-8')
  assert all(f'**{statement}**' in text for statement in refuted)


def test_the_committed_studies_are_those_that_the_readme_names():
  text = (ANALYSES / 'README.md').read_text(encoding='utf-8')
  named = set(re.findall(r'`([a-z0-9_]+)`', text)) & {
    *analyze.STUDIES,
    *itertools.chain(*analyze.OUTPUTS.values()),
  }
  kept = {path.stem for path in ANALYSES.glob('*.csv')}
  assert kept == {path.stem for path in ANALYSES.glob('*.png')} and kept == named
