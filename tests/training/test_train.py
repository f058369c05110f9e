import errno
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from making import (
  IMAGES,
  assert_equal_runs,
  contents,
  eager,
  make_codec,
  make_patches,
  make_variable_codec,
)
from tfusq import files, image_files
from tfusq.training import (
  checkpoints,
  divergence,
  packing,
  patches,
  recipes,
  train,
  transfer,
)
from tfusq.training.train import TrainingError
from tfusq.training.transfer import TransferError

STEPS = 6
# A recipe of a number of steps that may be raised.
RAISED = 'Codec.lmbda = 1\ntrain.steps = {}\n'


def run(model_dir, steps=STEPS, recipe='recipe', codec=None, patches=None, interval=2, **options):
  """Trains a tiny codec; returns what the run says of itself."""
  codec = codec or make_codec()
  return train.train(
    str(model_dir),
    lambda: recipe,
    codec,
    tf.keras.optimizers.Adam(1e-3),
    patches or make_patches(),
    steps=steps,
    interval=interval,
    **options,
  )


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory):
  path = tmp_path_factory.mktemp('uninterrupted')
  with eager():
    run(path)
  return path


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path):
  uninterrupted, resumed = tmp_path / 'uninterrupted', tmp_path / 'resumed'

  class Copy(tf.keras.callbacks.Callback):
    """Copies what a run leaves that is interrupted after a step."""

    def on_train_batch_end(self, batch, logs=None):
      if self.model.optimizer.iterations == 5:
        shutil.copytree(uninterrupted, resumed)

  codec = make_codec()
  fit = codec.fit
  codec.fit = lambda *args, callbacks, **options: fit(
    *args, callbacks=[*callbacks, Copy()], **options
  )
  run(uninterrupted, codec=codec)
  assert tf.train.latest_checkpoint(str(resumed)).endswith('ckpt-4')
  run(resumed)
  assert_equal_runs(resumed, uninterrupted)
  assert sorted(path.name for path in resumed.glob('*-*.gin')) == [
    'operative_config-0.gin',
    'operative_config-4.gin',
  ]


@pytest.mark.usefixtures('eagerly')
def test_a_start_from_data_and_averages_resume_bit_for_bit(tmp_path):
  options = {'initialization_patches': 2, 'average_decay': 0.9, 'validation': make_patches()}
  options['interval'] = 1
  run(tmp_path / 'resumed', steps=1, recipe=RAISED.format(1), **options)
  run(tmp_path / 'resumed', steps=3, recipe=RAISED.format(3), **options)
  run(tmp_path / 'whole', steps=3, recipe=RAISED.format(3), **options)
  assert_equal_runs(tmp_path / 'resumed', tmp_path / 'whole')


@pytest.mark.usefixtures('eagerly')
def test_what_is_read_of_a_run_are_the_averages_and_training_goes_on_with_the_weights(tmp_path):
  plain, averaged = tmp_path / 'plain', tmp_path / 'averaged'
  codec = make_codec()
  run(plain, steps=4, codec=codec)
  run(averaged, steps=4, average_decay=0.9)
  found = contents(averaged)
  trained = codec.trainable_variables
  assert sum(name.startswith('averages/') for name in found) == len(trained) > 20
  for number, variable in enumerate(trained):
    weight = found[f'averages/{number}/.ATTRIBUTES/VARIABLE_VALUE']
    np.testing.assert_array_equal(weight, variable)

  # After a few steps, the averages are still between start and end.
  loaded = make_codec(seed=9)
  transfer.restore(loaded, str(averaged))
  start = make_codec()
  for variable, now, before in zip(
    loaded.trainable_variables, trained, start.trainable_variables, strict=True
  ):
    assert np.all(np.abs(variable - before) <= np.abs(now - before).max() * 2)
  assert any(np.any(a != b) for a, b in zip(loaded.trainable_variables, trained, strict=True))


@pytest.mark.long
@pytest.mark.usefixtures('eagerly')
def test_what_comes_from_a_run_takes_precedence_over_data(uninterrupted, tmp_path):
  run(tmp_path / 'new', steps=2, initialization_patches=2)
  started = tf.train.load_checkpoint(str(tmp_path / 'new' / 'ckpt-0'))
  bias = 'model/hyper_synthesis/layer_with_weights-2/bias/.ATTRIBUTES/VARIABLE_VALUE'
  assert np.any(started.get_tensor(bias))

  codec = make_codec()
  codec.model.initialize_from_data = None  # not even called where all comes from there
  options = {'codec': codec, 'initialization_patches': 2, 'init_from': str(uninterrupted)}
  run(tmp_path / 'next', steps=2, **options)
  first = tf.train.load_checkpoint(str(tmp_path / 'next' / 'ckpt-0'))
  np.testing.assert_array_equal(first.get_tensor(bias), contents(uninterrupted)[bias])


@pytest.mark.usefixtures('eagerly')
def test_a_run_that_diverges_stops_with_the_checkpoint_before_that(tmp_path, monkeypatch):
  monkeypatch.setattr(divergence, 'STEPS', 2)
  codec = make_codec()
  noted = codec.divergence.note

  def note(loss, rate, distortion, step):
    factor = tf.where(step >= 5, 1e6, 1.0)
    noted(factor * loss, rate, factor * distortion, step)

  codec.divergence.note = note
  with pytest.raises(
    TrainingError, match='diverges.* before step 7, most of it the distortion.*-4$'
  ):
    run(tmp_path, steps=12, codec=codec)
  assert checkpoints.steps(tmp_path) == [2, 4]  # that of step 6 is removed
  assert checkpoints.newest(str(tmp_path)) == 4


@pytest.mark.usefixtures('eagerly')
def test_a_run_of_variable_rate_is_resumed_bit_for_bit_with_its_averages(tmp_path):
  def train_to(name, steps):
    codec = make_variable_codec(filters=4, latent_channels=6)
    recipe = RAISED.format(steps)
    run(tmp_path / name, steps, recipe, codec, average_decay=0.9)

  train_to('resumed', 2)
  train_to('resumed', 4)
  train_to('uninterrupted', 4)
  assert_equal_runs(tmp_path / 'resumed', tmp_path / 'uninterrupted')

  # Averages have the place of the weights, and these are beside them.
  found = contents(tmp_path / 'resumed')
  stored = [value for name, value in found.items() if name.startswith('averages/')]
  for name in ('gain', 'inverse_gain', 'widening'):
    average = found[f'variable_rate/{name}/values/.ATTRIBUTES/VARIABLE_VALUE']
    distances = [np.abs(v - average).max() for v in stored if v.shape == average.shape]
    assert len(distances) == 3 and 0 < min(distances) < 0.01


@pytest.mark.usefixtures('eagerly')
def test_a_variable_rate_starts_from_a_run_of_fixed_rate_and_from_data(uninterrupted, tmp_path):
  codec = make_variable_codec()
  codec.model.initialize_from_data = None  # all of the networks come from the run
  options = {'codec': codec, 'init_from': str(uninterrupted), 'initialization_patches': 2}
  run(tmp_path, steps=2, **options)
  first = tf.train.load_checkpoint(str(tmp_path / 'ckpt-0'))
  bias = 'model/hyper_synthesis/layer_with_weights-2/bias/.ATTRIBUTES/VARIABLE_VALUE'
  np.testing.assert_array_equal(first.get_tensor(bias), contents(uninterrupted)[bias])


def test_a_complete_run_is_left_as_it_is(uninterrupted):
  before = contents(uninterrupted)
  assert run(uninterrupted) == f'the run is complete: {STEPS} of {STEPS} steps'
  np.testing.assert_equal(contents(uninterrupted), before)


@pytest.mark.usefixtures('eagerly')
def test_a_finished_run_is_trained_on_and_a_name_is_no_pattern(uninterrupted, tmp_path):
  """More steps than at first, in a folder whose neighbour's name it matches as a pattern."""
  shutil.copytree(uninterrupted, tmp_path / 'r1')
  before = sorted(os.listdir(tmp_path / 'r1'))
  recipe = 'Codec.lmbda = 1\ntrain.steps = {}\n'
  run(tmp_path / 'r[1]', steps=2, recipe=recipe.format(2))
  run(tmp_path / 'r[1]', steps=STEPS, recipe=recipe.format(STEPS))
  assert sorted(os.listdir(tmp_path / 'r1')) == before
  assert transfer.restore(make_codec(), str(tmp_path / 'r[1]')) == STEPS
  (tmp_path / 'r[1]').rename(tmp_path / 'r')
  assert_equal_runs(tmp_path / 'r', uninterrupted)


@pytest.mark.parametrize('state', [None, '', 'model_checkpoint_path: "ckpt-4'])
def test_without_the_file_that_names_it_a_run_has_its_newest_checkpoint(
  state, uninterrupted, tmp_path
):
  path = shutil.copytree(uninterrupted, tmp_path / 'run')
  (path / 'checkpoint').unlink()
  if state is not None:
    (path / 'checkpoint').write_text(state)
  assert run(path) == f'the run is complete: {STEPS} of {STEPS} steps'
  with pytest.raises(TrainingError, match='another configuration'):
    run(path, recipe='other')


def test_parts_of_a_run_without_checkpoints_are_not_written_over(uninterrupted, tmp_path):
  path = shutil.copytree(
    uninterrupted, tmp_path / 'run', ignore=shutil.ignore_patterns('ckpt*', 'checkpoint')
  )
  before = sorted(os.listdir(path))
  with pytest.raises(
    TrainingError, match=r'holds parts of a run \(train, validation\) but none of its'
  ):
    run(path)
  (path / 'ckpt-4.index').touch()
  with pytest.raises(TrainingError, match=r'no checkpoint .* is whole \(ckpt-4\)'):
    run(path)
  assert sorted(os.listdir(path)) == sorted([*before, 'ckpt-4.index'])


@pytest.mark.usefixtures('eagerly')
def test_a_start_that_was_killed_early_is_repeated_with_its_recipe_only(tmp_path):
  (tmp_path / 'operative_config-0.gin').write_text('Codec.lmbda = 1\n')
  (tmp_path / 'ckpt-0.data-00000-of-00001').touch()
  assert '4 photographs' in run(tmp_path, recipe='Codec.lmbda = 1\n', dry_run=True)
  with pytest.raises(TrainingError, match='another configuration'):
    run(tmp_path, recipe='Codec.lmbda = 2\n')


@pytest.mark.parametrize('name', ['', 'two\nlines', 'not_utf8\udcff'])
def test_a_name_that_a_run_cannot_have_is_refused(name, uninterrupted, monkeypatch, tmp_path):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(TrainingError, match='name in UTF-8'):
    run(name)
  with pytest.raises(TrainingError, match='name in UTF-8'):
    run('run', init_from=name)
  assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
  'name, least',
  [('steps', 1), ('interval', 1), ('validation_batches', 1), ('initialization_patches', 0)],
)
@pytest.mark.parametrize('value', [-1, -2, 4.5, '4', None])
def test_a_number_that_is_none_is_named(name, least, value):
  arguments = {'steps': 2, 'interval': 2, 'validation_batches': 1, 'initialization_patches': 0}
  arguments |= {'fork': 0, name: value}
  with pytest.raises(TrainingError, match=f'train.{name} must be an integer of at least {least}'):
    train._check_numbers(**arguments)


def test_a_disk_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
  def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, 'No space left on device')

  monkeypatch.setattr(files, 'write', full)
  with pytest.raises(TrainingError) as caught:
    run(tmp_path / 'run')
  assert str(caught.value) == f"can't write to {tmp_path / 'run'}: No space left on device"


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


@pytest.mark.usefixtures('eagerly')
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


@pytest.mark.usefixtures('eagerly')
def test_a_gradient_that_is_not_finite_is_named_and_not_checkpointed(tmp_path):
  codec = make_codec()
  codec._gradient_norms = lambda variables, gradients: {'gradient': tf.constant(np.inf)}
  with pytest.raises(
    TrainingError, match='^the gradient is not finite at step 0; the last good .*ckpt-0$'
  ):
    run(tmp_path, steps=2, codec=codec)
  assert not (tmp_path / 'ckpt-2.index').exists()


def test_an_unreadable_photograph_is_named_and_stops_the_run(tmp_path):
  photos = tmp_path / 'photos'
  photos.mkdir()
  whole = image_files.encode(np.zeros([80, 80, 3], np.uint8), 'png')
  (photos / 'whole.png').write_bytes(whole)
  for name in ('broken.png', "also 'broken'.png"):
    (photos / name).write_bytes(whole[:70])
  for dry_run in (True, False):
    with pytest.raises(image_files.ImageError, match="also 'broken'.png.*broken.png"):
      run(tmp_path / 'run', patches=patches.Patches(str(photos), 64, 2), dry_run=dry_run)
  assert not (tmp_path / 'run').exists()


def test_a_photograph_that_breaks_later_is_named_too(tmp_path):
  class Broken(patches.Patches):
    def patch(self, index):
      raise image_files.ImageError("cannot read image a 'b' [c].png: cut")

  codec = make_codec()
  # The batch does not come to it.
  codec.test_step = lambda data: {'bpp': tf.size(data['image'])}
  broken = Broken(str(IMAGES / 'train'), 64, 2)
  with pytest.raises(image_files.ImageError) as caught:
    run(tmp_path / 'run', codec=codec, patches=broken, dry_run=True)
  assert str(caught.value) == "cannot read image a 'b' [c].png: cut"


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


@pytest.mark.long
@pytest.mark.usefixtures('eagerly')
def test_a_run_on_a_folder_goes_on_with_its_pack_bit_for_bit_and_back(tmp_path):
  packing.pack(str(IMAGES / 'train'), str(tmp_path / 'pack'), 100_000)
  recipe = "Patches.folder = '{}'\ntrain.steps = {}\n"

  def go_on(name, folder, steps):
    of_folder = patches.Patches(str(folder), 64, 2)
    run(tmp_path / name, steps, recipe.format(folder, steps), patches=of_folder)

  go_on('plain', IMAGES / 'train', 4)
  for name, first, second in (
    ('packed later', IMAGES / 'train', tmp_path / 'pack'),
    ('packed first', tmp_path / 'pack', IMAGES / 'train'),
  ):
    go_on(name, first, 2)
    go_on(name, second, 4)
    assert_equal_runs(tmp_path / name, tmp_path / 'plain')


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


# Where the graph is not what matters: tracing it takes longer than a few steps do.
EAGER = """
import sys, tensorflow as tf
from tfusq import cli
tf.config.run_functions_eagerly(True)
sys.exit(cli.main(cli.parser().parse_args(sys.argv[1:])))
"""


def command(model_dir, steps, interval=2, program=('-m', 'tfusq')):
  bindings = [
    f"TRAIN_IMAGES = '{IMAGES / 'train'}'",
    f'train.steps = {steps}',
    f'train.interval = {interval}',
    'Patches.patch_size = 64',
    'Patches.batch_size = 2',
    'MSHyper.filters = 8',
    'MSHyper.latent_channels = 12',
    'train.initialization_patches = 2',
  ]
  return [
    sys.executable,
    *program,
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


def test_a_killed_process_resumes_to_the_same_run(cli, tmp_path):
  """What the process leaves is carried on here; another process does so in the slow test."""
  once, killed = tmp_path / 'once', tmp_path / 'killed'
  process = subprocess.Popen(
    command(killed, 6, program=('-c', EAGER)),
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
  )
  kill_at(process, is_writing(killed, 4))
  assert process.returncode == -signal.SIGKILL
  with eager():
    for folder in (once, killed):
      assert cli(*command(folder, 6)[3:])[0] == 0
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


@pytest.mark.long
@pytest.mark.usefixtures('eagerly')
def test_a_run_goes_on_under_another_version_after_an_option(tmp_path):
  first, second = '# tensorflow 2.14.1\n', '# tensorflow 2.17.1\n'
  run(tmp_path, steps=1, recipe=first, interval=1)
  assert 'is complete' in run(tmp_path, steps=1, recipe=second, interval=1)

  with pytest.raises(TrainingError, match='trained with tensorflow 2.14.1 until now'):
    run(tmp_path, steps=2, recipe=second, interval=1)
  run(tmp_path, steps=2, recipe=second, interval=1, accept_other_versions=True)
  # It is recorded: now the first version is the other one.
  run(tmp_path, steps=3, recipe=second, interval=1)
  with pytest.raises(TrainingError, match='trained with tensorflow 2.17.1 until now'):
    run(tmp_path, steps=4, recipe=first, interval=1)
