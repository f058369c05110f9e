import numpy as np
import pytest
import tensorflow as tf

import tfusq
from making import make_codec, make_variable_codec
from tfusq.training import transfer
from tfusq.training.transfer import TransferError


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A run directory with one checkpoint, and the codec that it holds."""
  codec = make_codec(seed=1)
  path = tmp_path_factory.mktemp('run')
  tf.train.CheckpointManager(tf.train.Checkpoint(model=codec.model), str(path), max_to_keep=1).save(
    7
  )
  return codec, str(path)


def is_loaded(variable, other):
  return variable.shape == other.shape and np.array_equal(variable, other)


def test_an_equal_codec_is_loaded_whole(run):
  codec = make_codec(seed=2)
  assert transfer.transfer(codec, run[1]).lines == []
  assert all(map(is_loaded, codec.model.variables, run[0].model.variables))


def test_another_entropy_model_takes_what_fits_and_says_what_does_not(run):
  codec = make_codec(seed=2, entropy_model=tfusq.GaussianMixture(2))
  before = codec.model.hyper_synthesis.layers[-1].kernel.numpy()
  said = transfer.transfer(codec, run[1]).lines
  assert said == [
    'hyper_synthesis/2/kernel stays new: its shape is 3x3x18x72, there 3x3x18x24',
    'hyper_synthesis/2/bias stays new: its shape is 72, there 24',
  ]
  np.testing.assert_array_equal(codec.model.hyper_synthesis.layers[-1].kernel, before)
  for name in ('analysis', 'synthesis', 'hyper_analysis'):
    assert all(
      map(is_loaded, getattr(codec.model, name).variables, getattr(run[0].model, name).variables)
    )
  assert all(
    map(
      is_loaded, codec.model.hyper_synthesis.variables[:-2], run[0].model.hyper_synthesis.variables
    )
  )


def test_another_model_says_what_is_new_and_what_is_left_out(run):
  codec = make_codec(seed=2, model=lambda *arguments: tfusq.Charm(*arguments, slices=3))
  said = transfer.transfer(codec, run[1]).lines
  assert 'context/0/networks/0/0/kernel stays new: not there' in said
  assert 'hyper_synthesis/0/kernel is left out: no such weights here' in said
  assert all(map(is_loaded, codec.model.analysis.variables, run[0].model.analysis.variables))


def test_a_frozen_encoder_must_be_there_whole(run):
  codec = make_codec(latent_channels=10, train_encoder=False)
  with pytest.raises(TransferError, match='frozen.*analysis/6/kernel of shape 5x5x8x10'):
    transfer.transfer(codec, run[1])
  transfer.transfer(make_codec(train_encoder=False), run[1])


LEVELS = ('gain', 'inverse_gain', 'widening')


def test_a_variable_rate_takes_the_networks_of_a_fixed_one_and_keeps_its_levels(run):
  codec = make_variable_codec(seed=2)
  before = [getattr(codec.variable_rate, name).values.numpy() for name in LEVELS]
  said = transfer.transfer(codec, run[1])
  assert said.lines == [f'variable_rate/{name}/values stays new: not there' for name in LEVELS]
  assert all(map(is_loaded, codec.model.variables, run[0].model.variables))
  for name, value in zip(LEVELS, before):
    np.testing.assert_array_equal(getattr(codec.variable_rate, name).values, value)
  assert len(said.loaded) == len(codec.model.variables)


@pytest.fixture(scope='module')
def variable_run(tmp_path_factory):
  codec = make_variable_codec(seed=1)
  path = tmp_path_factory.mktemp('variable')
  checkpoint = tf.train.Checkpoint(**codec.centred_model.weights())
  tf.train.CheckpointManager(checkpoint, str(path), max_to_keep=1).save(7)
  return codec, str(path)


def test_a_fixed_rate_leaves_levels_out(variable_run):
  codec = make_codec(seed=2)
  said = transfer.transfer(codec, variable_run[1]).lines
  left = 'values is left out: no such weights here'
  assert said == [f'variable_rate/{name}/{left}' for name in LEVELS]
  assert all(map(is_loaded, codec.model.variables, variable_run[0].model.variables))


def test_other_levels_stay_new(variable_run):
  codec = make_variable_codec((0.02, 0.1, 0.3), seed=2)
  said = transfer.transfer(codec, variable_run[1]).lines
  shapes = 'its shape is 3x12, there 2x12'
  assert said == [f'variable_rate/{name}/values stays new: {shapes}' for name in LEVELS]


def test_a_frozen_gain_must_be_there(run, variable_run):
  transfer.transfer(make_variable_codec(train_encoder=False), variable_run[1])
  message = 'frozen.*does not have all of it: variable_rate/gain/values of shape 2x12'
  with pytest.raises(TransferError, match=message):
    transfer.transfer(make_variable_codec(train_encoder=False), run[1])


def test_a_run_is_restored_with_its_levels_or_refused(run, variable_run):
  codec = make_variable_codec(seed=2)
  assert transfer.restore(codec, variable_run[1]) == 7
  pairs = codec.centred_model.variables(), variable_run[0].centred_model.variables()
  assert all(map(is_loaded, *pairs))
  with pytest.raises(TransferError, match='holds other networks than this configuration'):
    transfer.restore(make_variable_codec(), run[1])


def test_what_shares_nothing_is_refused(run, tmp_path):
  tf.train.CheckpointManager(
    tf.train.Checkpoint(model=tf.Variable(1.0)), str(tmp_path), max_to_keep=1
  ).save(7)
  with pytest.raises(TransferError, match='no weights'):
    transfer.transfer(make_codec(), str(tmp_path))
  with pytest.raises(TransferError, match='no checkpoint'):
    transfer.transfer(make_codec(), str(tmp_path / 'absent'))


def test_attention_shifts_no_other_layer(tmp_path):
  """What a codec with attention shares with one without is found, and goes where it belongs."""

  def make(attention, blocks, seed):
    return make_codec(
      4,
      6,
      seed=seed,
      model=lambda *arguments: tfusq.MSHyper(
        *arguments,
        analysis=tfusq.Residual(attention),
        synthesis=tfusq.Bottleneck(blocks, attention),
      ),
    )

  attentive, plain = make(True, 2, 1), make(False, 1, 2)
  tf.train.CheckpointManager(
    tf.train.Checkpoint(model=attentive.model), str(tmp_path), max_to_keep=1
  ).save(7)
  said = transfer.transfer(plain, str(tmp_path)).lines
  assert said and all(
    'is left out' in line and ('attention' in line or 'blocks/1' in line) for line in said
  )
  for here, there in zip(plain.model.analysis.layers, attentive.model.analysis.layers):
    assert all(map(is_loaded, here.down.variables, there.down.variables))
