import re

import pytest

from tfusq import catalogue, plugins
from tfusq.plugins import PluginError
from tfusq.quantization.base import Surrogate
from tfusq.quantization.estimators import Estimator


def describe(name):
  return catalogue.describe(plugins.claims(name))


def test_an_odd_class_costs_its_own_details_only(distribution):
  distribution(
    'odd',
    '1',
    '[tfusq.surrogates]\nOdd = odd_b:Odd\n',
    'odd_b',
    'from __future__ import annotations\nimport tfusq\n'
    'class Odd(tfusq.AUN):\n  differentiable = property(lambda self: True)\n'
    '  def __init__(self, heat: float | tfusq.Schedule):\n    pass\n',
  )
  assert describe('Odd')[0].startswith('BROKEN: TypeError')
  distribution(
    'fine',
    '1',
    '[tfusq.surrogates]\nFine = fine_b:Fine\n',
    'fine_b',
    'from __future__ import annotations\nimport tfusq\nclass Fine(tfusq.AUN):\n'
    '  def __init__(self, heat: float | tfusq.Schedule):\n    pass\n',
  )
  assert describe('Fine') == ['no docstring', 'admits STE, PGE, EP', 'temperatures: heat']


def test_a_plugin_that_needs_more_than_temperatures_costs_its_own_row_and_check(distribution, cli):
  distribution(
    'odd',
    '1',
    '[tfusq.surrogates]\nPicky = odd_c:Picky\nRaises = odd_c:Raises\n',
    'odd_c',
    'import tfusq\nclass Picky(tfusq.AUN):\n  def __init__(self, levels):\n'
    '    super().__init__()\nclass Raises(tfusq.AUN):\n  def secant(self, y):\n'
    '    raise RuntimeError("no secant today")\n',
  )
  table = catalogue.pairs()
  assert '| AUN | rate |' in table and 'Picky is not built: TypeError' in table
  surrogates, left_out = catalogue.build_all(Surrogate)
  assert {'SUA', 'Raises'} <= {type(surrogate).__name__ for surrogate in surrogates}
  assert len(left_out) == 1 and left_out[0].startswith('Picky is not built: TypeError')
  code, out, err = cli('check', 'Raises')
  assert code == 1 and re.search('Raises fails [2-9] checks', err)
  assert 'FAILED  is_finite: RuntimeError: no secant today' in out
  assert 'passed  shifts_by_integers' in out


def test_details_say_what_is_admitted():
  assert 'admits STE' in describe('Round')
  assert describe('SUA')[1:] == ['admits STE, PGE, EP', 'temperatures: alpha']
  assert 'for the rate only' in describe('EP')
  assert any('zero-centre' in line for line in describe('Gaussian'))


def test_all_of_a_kind_are_built_at_their_typical_temperatures():
  estimators, left_out = catalogue.build_all(Estimator)
  assert {type(estimator).__name__ for estimator in estimators} >= {'EP', 'PGE', 'STE'}
  assert left_out == []
  surrogates, _ = catalogue.build_all(Surrogate)
  names = [type(surrogate).__name__ for surrogate in surrogates]
  assert names.count('SUA') > 1 and names.count('AUN') == 1


def test_a_refusal_of_a_constructor_names_the_plugin():
  def refuse(**values):
    raise PluginError('not today')

  with pytest.raises(PluginError, match='^Surrogate is not built: not today$'):
    catalogue.build(Surrogate, make=refuse)


def test_the_pairs_are_a_table_of_what_estimators_admit():
  heading, _, *rows = catalogue.pairs().splitlines()
  cells = {row.split(' | ')[0].strip('| '): row.strip('|').split('|') for row in rows if row}
  estimators = [name.strip() for name in heading.strip('|').split('|')]
  assert cells['Round'][estimators.index('PGE')].strip() == ''
  assert cells['SUA'][estimators.index('EP')].strip() == 'rate'
  assert cells['SUA'][estimators.index('STE')].strip() == 'rate, distortion'
