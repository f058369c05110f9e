import pytest

from fork_results import make_forks, recipe_of
from making import make_curve
from tfusq.sweeps import branches
from tfusq.sweeps.branches import Branch
from tfusq.sweeps.runs_file import ResultKey
from tfusq.sweeps.sweep import SweepError

RECIPE = recipe_of('abc0')


def branch_of(run, stage='joint', recipe=RECIPE):
  curve = make_curve((0.2,), (30.0,), codecs=[{'recipe': recipe}])
  return branches.branch_of(ResultKey.of(run, stage, 'kodak'), curve)


def test_the_recipe_of_a_branch_tells_its_trunk():
  run = make_forks().runs()[1]
  assert branch_of(run) == Branch('sua', '0.01', '0', '0', '100', 'abc0', '2.14.1')
  assert branch_of(run, stage='post') is None
  assert branch_of(run, recipe='# tensorflow 2.14.1\n') is None
  assert branch_of(run._replace(fork=None)) is None


def test_branches_are_kept_and_replaced(tmp_path):
  run, other = make_forks().runs()[:2]
  branches.add(tmp_path, [branch_of(run)])
  branches.add(tmp_path, [branch_of(other)])
  again = branch_of(run, recipe=recipe_of('ffff'))
  branches.add(tmp_path, [again])
  assert branches.read(tmp_path) == sorted([again, branch_of(other)])


def test_no_branches_leave_no_file(tmp_path):
  branches.add(tmp_path, [])
  assert list(tmp_path.iterdir()) == []


def test_trunks_that_differ_are_named():
  same = [branch_of(run) for run in make_forks().runs()]
  assert branches.differing_trunks(same) == []
  other = branch_of(make_forks().runs()[0], recipe=recipe_of('ffff', '2.17.0'))
  (line,) = branches.differing_trunks([other, *same[1:]])
  assert line == (
    'the trunk of lambda 0.01, seed 0 was not always the same: '
    '3 branches of abc0 (TensorFlow 2.14.1); 1 branches of ffff (TensorFlow 2.17.0)'
  )


@pytest.mark.parametrize('text', ['edited\n', ','.join(Branch._fields) + '\na,b\n'])
def test_another_file_is_refused(tmp_path, text):
  (tmp_path / branches.FILE).write_text(text)
  with pytest.raises(SweepError, match=r'branches\.csv, line [12]: '):
    branches.read(tmp_path)
