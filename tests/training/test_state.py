"""What a checkpoint holds, and a codec that is put where its run was."""

import pytest
import tensorflow as tf

from making import make_codec
from tfusq.training import state
from tfusq.training.averages import MovingAverages
from tfusq.training.checkpoints import Checkpoints
from tfusq.training.transfer import TransferError


def make_compiled(averages=False):
  codec = make_codec(4, 6)
  codec.compile(tf.keras.optimizers.Adam(1e-3))
  codec.optimizer.build(codec.trainable_variables)
  if averages:
    codec.averages = MovingAverages(codec.trainable_variables, 0.9)
  return codec


def save(codec, folder, step):
  folder.mkdir(exist_ok=True)
  Checkpoints(tf.train.Checkpoint(**state.state_of(codec)), str(folder)).save(step)


def test_a_checkpoint_has_networks_optimizer_and_watch_and_averages_where_there_are_some():
  assert set(state.state_of(make_compiled())) == {'model', 'optimizer', 'divergence'}
  assert 'averages' in state.state_of(make_compiled(averages=True))


def test_a_codec_is_put_where_its_run_was_and_a_branch_at_its_own_step(tmp_path):
  saved = make_compiled()
  saved.optimizer.iterations.assign(7)
  for variable in saved.trainable_variables:
    variable.assign_add(tf.ones_like(variable))
  for step, folder in ((7, tmp_path / 'run'), (2, tmp_path / 'branch')):
    save(saved, folder, step)
    codec = make_compiled()
    state.restore(codec, str(folder), step)
    assert codec.step() == step and codec.optimizer.iterations == 7
    for one, other in zip(codec.trainable_variables, saved.trainable_variables, strict=True):
      tf.debugging.assert_equal(one, other)


def test_a_checkpoint_has_the_averages_in_the_place_of_the_weights(tmp_path):
  saved = make_compiled(averages=True)
  first, average = saved.trainable_variables[0], saved.averages.others[0]
  first.assign(tf.ones_like(first))
  average.assign(2 * tf.ones_like(average))
  with saved.averages.in_force():
    save(saved, tmp_path, 0)
  codec = make_compiled(averages=True)
  state.restore(codec, str(tmp_path), 0)
  tf.debugging.assert_equal(codec.trainable_variables[0], tf.ones_like(first))
  tf.debugging.assert_equal(codec.averages.others[0], 2 * tf.ones_like(average))


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path):
  save(make_compiled(averages=True), tmp_path, 0)
  with pytest.raises(TransferError, match='holds other networks than this configuration'):
    state.restore(make_compiled(), str(tmp_path), 0)
