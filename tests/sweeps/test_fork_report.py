"""Reports of forks, from results whose differences are known."""

import csv
import io

import numpy as np
import pytest

from fork_results import image_costs, make_forks, write_branch
from tfusq.sweeps.fork_report import make_fork_report
from tfusq.sweeps.results import ResultsFolder


def report_of(sweep, folder, images=('kodak',)):
  return make_fork_report(sweep, ResultsFolder(folder), images)


def write_all(sweep, folder, difference=0.05, stages=('joint', 'post')):
  random = np.random.default_rng(0)
  for run in sweep.runs():
    for stage in stages:
      write_branch(folder, run, stage, image_costs(run, random, difference))


def test_a_difference_far_below_the_spread_of_images_and_forks_is_decided(tmp_path):
  sweep = make_forks()
  write_all(sweep, tmp_path)
  report = report_of(sweep, tmp_path)
  rows = list(csv.DictReader(io.StringIO(report.table_csv.decode())))
  assert [row['stage'] for row in rows] == ['joint', 'post']
  for row in rows:
    assert (row['better'], row['worse'], row['verdict']) == ('SUA', 'AUN', 'better')
    # 0.05 of a mean cost of 4.65; images vary by 50 % of that, forks by 3 %.
    assert float(row['difference']) == pytest.approx(100 * 0.05 / 4.65, abs=0.2)
    assert 0 < float(row['half_width']) < 0.5
    assert (row['forks'], row['number_of_images']) == ('4', '8')

  lines = report.text.splitlines()
  assert lines[0].startswith('kodak, lambda 0.01: R + lambda D in percent of AUN, joint')
  assert lines[1].startswith('AUN  joint    0.00 (0.00 0.00)      4 of 4')
  least = max(float(row['half_width']) for row in rows if row['stage'] == 'joint')
  assert f'would have been decided for each of these pairs: {least:.2f}' in report.text
  assert 'SUA than AUN (4 forks, 8 images)' in report.text


def test_the_same_comes_from_runs_csv_alone(tmp_path):
  sweep = make_forks()
  write_all(sweep, tmp_path)
  ResultsFolder(tmp_path).gather()
  before = report_of(sweep, tmp_path)
  for path in tmp_path.glob('*/*.json'):
    path.unlink()
  assert report_of(sweep, tmp_path) == before


def test_equal_methods_are_alike_or_undecided(tmp_path):
  for least_effect, verdict in ((1.0, 'alike'), (0.001, 'undecided'), (None, 'undecided')):
    sweep = make_forks(least_effect=least_effect)
    write_all(sweep, tmp_path, difference=0.0)
    assert f'  {verdict} ' in report_of(sweep, tmp_path).text


def test_only_forks_that_both_cells_have_are_compared(tmp_path):
  sweep = make_forks()
  random = np.random.default_rng(0)
  for run in sweep.runs()[:6]:
    write_branch(tmp_path, run, 'joint', image_costs(run, random))
  report = report_of(sweep, tmp_path)
  assert '(3 forks, 8 images)' in report.text and '3 of 4' in report.text
  assert 'post: no two cells have two forks in common yet' in report.text


def test_nothing_is_compared_before_the_anchor_is_there(tmp_path):
  report = report_of(make_forks(), tmp_path)
  assert report.table_csv is None
  assert report.text == 'kodak, lambda 0.01: R + lambda D: no branch of AUN is finished yet'


def test_trunks_that_were_not_the_same_are_said(tmp_path):
  sweep = make_forks()
  write_all(sweep, tmp_path)
  run = sweep.runs()[0]
  write_branch(tmp_path, run, 'joint', np.ones(8), fingerprint='ffff')
  ResultsFolder(tmp_path).gather()
  first, *_ = report_of(sweep, tmp_path).text.splitlines()
  assert first.startswith('warning: the trunk of lambda 0.01, seed 0 was not always the same')
