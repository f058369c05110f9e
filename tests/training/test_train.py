import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from making import IMAGES, assert_equal_runs, contents, make_codec, make_patches
from tfusq import image_files
from tfusq.training import patches, recipes, train, transfer
from tfusq.training.train import TrainingError
from tfusq.training.transfer import TransferError

STEPS = 8


def run(model_dir, steps=STEPS, recipe='recipe', codec=None, patches=None, **options):
  """Trains a tiny codec; returns what the run says of itself."""
  codec = codec or make_codec()
  return train.train(
    str(model_dir),
    lambda: recipe,
    codec,
    tf.keras.optimizers.Adam(1e-3),
    patches or make_patches(),
    steps=steps,
    interval=2,
    **options,
  )


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory):
  path = tmp_path_factory.mktemp('uninterrupted')
  run(path)
  return path


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(uninterrupted, tmp_path):
  class Interrupted(Exception):
    pass

  class Stop(tf.keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
      if self.model.optimizer.iterations == 5:
        raise Interrupted

  codec = make_codec()
  fit = codec.fit
  codec.fit = lambda *args, callbacks, **options: fit(
    *args, callbacks=[*callbacks, Stop()], **options
  )
  with pytest.raises(Interrupted):
    run(tmp_path, codec=codec)
  assert tf.train.latest_checkpoint(str(tmp_path)).endswith('ckpt-4')
  run(tmp_path)
  assert_equal_runs(tmp_path, uninterrupted)
  assert sorted(path.name for path in tmp_path.glob('*.gin')) == [
    'operative_config-0.gin',
    'operative_config-4.gin',
  ]


def test_a_complete_run_is_left_as_it_is(uninterrupted):
  before = contents(uninterrupted)
  assert run(uninterrupted) == f'the run is complete: {STEPS} of {STEPS} steps'
  np.testing.assert_equal(contents(uninterrupted), before)


@pytest.mark.usefixtures('eagerly')
def test_another_configuration_is_refused_with_the_difference(uninterrupted, tmp_path):
  run(tmp_path, steps=2, recipe='# version 1\nCodec.lmbda = 1\nCodec.seed = 0\n')
  run(tmp_path, steps=2, recipe='# version 2\nCodec.lmbda = 1\nCodec.seed = 0\n')
  with pytest.raises(
    TrainingError,
    match=r'(?s)another configuration.*-Codec.lmbda = 1'
    r'.*\+Codec.lmbda = 2',
  ):
    run(tmp_path, steps=2, recipe='Codec.lmbda = 2\nCodec.seed = 0\n')


def test_a_term_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(tmp_path):
  run(tmp_path, steps=2)
  good = contents(tmp_path)
  codec = make_codec()
  fit = codec.fit

  def poisoned_fit(*args, **kwargs):
    codec.model.synthesis.layers[-1].bias.assign([0.0, np.nan, 0.0])
    return fit(*args, **kwargs)

  codec.fit = poisoned_fit
  with pytest.raises(TrainingError, match='the distortion is not finite at step 2.*ckpt-2'):
    run(tmp_path, steps=4, codec=codec)
  np.testing.assert_equal(contents(tmp_path), good)


def test_a_gradient_that_is_not_finite_is_not_applied():
  codec = make_codec()
  codec.compile(tf.keras.optimizers.Adam())
  codec._gradient_norms = lambda variables, gradients: {'gradient': tf.constant(np.inf)}
  before = [variable.numpy() for variable in codec.model.variables]
  with pytest.raises(tf.errors.InvalidArgumentError, match='the gradient is not finite'):
    codec.train_step(next(iter(make_patches().dataset())))
  for variable, value in zip(codec.model.variables, before):
    np.testing.assert_array_equal(variable, value)


def test_an_unreadable_photograph_is_named_and_stops_the_run(tmp_path):
  photos = tmp_path / 'photos'
  photos.mkdir()
  whole = image_files.encode(np.zeros([80, 80, 3], np.uint8), 'png')
  (photos / 'broken.png').write_bytes(whole[:70])
  with pytest.raises(image_files.ImageError, match='broken.png'):
    run(tmp_path / 'run', patches=patches.Patches(str(photos), 64, 2))


def test_networks_are_taken_over_and_what_does_not_fit_is_refused(uninterrupted, tmp_path):
  codec = make_codec(seed=5)
  assert transfer.restore(codec, str(uninterrupted)) == STEPS
  reference = make_codec(seed=6)
  transfer.restore(reference, str(uninterrupted))
  for a, b in zip(codec.model.variables, reference.model.variables):
    np.testing.assert_array_equal(a, b)
  with pytest.raises(TransferError, match='other networks'):
    transfer.restore(make_codec(filters=6), str(uninterrupted))
  with pytest.raises(TransferError, match='no checkpoint'):
    run(tmp_path, init_from=str(tmp_path / 'absent'))


@pytest.mark.usefixtures('eagerly')
def test_where_the_networks_came_from_belongs_to_the_run(uninterrupted, tmp_path):
  run(tmp_path / 'next', steps=2, init_from=str(uninterrupted))
  assert f'#: networks from {uninterrupted}' in recipes.newest_recipe(tmp_path / 'next').read_text()
  run(tmp_path / 'next', steps=2)  # not said again, and carried on
  with pytest.raises(TrainingError, match='(?s)another configuration.*networks from /elsewhere'):
    run(tmp_path / 'next', steps=2, init_from='/elsewhere')


@pytest.mark.usefixtures('eagerly')
def test_other_photographs_are_another_configuration(tmp_path):
  run(tmp_path, steps=2)
  with pytest.raises(TrainingError, match='photographs'):
    run(tmp_path, steps=2, patches=make_patches(folder='heldout'))


def test_a_frozen_encoder_must_come_from_somewhere(tmp_path):
  with pytest.raises(TrainingError, match='give --init_from'):
    run(tmp_path, steps=2, codec=make_codec(train_encoder=False))


@pytest.mark.usefixtures('eagerly')
def test_a_damaged_checkpoint_is_named(tmp_path):
  run(tmp_path, steps=2)
  (data_file,) = tmp_path.glob('ckpt-2.data*')
  data_file.write_bytes(data_file.read_bytes()[:500])
  with pytest.raises(TransferError, match='ckpt-2 is damaged'):
    transfer.restore(make_codec(), str(tmp_path))


@pytest.mark.usefixtures('eagerly')
def test_a_dry_run_refuses_what_a_run_would_and_writes_nothing(uninterrupted, tmp_path):
  assert '4 photographs' in run(tmp_path / 'run', dry_run=True)
  assert not (tmp_path / 'run').exists()
  with pytest.raises(TrainingError, match='another configuration'):
    run(uninterrupted, recipe='other', dry_run=True)
  with pytest.raises(TransferError, match='no checkpoint'):
    run(tmp_path / 'run', init_from='/nowhere', dry_run=True)


def test_steps_must_be_whole_intervals(tmp_path):
  with pytest.raises(TrainingError, match='multiple of train.interval'):
    run(tmp_path, steps=3)


def command(model_dir, steps, interval=2):
  bindings = [
    f"TRAIN_IMAGES = '{IMAGES / 'train'}'",
    f'train.steps = {steps}',
    f'train.interval = {interval}',
    'Patches.patch_size = 64',
    'Patches.batch_size = 2',
    'MSHyper.filters = 8',
    'MSHyper.latent_channels = 12',
  ]
  return [
    sys.executable,
    '-m',
    'tfusq',
    'train',
    '--model_dir',
    str(model_dir),
    '--gin_file',
    'quickstart.gin',
    *(f'--gin_bindings={b}' for b in bindings),
  ]


def kill_at(process, moment):
  """Kills at a time in seconds, or when a checkpoint is being written."""
  start = time.monotonic()
  while process.poll() is None and not moment(time.monotonic() - start):
    time.sleep(0.002)
  process.send_signal(signal.SIGKILL)
  process.wait()


def is_writing(model_dir, number):
  name = f'ckpt-{number}'
  return lambda _: (
    any(name in entry for entry in os.listdir(model_dir)) if (os.path.isdir(model_dir)) else False
  )


def test_a_killed_process_resumes_to_the_same_run(tmp_path):
  once, killed = tmp_path / 'once', tmp_path / 'killed'
  subprocess.run(command(once, 8), check=True, capture_output=True)
  process = subprocess.Popen(
    command(killed, 8), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
  )
  kill_at(process, is_writing(killed, 4))
  assert process.returncode == -signal.SIGKILL
  subprocess.run(command(killed, 8), check=True, capture_output=True)
  assert_equal_runs(once, killed)


@pytest.mark.slow
def test_twenty_kills_at_random_moments_leave_a_run_that_resumes(tmp_path):
  """Every other one inside a checkpoint write."""
  once, killed = tmp_path / 'once', tmp_path / 'killed'
  steps, interval = 4000, 20
  subprocess.run(command(once, steps, interval), check=True, capture_output=True)
  random = np.random.default_rng(0)
  kills = 0
  for attempt in range(20):
    process = subprocess.Popen(
      command(killed, steps, interval), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    latest = tf.train.latest_checkpoint(str(killed))
    done = int(latest.rsplit('-', 1)[1]) if latest else 0
    delay = random.uniform(3, 18)
    kill_at(process, is_writing(killed, done + interval) if attempt % 2 else lambda t: t > delay)
    kills += process.returncode == -signal.SIGKILL
    latest = tf.train.latest_checkpoint(str(killed))
    if latest:
      tf.train.load_checkpoint(latest)
  assert kills == 20
  subprocess.run(command(killed, steps, interval), check=True, capture_output=True)
  assert_equal_runs(once, killed)
