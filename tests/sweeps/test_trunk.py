import pytest

from fork_results import make_forks, make_trunk
from tfusq.sweeps.trunk import TrunkError


def test_a_trunk_is_evaluated_until_it_is_given_up():
  assert list(make_trunk().ladder()) == [100, 150, 200]
  assert list(make_trunk(most_steps=100).ladder()) == [100]


def test_a_trunk_has_what_its_branches_have_but_for_what_makes_the_branch():
  run = make_forks().runs()[0]
  assert run.trunk.name == 'trunk/lambda_0.01-seed_0'
  assert run.trunk.statements == [
    'data/folder.gin',
    'model.gin',
    'aun.gin',
    'LMBDA = 0.01',
    'SEED = 0',
  ]


@pytest.mark.parametrize(
  'changes, reason',
  [
    ({'name': 'a/b'}, 'name of a folder'),
    ({'statements': [3]}, 'a string, not 3'),
    ({'steps': 0}, '0 < steps <= most_steps'),
    ({'most_steps': 50}, '0 < steps <= most_steps'),
    ({'extension': 0}, 'positive extension'),
    ({'saving': 100}, 'less than 100 percent'),
  ],
)
def test_what_is_no_trunk_is_refused(changes, reason):
  with pytest.raises(TrunkError, match=reason):
    make_trunk(**changes)
