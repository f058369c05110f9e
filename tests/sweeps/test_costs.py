import math

import pytest

from making import make_sweep
from sweep_results import NO_PAPER, PAPER, results_of, write_result
from tfusq.curves.curve import Curve, CurveError
from tfusq.sweeps import costs

COST, _ = costs.MEASURES


def cost_curve(lmbda, rows):
  codecs = [{'point': 'x', 'lmbda': lmbda}]
  images = [{'point': 'x', **row} for row in rows]
  return Curve('c', '', {'codecs': codecs}, {'bpp': [1.0]}, images)


def test_the_cost_is_of_each_images_squared_error():
  curve = cost_curve(
    0.01,
    [
      {'bpp': 0.5, 'psnr-rgb': 30.0},
      {'bpp': 0.7, 'psnr-rgb': 40.0},
      {'bpp': 0.9, 'psnr-rgb': None},  # without error
    ],
  )
  expected = 0.7 + 0.01 * 255**2 * (1e-3 + 1e-4) / 3
  assert costs.costs(curve, COST) == {0.01: pytest.approx(expected)}


def test_the_cost_is_of_the_distortion_that_a_run_is_trained_for():
  rows = [
    {'bpp': 0.5, 'psnr-rgb': 30.0, 'distortion': 0.02},
    {'bpp': 0.7, 'psnr-rgb': None, 'distortion': 0.04},
  ]
  assert costs.costs(cost_curve(16.64, rows), COST) == {16.64: pytest.approx(0.6 + 16.64 * 0.03)}
  rows[0]['distortion'] = None  # of too small an image
  with pytest.raises(CurveError, match='c has an image whose distortion has no value'):
    costs.costs(cost_curve(16.64, rows), COST)


def test_an_image_without_the_measurements_has_no_cost():
  with pytest.raises(CurveError, match='c has no bpp and psnr-rgb of each image'):
    costs.costs(cost_curve(0.01, [{'bpp': 0.5}]), COST)


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
    row = {'bpp': rate, 'psnr-rgb': 500.0, 'surrogate-bpp': rate, 'surrogate-psnr-rgb': 500.0}
    for stage in ('joint', 'post'):
      write_result(tmp_path, run, stage, cost_curve(run.lmbda, [row]))

  tables = costs.tabulate(results_of(sweep, tmp_path), NO_PAPER)
  assert [table.measure for table in tables] == [
    'cost at lambda 0.01, %',
    'cost at lambda 0.02, %',
    'surrogate at lambda 0.01, %',
    'surrogate at lambda 0.02, %',
  ]

  def joint_means(table):
    return [table.results[cell_index, 'joint'].mean for cell_index in range(4)]

  cost, surrogate = tables[0], tables[2]
  assert joint_means(cost) == pytest.approx([0, 100, 200, 400])
  assert joint_means(surrogate) == pytest.approx([0, 0, 200, 150])
  assert (0, 'post') not in surrogate.results and (0, 'post') in cost.results
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
    rate = 2.0 if 'bound' in run.cell else 1.0
    write_result(tmp_path, run, 'joint', cost_curve(run.lmbda, [{'bpp': rate, 'psnr-rgb': None}]))
  tables = costs.tabulate(results_of(sweep, tmp_path), PAPER)
  assert [table.measure for table in tables] == [
    f'cost at lambda {lmbda}, %' for lmbda in (0.01, 0.02, 0.04)
  ]
  for table in tables:
    assert table.results[0, 'joint'].mean == 0 and table.results[1, 'joint'].mean == -50
    assert math.isnan(table.results[1, 'post'].mean)


def test_the_cost_of_each_image():
  rows = [
    {'image': 'a', 'bpp': 0.5, 'psnr-rgb': 30.0},
    {'image': 'b', 'bpp': 0.7, 'psnr-rgb': None},
  ]
  expected = {'a': pytest.approx(0.5 + 0.01 * 255**2 * 1e-3), 'b': 0.7}
  assert costs.by_image(cost_curve(0.01, rows), COST) == expected
  with pytest.raises(CurveError, match='no measurements of images'):
    costs.by_image(cost_curve(0.01, []), COST)
