"""Branches that go on from a trunk: what is equal, bit for bit, and what differs."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from making import assert_equal_runs, contents, eager, make_codec, make_patches
from tfusq.training import forks, learning_rate, recipes, train
from tfusq.training.patches import Patches
from tfusq.training.train import TrainingError

RECIPE = 'Codec.lmbda = 1\ntrain.steps = {}\n'


def make_steady_codec(**options):
  """A codec without annealing, so that a step's number says nothing to it."""
  noise = tfusq.Quantizer(tfusq.AUN(), tfusq.PGE())
  return make_codec(4, 6, rate=noise, distortion=noise, **options)


def run(model_dir, steps, codec=None, rate=1e-3, **options):
  return train.train(
    str(model_dir),
    lambda: RECIPE.format(steps),
    codec or make_steady_codec(),
    tf.keras.optimizers.Adam(rate),
    make_patches(),
    **{'steps': steps, 'interval': 1, **options},
  )


@pytest.fixture(scope='module')
def trunk(tmp_path_factory):
  """A run of three steps, with moving averages."""
  path = tmp_path_factory.mktemp('trunk')
  with eager():
    run(path, 3, average_decay=0.9)
  return path


@pytest.fixture
def seen(monkeypatch):
  """Numbers of the patches that are trained on."""
  numbers = []
  patch = Patches.patch
  monkeypatch.setattr(
    Patches, 'patch', lambda self, index: (numbers.append(int(index)), patch(self, index))[1]
  )
  return numbers


def without_watch(values):
  """What a checkpoint holds beside the watch over the loss, which is each run's own."""
  return {name: value for name, value in values.items() if not name.startswith('divergence/')}


def test_a_branch_with_the_trunks_settings_is_the_trunk_trained_on_bit_for_bit(trunk, tmp_path):
  """In graphs as in training; the trunk itself was computed step by step."""
  branch, whole = tmp_path / 'branch', tmp_path / 'whole'
  run(tmp_path / 'trunk', 3, average_decay=0.9)
  run(branch, 2, fork_from=str(tmp_path / 'trunk'), average_decay=0.9)
  run(whole, 5, average_decay=0.9)
  assert tf.train.latest_checkpoint(str(branch)).endswith('ckpt-2')
  one, other = without_watch(contents(branch)), without_watch(contents(whole))
  assert one.keys() == other.keys() and len(one) > 100
  for name, value in one.items():
    np.testing.assert_array_equal(value, other[name], err_msg=name)
  assert one['optimizer/_iterations/.ATTRIBUTES/VARIABLE_VALUE'] == 5


@pytest.mark.usefixtures('eagerly')
def test_a_resumed_branch_equals_an_uninterrupted_one_and_needs_its_trunk_no_more(trunk, tmp_path):
  copy = shutil.copytree(trunk, tmp_path / 'trunk')
  schedule = learning_rate.PiecewiseConstantDecay([1, 2], [1e-3, 1e-4, 1e-5])
  options = {'fork_from': str(copy), 'fork': 2, 'rate': schedule, 'average_decay': 0.5}
  run(tmp_path / 'whole', 3, codec=make_codec(4, 6), **options)
  run(tmp_path / 'resumed', 1, codec=make_codec(4, 6), **options)
  shutil.rmtree(copy)
  run(tmp_path / 'resumed', 3, codec=make_codec(4, 6), **options)
  assert_equal_runs(tmp_path / 'resumed', tmp_path / 'whole')


@pytest.mark.usefixtures('eagerly')
def test_branches_of_a_fork_see_equal_patches_and_other_forks_others(trunk, tmp_path, seen):
  patches_of = {}
  for fork, name in ((0, 'a'), (1, 'b'), (1, 'c')):
    seen.clear()
    codec = make_codec(4, 6) if name == 'c' else make_steady_codec()
    run(tmp_path / name, 1, codec=codec, fork=fork, fork_from=str(trunk))
    patches_of[name] = set(seen)
  # Two patches a batch; batches after the first are fetched ahead.
  assert min(patches_of['a']) == 2 * 3
  assert min(patches_of['b']) == min(patches_of['c']) == 2 * (3 + forks.STRIDE)
  assert not patches_of['a'] & patches_of['b']


@pytest.mark.usefixtures('eagerly')
def test_another_fork_sees_others_in_a_run_that_is_no_branch_too(tmp_path, seen):
  run(tmp_path / 'run', 1, fork=3)
  assert min(seen) == 2 * 3 * forks.STRIDE


@pytest.mark.usefixtures('eagerly')
def test_schedules_and_temperatures_begin_with_the_branch(trunk, tmp_path):
  steps = []

  class Noting(learning_rate.PiecewiseConstantDecay):
    """A schedule that notes the steps for which it is asked."""

    def __call__(self, step):
      steps.append(int(step))
      return super().__call__(step)

  codec = make_codec(4, 6)
  optimizer = tf.keras.optimizers.Adam(Noting([1], [1e-3, 1e-4]))
  steps.clear()
  train.train(
    str(tmp_path / 'branch'),
    lambda: 'recipe',
    codec,
    optimizer,
    make_patches(),
    steps=2,
    interval=1,
    fork_from=str(trunk),
  )
  assert steps == [0, 1] and codec.step() == 2 and optimizer.iterations == 5
  # `make_codec` anneals from 1 to 12 in 60 steps.
  (alpha,) = {float(value) for value in codec.temperatures().values()}
  assert alpha == pytest.approx(1 + 11 / 60)


def test_a_branch_goes_on_with_the_weights_and_not_with_their_averages(trunk):
  stored = contents(trunk)
  codec = make_steady_codec(seed=7)
  codec.compile(tf.keras.optimizers.Adam(1e-3))
  codec.optimizer.build(codec.trainable_variables)
  found, loaded = forks.take_over(codec, str(trunk), None)
  assert codec.averages is None and found.step == 3
  references = {variable.ref() for variable in loaded}
  assert all(variable.ref() in references for variable in codec.model.variables)
  for number, variable in enumerate(codec.trainable_variables):
    weights = stored[f'averages/{number}/.ATTRIBUTES/VARIABLE_VALUE']
    np.testing.assert_array_equal(variable, weights)


@pytest.mark.usefixtures('eagerly')
def test_the_recipe_tells_the_trunk_and_its_fingerprint_is_of_its_bits(trunk, tmp_path):
  found = []
  for name, rate in (('same', 1e-3), ('other', 1.001e-3)):
    run(tmp_path / name, 3, rate=rate, average_decay=0.9)
    run(tmp_path / f'{name}_branch', 1, fork_from=str(tmp_path / name))
    text = recipes.newest_recipe(tmp_path / f'{name}_branch').read_text()
    found.append(forks.trunk_of(text))
  run(tmp_path / 'branch', 1, fork_from=str(trunk))
  expected = forks.trunk_of(recipes.newest_recipe(tmp_path / 'branch').read_text())
  assert found[0] == expected and expected.step == 3
  assert found[1].fingerprint != expected.fingerprint
  assert forks.trunk_of('#: networks from trunk of 3 steps') is None


@pytest.mark.usefixtures('eagerly')
def test_the_optimizer_begins_anew_where_other_variables_are_trained(trunk, tmp_path, caplog):
  codec = make_codec(4, 8)
  run(tmp_path / 'branch', 1, codec=codec, fork_from=str(trunk))
  assert codec.optimizer.iterations == 1 and codec.step() == 1
  text = recipes.newest_recipe(tmp_path / 'branch').read_text()
  assert forks.first_batch(0, forks.trunk_of(text)) == 3


def test_what_is_no_fork_is_refused(trunk, tmp_path):
  with pytest.raises(TrainingError, match='either starts from networks'):
    run(tmp_path / 'run', 1, fork_from=str(trunk), init_from=str(trunk))
  with pytest.raises(TrainingError, match=r'train\.fork must be an integer of at least 0, not -1'):
    run(tmp_path / 'run', 1, fork=-1)
