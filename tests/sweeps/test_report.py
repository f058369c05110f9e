import csv
import io
import math
import statistics

import numpy as np
import pytest

from making import QUALITIES, make_curve, make_sweep
from tfusq.curves.curve import Curve
from tfusq.sweeps import costs, report

RATES = 10 ** ((QUALITIES - 30) / 16)  # which every interpolation meets
ANCHOR = make_curve(RATES, QUALITIES, 'anchor')
CELLS = ('ms-hyper__aun_pge_aun_pge__1e-6', 'ms-hyper__sua_ep_sua_ste__0.11')
PAPER = [
  {
    'table': 'V',
    'images': 'Kodak',
    'model': '',
    'measure': 'rate-distortion',
    'rate | distortion': 'SUA+EP | SUA+STE',
    'bound': '0.11',
    'joint': '-1.5',
    'post': '—',
  }
]


def write_results(sweep, folder, factors):
  """Results whose rates are the anchor's times a factor of cell, seed and stage."""
  for run in sweep.runs():
    for stage in ('joint', 'post'):
      factor = factors(run, stage)
      if factor is None:
        continue
      place = 1 + 2 * sweep.lmbdas.index(run.lmbda)
      path = run.result(folder, stage, 'kodak')
      path.parent.mkdir(parents=True, exist_ok=True)
      curve = make_curve(
        (factor * RATES[place],),
        (QUALITIES[place],),
        images={'a': 'ff'},
        codecs=[{'point': f'{run.name}{stage}', 'lmbda': run.lmbda}],
      )
      path.write_bytes(curve.to_json())


@pytest.fixture
def sweep():
  return make_sweep(tables=('III', 'V'))


def factors(run, stage):
  base = {CELLS[0]: 1.2, CELLS[1]: 0.9}.get(run.name.split('/')[0], 1.0)
  return base + (0.01 if run.seed else -0.01) - (0.1 if stage == 'post' else 0)


def test_figures_are_bd_rates_by_seed_beside_the_papers(sweep, tmp_path):
  write_results(sweep, tmp_path, factors)
  table = report.tabulate(sweep, tmp_path, 'kodak', ANCHOR, PAPER)
  first, last = table.figures[0, 'joint'], table.figures[3, 'post']
  assert first.by_seed == pytest.approx({0: 19, 1: 21}, abs=1e-6) and first.paper == ''
  assert last.by_seed == pytest.approx({0: -21, 1: -19}, abs=1e-6) and last.paper == '—'
  assert table.figures[3, 'joint'].paper == '-1.5'
  assert table.spread('joint', range(4)) == pytest.approx(math.sqrt(2), abs=1e-6)
  assert table.warnings == ['16 curves: the curve has only 2 points; 4 are usual']
  text = report.text(sweep, table, range(4))
  assert 'spread 1.41 points; what is less than 2.83 apart is undecided' in text
  assert f'better{"":>4}{30.0:>7.2f}  MS-hyper, SUA+EP | SUA+STE, 0.11 than' in text
  assert f'undecided{"":>1}{0.0:>7.2f}' in text  # the two cells between
  rows = list(csv.DictReader(io.StringIO(report.to_csv(sweep, [table], range(4)).decode())))
  assert len(rows) == 8 and rows[0]['by_seed'] == '0:19.0000 1:21.0000'
  assert rows[0]['bound'] == '1e-6' and rows[3]['paper'] == '-1.5'


def test_what_is_not_finished_counts_and_decides_nothing(sweep, tmp_path):
  write_results(
    sweep,
    tmp_path,
    lambda run, stage: (
      None if run.seed or (run.lmbda == 0.02 and run.name.startswith(CELLS[0])) else 1.0
    ),
  )
  table = report.tabulate(sweep, tmp_path, 'kodak', ANCHOR, [])
  assert math.isnan(table.figures[0, 'joint'].mean) and table.figures[0, 'joint'].runs == 1
  text = report.text(sweep, table, range(4))
  assert '1 of 4' in text and text.count('nothing is decided with less than two seeds') == 2


def test_the_best_label_of_an_axis_is_shown(tmp_path):
  sweep = make_sweep(best_of='bound')
  write_results(
    sweep,
    tmp_path,
    lambda run, stage: 1.1 if run.cell['bound'] == '1e-6' and stage == 'post' else 1.0,
  )
  table = report.tabulate(sweep, tmp_path, 'kodak', ANCHOR, [])
  text = report.text(sweep, table, report.best_cells(sweep, [table]))
  assert '0.11' in text and '1e-6' not in text


def make_table(images, **by_seed):
  figures = {
    (number, stage): report.Figure(dict(by_seed.get(stage, {})), 4, '')
    for number in range(4)
    for stage in ('joint', 'post')
  }
  return report.Table(images, 'BD-rate', figures)


def test_images_are_averaged_seed_by_seed(sweep):
  paper = [{**PAPER[0], 'images': 'Avg', 'joint': '-7.00'}]
  tables = [
    make_table('kodak', post={0: 1.0, 1: 3.0}),
    make_table('tecnick', post={1: 9.0, 2: 5.0}),
  ]
  average = report.average(sweep, tables, paper)
  assert average.images == 'Avg' and average.figures[0, 'post'].by_seed == {1: 6.0}
  assert average.figures[3, 'joint'].paper == '-7.00' and average.figures[0, 'joint'].paper == ''


def test_what_did_not_converge_is_a_dash_and_counts_for_no_spread(sweep, tmp_path):
  write_results(sweep, tmp_path, factors)
  for path in tmp_path.glob(f'{CELLS[0]}/*-joint-*'):
    quality = 10.0 + float(path.name[7:11])
    path.write_bytes(make_curve((0.1,), (quality,), images={'a': 'ff'}).to_json())
  table = report.tabulate(sweep, tmp_path, 'kodak', ANCHOR, PAPER)
  assert math.isnan(table.figures[0, 'joint'].mean)
  assert table.spread('joint', range(4)) == pytest.approx(math.sqrt(2), abs=1e-6)
  assert any('no quality in common' in warning for warning in table.warnings)
  line = report.text(sweep, table, range(4)).splitlines()[1]
  assert line.split('joint')[1].split()[0] == '—' and 'post' in line


def test_the_spread_is_pooled_over_cells():
  samples = [[1.0, 3.0], [10.0, 10.0], [0.0, 1.0, 2.0], [7.0]]
  expected = np.sqrt((2 * 1 + 0 + 3 * statistics.pvariance([0, 1, 2])) / (1 + 1 + 2))
  assert report.pooled_deviation(samples) == pytest.approx(expected)
  assert math.isnan(report.pooled_deviation([[1.0], []]))


def cost_curve(lmbda, rows):
  return Curve(
    'c',
    '',
    {'codecs': [{'point': 'x', 'lmbda': lmbda}]},
    {'bpp': [1.0]},
    [{'point': 'x', **row} for row in rows],
  )


def test_the_cost_is_of_each_images_squared_error():
  curve = cost_curve(
    0.01,
    [
      {'bpp': 0.5, 'psnr-rgb': 30.0},
      {'bpp': 0.7, 'psnr-rgb': 40.0},
      {'bpp': 0.9, 'psnr-rgb': None},
    ],
  )  # without error
  expected = 0.7 + 0.01 * 255**2 * (1e-3 + 1e-4) / 3
  assert costs.costs(curve, 'bpp', 'psnr-rgb') == {0.01: pytest.approx(expected)}


def test_costs_are_relative_to_one_cell_and_the_surrogates_to_its_like(tmp_path):
  anchor = {'model': 'MS-hyper', 'rate | distortion': 'AUN+PGE | AUN+PGE', 'bound': '0.11'}
  grid = {
    'model': {'MS-hyper': 'a.gin', 'other': 'b.gin'},
    'rate | distortion': {'AUN+PGE | AUN+PGE': 'c.gin', 'MIX': 'd.gin'},
    'bound': {'0.11': 'BOUND = 0.11'},
  }
  sweep = make_sweep(grids=[grid], seeds=(0,), cost_anchor=anchor)
  bpp = {
    ('MS-hyper', 'AUN+PGE | AUN+PGE'): 1.0,
    ('MS-hyper', 'MIX'): 2.0,
    ('other', 'AUN+PGE | AUN+PGE'): 3.0,
    ('other', 'MIX'): 5.0,
  }
  for run in sweep.runs():
    rate = bpp[run.cell['model'], run.cell['rate | distortion']]
    for stage in ('joint', 'post'):
      path = run.result(tmp_path, stage, 'kodak')
      path.parent.mkdir(parents=True, exist_ok=True)
      row = {
        'point': 'x',
        'bpp': rate,
        'psnr-rgb': 500.0,
        'surrogate-bpp': rate,
        'surrogate-psnr-rgb': 500.0,
      }
      path.write_bytes(
        Curve(
          'c',
          '',
          {'codecs': [{'point': 'x', 'lmbda': run.lmbda}]},
          {'bpp': [rate + run.lmbda]},
          [row],
        ).to_json()
      )
  tables = costs.tabulate(sweep, tmp_path, 'kodak', [])
  assert [table.measure for table in tables] == [
    'cost at lambda 0.01, %',
    'cost at lambda 0.02, %',
    'surrogate at lambda 0.01, %',
    'surrogate at lambda 0.02, %',
  ]
  cost, surrogate = tables[0], tables[2]
  assert [cost.figures[number, 'joint'].mean for number in range(4)] == pytest.approx(
    [0, 100, 200, 400]
  )
  assert [surrogate.figures[number, 'joint'].mean for number in range(4)] == pytest.approx(
    [0, 0, 200, 150]
  )
  assert (0, 'post') not in surrogate.figures and (0, 'post') in cost.figures
  assert cost.zeros == {(0, 'joint')} and surrogate.zeros == {(0, 'joint'), (1, 'joint')}


def test_cells_with_other_axes_compare_by_costs_alone(tmp_path):
  shared = {'model': {'MS-hyper': 'a.gin'}}
  sweep = make_sweep(
    grids=[
      {**shared, 'bound': {'0.11': 'BOUND = 0.11'}},
      {**shared, 'alpha_max': {'12': 'Linear.end = 12.0'}},
    ],
    lmbdas=(0.01, 0.02, 0.04),
    seeds=(0,),
    joint_axes=('bound', 'alpha_max'),
    cost_anchor={'model': 'MS-hyper', 'bound': '0.11'},
  )
  for run in sweep.runs():
    path = run.result(tmp_path, 'joint', 'kodak')
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = 2.0 if 'bound' in run.cell else 1.0
    path.write_bytes(
      Curve(
        'c',
        '',
        {'codecs': [{'point': 'x', 'lmbda': run.lmbda}]},
        {'bpp': [rate]},
        [{'point': 'x', 'bpp': rate, 'psnr-rgb': None}],
      ).to_json()
    )
  tables = costs.tabulate(sweep, tmp_path, 'kodak', PAPER)
  assert [table.measure for table in tables] == [
    f'cost at lambda {lmbda}, %' for lmbda in (0.01, 0.02, 0.04)
  ]
  for table in tables:
    assert table.figures[0, 'joint'].mean == 0 and table.figures[1, 'joint'].mean == -50
    assert math.isnan(table.figures[1, 'post'].mean)


def test_zeros_say_nothing_of_the_spread_and_what_is_unlike_is_not_ranked(sweep):
  table = make_table('kodak', joint={0: 1.0, 1: 3.0})
  table.figures[0, 'joint'] = report.Figure({0: 0.0, 1: 0.0}, 4, '')
  table = table._replace(zeros=frozenset({(0, 'joint')}), comparable=lambda number: number % 2)
  assert table.spread('joint', range(4)) == pytest.approx(math.sqrt(2))
  lines = report.text(sweep, table, range(4)).splitlines()
  assert sum(line.startswith('  ') for line in lines) == 2  # 0 and 2, 1 and 3
