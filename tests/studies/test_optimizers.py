"""The study of optimizers: how it chooses and decides, on costs that are made up."""

import argparse
import math

import numpy as np
import pytest
import scipy.stats

import optimizers


@pytest.fixture
def study(tmp_path, monkeypatch):
  """Makes a study whose short runs cost what a function of the learning rate says."""

  def make(cost):
    arguments = argparse.Namespace(out=str(tmp_path), optimizers=['Adam'])
    made = optimizers.Study(arguments)
    asked = []

    def cost_of_rate(stage, name, rate, seed):
      assert (stage, name, seed) == ('choice', 'Adam', optimizers.CHOICE_SEED)
      asked.append(rate)
      return cost(rate)

    monkeypatch.setattr(made, 'cost', cost_of_rate)
    return made, asked

  return make


def distance_to(best):
  return lambda rate: abs(math.log(rate / best))


def test_the_best_of_three_learning_rates_is_chosen(study):
  made, asked = study(distance_to(5e-4))
  assert made.choose_rate('Adam') == 5e-4
  assert asked == [2.5e-4, 5e-4, 1e-3]


@pytest.mark.parametrize('best, tried', [(2e-3, [2e-3, 4e-3]), (1.25e-4, [1.25e-4, 6.25e-5])])
def test_further_learning_rates_are_tried_beyond_an_end(study, best, tried):
  made, asked = study(distance_to(best))
  assert made.choose_rate('Adam') == best
  assert asked[3:] == tried


def test_the_number_of_learning_rates_is_bounded(study):
  made, asked = study(distance_to(1.0))
  assert made.choose_rate('Adam') == 4e-3
  assert len(asked) == optimizers.MOST_RATES


def test_runs_that_diverge_are_not_chosen(study):
  made, _ = study(lambda rate: math.inf if rate > 3e-4 else 1.0)
  assert made.choose_rate('Adam') < 3e-4


def test_the_interval_is_that_of_students_t():
  values = [0.3, 0.5, 0.1]
  mean, half = optimizers.interval_of_mean(values)
  expected = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
  np.testing.assert_allclose([mean - half, mean + half], [expected.low, expected.high])


@pytest.mark.parametrize(
  'costs, verdict', [([0.9, 0.91, 0.92], 'decided'), ([0.9, 1.1, 1.0], 'undecided')]
)
def test_a_difference_is_decided_beyond_its_interval(costs, verdict, capsys):
  optimizers.report({'Adam': [1.0, 1.01, 1.02], 'SOAP': costs}, {'Adam': 1e-3, 'SOAP': 3e-3})
  assert capsys.readouterr().out.rstrip().endswith(f', {verdict}')


def test_results_that_are_stored_are_not_made_again(tmp_path):
  path = tmp_path / 'folder' / 'result.json'
  assert optimizers.stored(path, lambda: {'cost': math.inf}) == {'cost': math.inf}
  assert optimizers.stored(path, lambda: pytest.fail('made again')) == {'cost': math.inf}
