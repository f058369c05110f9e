"""The command `tfusq analyze`, with analyses that are quick."""

import csv

import pytest
import tensorflow as tf

import tfusq
from making import IMAGES
from tfusq.analysis import quadrature, study
from tfusq.analysis.study import Effort
from tfusq.cli import analyze


@pytest.fixture(autouse=True)
def one_scale(monkeypatch):
  monkeypatch.setattr(Effort, 'scales', lambda self: [0.5])


def read(path):
  with path.open(newline='') as file:
    return list(csv.DictReader(file))


def test_information_is_written_and_printed(cli, tmp_path):
  code, out, _ = cli('analyze', 'information', 'AUN', 'SHA(alpha=5)', '--out', tmp_path)
  assert code == 0 and 'SHA(alpha=5)' in out and (tmp_path / 'information.png').exists()
  rows = read(tmp_path / 'information.csv')
  assert [row['surrogate'] for row in rows] == 2 * ['AUN'] + 2 * ['SHA(alpha=5)']
  expected = quadrature.law(tfusq.AUN(), 0.0, 0.5).information
  assert float(rows[0]['information']) == pytest.approx(expected)
  assert rows[2]['information'] == rows[3]['information'] == 'inf'


def test_rates_are_of_scalars_and_pairs(cli, tmp_path):
  code, _, _ = cli('analyze', 'rate', 'UQs', '--out', tmp_path, '--seed', '3')
  assert code == 0
  row = read(tmp_path / 'rate.csv')[0]
  assert float(row['difference']) == pytest.approx(float(row['estimated']) - float(row['true']))
  assert float(row['best_scale_ratio']) == pytest.approx(1, abs=1e-3)
  assert len(read(tmp_path / 'rate_of_pairs.csv')) == 4


def test_what_is_there_is_refused_before_the_work(cli, tmp_path):
  (tmp_path / 'rate.csv').write_text('')
  code, _, err = cli('analyze', 'rate', '--out', tmp_path)
  assert code == 1 and 'rate.csv' in err and '--force' in err


def test_a_folder_that_is_a_file_is_refused_before_the_work(cli, tmp_path):
  (tmp_path / 'out').write_text('')
  code, _, err = cli('analyze', 'rate', '--out', tmp_path / 'out')
  assert code == 1 and 'is a file' in err


def test_a_seed_is_not_negative(cli, capsys):
  with pytest.raises(SystemExit):
    cli('analyze', 'rate', '--seed', '-1')
  assert 'a seed is a non-negative integer, not -1' in capsys.readouterr().err


class SharesItsNoise(tfusq.AUN):
  """A surrogate whose latents share one noise."""

  def noise(self, y, seed):
    return tf.random.stateless_uniform([1] * y.shape.rank, seed, -0.5, 0.5, y.dtype)


def test_what_is_not_measured_costs_its_own_row_unless_it_is_named(cli, tmp_path, monkeypatch):
  subjects = [tfusq.Round(), SharesItsNoise()]
  monkeypatch.setattr(study, 'registered_surrogates', lambda: (subjects, ['Broken is broken']))
  monkeypatch.setattr(study, 'surrogates', lambda names: subjects)
  code, out, err = cli('analyze', 'information', '--out', tmp_path / 'all')
  assert code == 0 and 'Round' in out and 'left out: SharesItsNoise: AnalysisError' in err
  assert 'left out: Broken is broken' in err
  code, _, err = cli('analyze', 'information', 'SharesItsNoise', '--out', tmp_path / 'named')
  assert code == 1 and 'one noise for a whole batch' in err


def test_what_is_no_surrogate_is_an_error_of_use(cli, tmp_path):
  code, _, err = cli('analyze', 'gradient', 'STE', '--out', tmp_path)
  assert code == 1 and 'STE is not a surrogate' in err


def test_the_network_needs_its_data(cli, tmp_path):
  code, _, err = cli('analyze', 'network', 'SR', '--mnist', tmp_path, '--out', tmp_path / 'out')
  assert code == 1 and 'train-images-idx3-ubyte.gz' in err


def test_scales_are_of_runs(cli, tmp_path):
  code, _, err = cli('analyze', 'scales', IMAGES / 'heldout', '--model_dir', tmp_path / 'none')
  assert code == 1 and str(tmp_path / 'none') in err


def test_statements_need_their_studies(cli, tmp_path):
  code, _, err = cli('analyze', 'statements', tmp_path)
  assert code == 1 and 'information.csv does not exist' in err


def test_every_study_is_a_module_that_measures():
  import importlib

  for name in analyze.STUDIES:
    assert callable(importlib.import_module(f'tfusq.analysis.studies.{name}').measure)
