import pytest

from fork_results import AUN, make_forks, make_trunk
from making import GRID, make_sweep
from tfusq.sweeps.sweep import SweepError


def test_a_sweep_is_every_cell_at_every_lambda_and_seed():
  runs = make_sweep().runs()
  assert len(runs) == 4 * 2 * 2 and len({run.name for run in runs}) == 16
  assert [run.seed for run in runs] == [0] * 8 + [1] * 8
  run = runs[5]
  assert run.cell == {'model': 'MS-hyper', 'rate | distortion': 'SUA+EP | SUA+STE', 'bound': '1e-6'}
  assert run.name == 'ms-hyper__sua_ep_sua_ste__1e-6/lambda_0.02-seed_0'
  assert run.joint == [
    'data/folder.gin',
    'models/ms_hyper_small.gin',
    'quantizers/sua_ep_sua_ste.gin',
    'Linear.end = 4.0',
    'BOUND = 1e-6',
    'stages/joint.gin',
    'LMBDA = 0.02',
    'SEED = 0',
  ]
  # The post stage rounds and has a bound of its own.
  assert run.post == [
    'data/folder.gin',
    'models/ms_hyper_small.gin',
    'stages/post.gin',
    'LMBDA = 0.02',
    'SEED = 0',
  ]


def test_grids_are_a_union():
  other = {'model': {'Charm': 'models/charm_small.gin'}}
  sweep = make_sweep(grids=[GRID, other])
  assert len(sweep.cells()) == 5 and sweep.cells()[-1] == {'model': 'Charm'}
  assert sweep.axes == ['model', 'rate | distortion', 'bound']


@pytest.mark.parametrize(
  'changes, reason',
  [
    ({'grids': []}, 'needs grids'),
    ({'seeds': ()}, 'needs grids, lmbdas and seeds'),
    ({'grids': [GRID, GRID]}, 'two cells of the sweep are both ms-hyper'),
    ({'grids': [{'model': 'models/charm.gin'}]}, 'axis model must map labels'),
    ({'joint': [3]}, 'a string, not 3'),
    ({'best_of': 'alpha'}, 'best_of must be one of model'),
    ({'cost_anchor': {'model': 'Charm'}}, 'labels of a cell'),
  ],
)
def test_what_is_no_sweep_is_refused(changes, reason):
  with pytest.raises(SweepError, match=reason):
    make_sweep(**changes)


def test_branches_of_a_fork_come_one_after_another_and_know_their_fork():
  sweep = make_forks()
  runs = sweep.runs()
  assert [run.name for run in runs] == [
    f'{cell}/lambda_0.01-seed_{seed}-fork_{fork}'
    for seed in (0, 1)
    for fork in (0, 1)
    for cell in ('aun', 'sua')
  ]
  run = runs[-1]
  assert run.joint == [
    'data/folder.gin',
    'sua.gin',
    'stages/joint.gin',
    'LMBDA = 0.01',
    'SEED = 1',
    'train.fork = 1',
  ]
  assert run.post[-1] == 'train.fork = 1'
  assert [run.name for run in sweep.branches_of(1, 0.01)] == [run.name for run in runs[1::2]]


@pytest.mark.parametrize(
  'changes, reason',
  [
    ({'forks': 0}, 'at least one of forks, and a cost_anchor'),
    ({'cost_anchor': None}, 'at least one of forks, and a cost_anchor'),
    ({'trunk': 'trunk'}, "trunk must be a Trunk, not 'trunk'"),
    ({'trunk': None}, 'of a sweep with a trunk'),
    ({'trunk': None, 'forks': 0, 'least_effect': 0.5}, 'of a sweep with a trunk'),
  ],
)
def test_what_is_no_sweep_of_forks_is_refused(changes, reason):
  assert make_forks(trunk=make_trunk(), cost_anchor=AUN).forks == 2
  with pytest.raises(SweepError, match=reason):
    make_forks(**changes)
