"""Trunks that train until they are good enough, with commands that are noted instead of run."""

from pathlib import Path

import pytest

from fork_results import make_forks
from making import make_curve
from tfusq.sweeps import trunk_checks
from tfusq.sweeps.growing import Ground, folder_of, grow, next_commands

JPEG = make_curve((0.2, 0.4, 0.8), (28.0, 31.0, 34.0))


@pytest.fixture
def ground(tmp_path):
  return Ground(tmp_path / 'runs', tmp_path / 'results', list, ['--gin_search_path', 'own'])


class Machine:
  """Does commands: a training leaves a checkpoint, and the rate falls as the steps rise."""

  def __init__(self, ground, run, rates):
    self.ground = ground
    self.run = run
    self.rates = rates
    self.done = []

  def __call__(self, command):
    if command[0] == 'train':
      assert command[:3] == ['train', '--model_dir', str(folder_of(self.ground, self.run))]
      self.steps = int(command[-1].removeprefix('train.steps = '))
      self.done.append(f'train {self.steps}')
      folder_of(self.ground, self.run).mkdir(parents=True, exist_ok=True)
      (folder_of(self.ground, self.run) / f'ckpt-{self.steps}.index').touch()
      return

    assert command[:2] == ['evaluate', 'images/heldout']
    path = Path(command[command.index('--json') + 1])
    path.parent.mkdir(parents=True, exist_ok=True)
    is_jpeg = '--anchor' in command
    self.done.append('jpeg' if is_jpeg else 'evaluate')
    curve = JPEG if is_jpeg else make_curve((self.rates[self.steps],), (31.0,))
    path.write_bytes(curve.to_json())
    return


@pytest.fixture
def run():
  return make_forks().runs()[0].trunk


@pytest.fixture
def machine(ground, run):
  return Machine(ground, run, {100: 0.5, 150: 0.33, 200: 0.3})


def test_a_trunk_trains_on_until_it_is_good_enough(ground, run, machine):
  assert grow(ground, run, machine) is None
  assert machine.done == [
    'jpeg',
    *('train 100', 'evaluate'),
    *('train 150', 'evaluate'),
    *('train 200', 'evaluate'),
  ]
  percents = [check.percent for check in trunk_checks.read(ground.results)]
  assert percents == pytest.approx([25, -17.5, -25])


def test_a_trunk_that_is_there_is_not_trained_again(ground, run, machine):
  grow(ground, run, machine)
  machine.done.clear()
  assert grow(ground, run, machine) is None and machine.done == []
  assert next_commands(ground, run) == []


def test_a_trunk_whose_folder_is_lost_is_trained_as_long_as_it_was_without_evaluation(
  ground, run, machine
):
  grow(ground, run, machine)
  for path in folder_of(ground, run).iterdir():
    path.unlink()
  machine.done.clear()
  (command,) = next_commands(ground, run)
  assert command[0] == 'train' and command[-1] == 'train.steps = 200'
  assert grow(ground, run, machine) is None and machine.done == ['train 200']


def test_a_trunk_that_does_not_become_good_is_given_up(ground, run, machine):
  machine.rates[200] = 0.33
  expected = 'has -17.5 % .* after 200 steps, and must have -20 % or less'
  for _ in range(2):
    with pytest.raises(AssertionError, match=expected):
      assert not grow(ground, run, machine), grow(ground, run, machine)
  assert machine.done.count('evaluate') == 3


def test_what_fails_says_why_and_is_done_again(ground, run, machine):
  assert grow(ground, run, lambda command: 'the disk is full') == 'the disk is full'
  assert trunk_checks.read(ground.results) == []
  assert grow(ground, run, machine) is None


def test_the_commands_ahead_are_those_up_to_the_next_evaluation(ground, run):
  jpeg, train, evaluate = next_commands(ground, run)
  assert jpeg[:4] == ['evaluate', 'images/heldout', '--anchor', 'jpeg']
  assert train[3:] == [*run.statements, 'train.steps = 100']
  assert evaluate[4:8] == ['--gin_search_path', 'own', '--at_lmbda', '0.01']
