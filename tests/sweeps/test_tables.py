import math
import statistics

import numpy as np
import pytest

from making import make_curve, make_sweep
from sweep_results import (
  ANCHOR,
  CELLS,
  NO_PAPER,
  PAPER,
  PAPER_ROW,
  factors,
  make_table,
  results_of,
  write_results,
)
from tfusq.sweeps import tables
from tfusq.sweeps.tables import CellResult, PaperTables


@pytest.fixture
def sweep():
  return make_sweep(tables=('III', 'V'))


def test_results_are_bd_rates_by_seed_with_the_papers(sweep, tmp_path):
  write_results(sweep, tmp_path, factors)
  table = tables.bd_rates(results_of(sweep, tmp_path), ANCHOR, PAPER)
  first, last = table.results[0, 'joint'], table.results[3, 'post']
  assert first.by_seed == pytest.approx({0: 19, 1: 21}, abs=1e-6) and first.paper == ''
  assert last.by_seed == pytest.approx({0: -21, 1: -19}, abs=1e-6) and last.paper == '—'
  assert table.results[3, 'joint'].paper == '-1.5'
  assert table.spread('joint', range(4)) == pytest.approx(math.sqrt(2), abs=1e-6)
  assert table.warnings == ['16 curves: the curve has only 2 points; 4 are usual']


def test_what_is_not_finished_counts_for_no_mean(sweep, tmp_path):
  def only_first_seed(run, stage):
    unfinished = run.lmbda == 0.02 and run.name.startswith(CELLS[0])
    return None if run.seed or unfinished else 1.0

  write_results(sweep, tmp_path, only_first_seed)
  table = tables.bd_rates(results_of(sweep, tmp_path), ANCHOR, NO_PAPER)
  assert math.isnan(table.results[0, 'joint'].mean) and table.results[0, 'joint'].runs == 1


def test_what_did_not_converge_has_no_mean_and_counts_for_no_spread(sweep, tmp_path):
  write_results(sweep, tmp_path, factors)
  for path in tmp_path.glob(f'{CELLS[0]}/*-joint-*'):
    quality = 10.0 + float(path.name[7:11])
    path.write_bytes(make_curve((0.1,), (quality,), images={'a': 'ff'}).to_json())
  table = tables.bd_rates(results_of(sweep, tmp_path), ANCHOR, PAPER)
  assert math.isnan(table.results[0, 'joint'].mean)
  assert table.spread('joint', range(4)) == pytest.approx(math.sqrt(2), abs=1e-6)
  assert any('no quality in common' in warning for warning in table.warnings)


def test_the_paper_is_looked_up_by_table_cell_and_description():
  cell = {'model': 'any', 'rate | distortion': 'SUA+EP | SUA+STE', 'bound': '0.11'}
  description = {'images': 'kodak', 'measure': 'rate-distortion'}
  assert PAPER.find(cell, 'joint', description) == '-1.5'
  assert PAPER.find({**cell, 'bound': '1e-6'}, 'joint', description) == ''
  assert PAPER.find(cell, 'joint', {**description, 'images': 'tecnick'}) == ''
  assert PaperTables([PAPER_ROW], ('III',)).find(cell, 'joint', description) == ''


def test_images_are_averaged_seed_by_seed(sweep):
  paper = PaperTables([{**PAPER_ROW, 'images': 'Avg', 'joint': '-7.00'}], sweep.tables)
  by_images = [
    make_table('kodak', post={0: 1.0, 1: 3.0}),
    make_table('tecnick', post={1: 9.0, 2: 5.0}),
  ]
  average = tables.average(sweep, by_images, paper)
  assert average.images == 'Avg' and average.results[0, 'post'].by_seed == {1: 6.0}
  assert average.results[3, 'joint'].paper == '-7.00' and average.results[0, 'joint'].paper == ''


def test_the_best_label_of_an_axis_is_shown():
  sweep = make_sweep(best_of='bound')
  table = make_table('kodak', post={0: 1.0})
  for cell_index, cell in enumerate(sweep.cells()):
    if cell['bound'] == '1e-6':
      table.results[cell_index, 'post'] = CellResult({0: 1.1}, 4, '')
  best = [sweep.cells()[cell_index] for cell_index in tables.best_cells(sweep, [table])]
  assert [cell['bound'] for cell in best] == ['0.11', '0.11']
  assert len({cell['rate | distortion'] for cell in best}) == 2


def test_the_spread_is_pooled_over_cells():
  samples = [[1.0, 3.0], [10.0, 10.0], [0.0, 1.0, 2.0], [7.0]]
  expected = np.sqrt((2 * 1 + 0 + 3 * statistics.pvariance([0, 1, 2])) / (1 + 1 + 2))
  assert tables.pooled_deviation(samples) == pytest.approx(expected)
  assert math.isnan(tables.pooled_deviation([[1.0], []]))


def test_zeros_say_nothing_about_the_spread():
  table = make_table('kodak', joint={0: 1.0, 1: 3.0})
  table.results[0, 'joint'] = CellResult({0: 0.0, 1: 0.0}, 4, '')
  table = table._replace(zeros=frozenset({(0, 'joint')}))
  assert table.spread('joint', range(4)) == pytest.approx(math.sqrt(2))
