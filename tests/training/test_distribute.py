"""Replicas on two devices, and two workers on one machine, are one worker with the joint batch."""

import json
import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from making import IMAGES, assert_equal_runs, contents
from tfusq import cli as command_line
from tfusq import config
from tfusq.config import ConfigError
from tfusq.training import distribute

STEPS = 4
# `python -m tfusq` with two devices; the words of the command follow.
TWO_DEVICES = """
import sys
import tensorflow as tf
from tfusq import cli as command_line
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices('CPU')[0], [tf.config.LogicalDeviceConfiguration()] * 2)
sys.exit(command_line.main(command_line.parser().parse_args(sys.argv[1:])))
"""


def words(model_dir, *bindings, strategy=None, steps=STEPS):
  """The command's: batches of 4, gradients that are clipped, a summary of every step."""
  files = ['quickstart.gin', 'data/folder_and_validation.gin', *([strategy] if strategy else [])]
  bindings = [
    f"TRAIN_IMAGES = '{IMAGES / 'train'}'",
    f"VALIDATION_IMAGES = '{IMAGES / 'heldout'}'",
    f'train.steps = {steps}',
    'train.interval = 1',
    'train.validation_batches = 2',
    'Patches.patch_size = 64',
    'Patches.batch_size = 4',
    'MSHyper.filters = 8',
    'MSHyper.latent_channels = 12',
    'train.initialization_patches = 4',
    # Steps in proportion to the gradients: divided by their size, a gradient that is zero but for
    # the rounding of its sum would decide about a step as long as any other.
    'Adam.epsilon = 1.0',
    'CosineDecay.initial_learning_rate = 0.5',
    'CosineDecay.warmup_target = 0.5',
    'CosineDecay.warmup_steps = 1',
    *bindings,
  ]
  return [
    'train',
    '--model_dir',
    str(model_dir),
    *(f'--gin_file={file}' for file in files),
    *(f'--gin_bindings={binding}' for binding in bindings),
  ]


def summaries(model_dir):
  """Every scalar of a run's summaries, in order of the steps."""
  found = {}
  for folder in ('train', 'validation'):
    for path in sorted((model_dir / folder).glob('events*')):
      for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
          if value.metadata.plugin_data.plugin_name == 'scalars':
            found.setdefault(f'{folder}/{value.tag}', []).append(tf.make_ndarray(value.tensor))
  return found


def assert_same_up_to_sums(one, other):
  """The same losses at every step, and the same moments and weights after the last."""
  before, after = summaries(one), summaries(other)
  assert before.keys() == after.keys()
  assert {'train/loss', 'train/gradient/synthesis', 'validation/psnr'} <= before.keys()
  for name, values in before.items():
    assert len(values) == STEPS
    np.testing.assert_allclose(after[name], values, rtol=1e-4, atol=1e-6, err_msg=name)
  before, after = contents(one), contents(other)
  assert before.keys() == after.keys() and len(before) > 100
  for name, value in before.items():
    error = 1e-4 * np.abs(value).max()
    np.testing.assert_allclose(after[name], value, rtol=0, atol=error, err_msg=name)


def test_without_a_strategy_there_is_one_worker_that_agrees(tmp_path):
  assert distribute.agree('anything')
  with distribute.own_folder(str(tmp_path)) as folder:
    assert folder == str(tmp_path)


@pytest.fixture(scope='module')
def one(tmp_path_factory):
  """A run of one worker."""
  path = tmp_path_factory.mktemp('one')
  assert command_line.main(command_line.parser().parse_args(words(path))) == 0
  return path


def on_two_devices(model_dir, *bindings, **options):
  return subprocess.run(
    [
      sys.executable,
      '-c',
      TWO_DEVICES,
      *words(
        model_dir,
        "MirroredStrategy.devices = ('CPU:0', 'CPU:1')",
        *bindings,
        strategy='strategies/mirrored.gin',
        **options,
      ),
    ],
    capture_output=True,
    text=True,
  )


@pytest.mark.slow
def test_two_devices_are_one_with_the_joint_batch(one, tmp_path):
  result = on_two_devices(tmp_path)
  assert result.returncode == 0, result.stderr[-2000:]
  assert_same_up_to_sums(one, tmp_path)
  assert (
    'distribute.strategy = @MirroredStrategy()' in (tmp_path / 'operative_config-0.gin').read_text()
  )


@pytest.mark.slow
def test_two_devices_share_one_scale_of_the_loss(tmp_path):
  steps = 10  # The first scales are too large.
  bindings = ['execution.precision = "mixed_float16"', f'train.interval = {steps}']
  arguments = words(tmp_path / 'one', *bindings, steps=steps)
  assert command_line.main(command_line.parser().parse_args(arguments)) == 0
  result = on_two_devices(tmp_path / 'two', *bindings, steps=steps)
  assert result.returncode == 0, result.stderr[-2000:]

  one, two = contents(tmp_path / 'one'), contents(tmp_path / 'two')
  assert one.keys() == two.keys()
  taken = [value for name, value in two.items() if 'good_steps' in name]
  assert taken and 0 < taken[0] < steps
  for name, value in one.items():
    if name.startswith('loss_scale'):
      np.testing.assert_array_equal(two[name], value)
    elif name.startswith('model'):
      # Sums of half a batch are rounded to 11 bits.
      error = 0.01 * np.abs(value).max()
      np.testing.assert_allclose(two[name], value, rtol=0, atol=error, err_msg=name)


def test_a_batch_that_is_not_shared_equally_is_refused(tmp_path):
  result = on_two_devices(tmp_path, 'validation/Patches.batch_size = 3')
  assert result.returncode == 1
  assert "train.validation's batch of 3 can't be shared equally by 2 replicas" in result.stderr


def test_a_strategy_of_another_kind_is_named():
  config.parse(['quickstart.gin'], [f"TRAIN_IMAGES = '{IMAGES}'", 'distribute.strategy = 2'], [])
  with pytest.raises(ConfigError, match='distribute.strategy must be a Strategy, not 2'):
    config.build('train')(model_dir='unused', recipe=config.recipe)


def start(*model_dirs, bindings=(), **options):
  """Starts a worker for each run directory, on free ports; the first is the chief."""
  sockets = [socket.create_server(('localhost', 0)) for _ in model_dirs]
  cluster = {'worker': [f'localhost:{free.getsockname()[1]}' for free in sockets]}
  for free in sockets:
    free.close()
  return [
    subprocess.Popen(
      [
        sys.executable,
        '-m',
        'tfusq',
        *words(model_dir, *bindings, strategy='strategies/multi_worker.gin', **options),
      ],
      stdout=subprocess.DEVNULL,
      stderr=subprocess.PIPE,
      text=True,
      env={
        **os.environ,
        'TF_CONFIG': json.dumps({'cluster': cluster, 'task': {'type': 'worker', 'index': index}}),
      },
    )
    for index, model_dir in enumerate(model_dirs)
  ]


def finish(workers):
  """Returns the exit codes and what was written to standard error."""
  try:
    errors = [worker.communicate(timeout=300)[1] for worker in workers]
  finally:
    for worker in workers:
      worker.kill()
  return [worker.returncode for worker in workers], errors


@pytest.fixture(scope='module')
def two(tmp_path_factory):
  """A run of two workers."""
  path = tmp_path_factory.mktemp('two')
  codes, errors = finish(start(path, path))
  assert codes == [0, 0], errors
  return path


@pytest.mark.slow
def test_two_workers_are_one_with_the_joint_batch(one, two):
  assert_same_up_to_sums(one, two)
  assert len(list(two.glob('*/events*'))) == 2  # the chief's alone


@pytest.mark.slow
@pytest.mark.parametrize('victim', [0, 1])
def test_after_a_worker_is_killed_both_go_on_to_the_same_run(two, tmp_path, victim):
  workers = start(tmp_path, tmp_path)
  while not (tmp_path / 'ckpt-2.index').exists():
    assert all(worker.poll() is None for worker in workers), finish(workers)
    time.sleep(0.002)
  workers[victim].kill()
  codes, errors = finish(workers)
  assert codes[victim] < 0 and codes[1 - victim] == 1
  assert 'another worker is gone; start all of them again' in errors[1 - victim]
  latest = tf.train.latest_checkpoint(str(tmp_path))
  assert latest and not latest.endswith(f'ckpt-{STEPS}')
  codes, errors = finish(start(tmp_path, tmp_path))
  assert codes == [0, 0], errors
  assert_equal_runs(two, tmp_path)


@pytest.mark.slow
def test_workers_that_do_not_share_the_run_are_refused(two, tmp_path):
  codes, errors = finish(start(two, tmp_path))
  assert codes == [1, 1]
  assert all('workers differ in configuration or in what' in error for error in errors)


@pytest.mark.slow
def test_workers_stop_together_at_what_is_not_finite(tmp_path):
  codes, errors = finish(
    start(tmp_path, tmp_path, bindings=['CosineDecay.initial_learning_rate = 1e30'])
  )
  assert codes == [1, 1]
  assert all('is not finite at step 1; the last good checkpoint is' in error for error in errors)
