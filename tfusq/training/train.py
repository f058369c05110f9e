"""Training: checkpoints, resume and summaries in one run directory.

A run directory holds `operative_config-N.gin` (the recipe as of the start at step N), checkpoints,
and TensorBoard events. Nothing else is state: temperatures, noise and batches are functions of the
step and the seed, so that a resumed run equals an uninterrupted one bit for bit.
"""

import difflib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from absl import logging

from tfusq import files
from tfusq.errors import Error
from tfusq.image_files import ImageError
from tfusq.training import distribute, transfer
from tfusq.training.codec import Codec
from tfusq.training.patches import Patches


class TrainingError(Error, RuntimeError):
  """A run that can't start, go on, or be loaded; says why and what is left."""


def train(
  model_dir: str,
  recipe: Callable[[], str],
  codec: Codec,
  optimizer: tf.keras.optimizers.Optimizer,
  data: Patches,
  steps: int,
  interval: int,
  validation: Patches | None = None,
  validation_batches: int = 4,
  init_from: str | None = None,
  dry_run: bool = False,
) -> None:
  """Trains a codec, or goes on with the run in `model_dir`.

  Under a strategy all arguments are built in its scope, and every worker calls this there. The
  workers share `model_dir`, and the chief writes to it.

  Args:
    model_dir: Run directory.
    recipe: Returns the gin configuration that made the other arguments, with versions in comments.
    codec: What to train.
    optimizer: By what.
    data: On what.
    steps: Until which step.
    interval: Steps between checkpoints, summaries and validations; divides `steps`.
    validation: What to validate on, with the training-time forward calculation and with rounding.
    validation_batches: How many batches of it.
    init_from: Run directory whose networks a new run starts from, as far as they fit.
    dry_run: Whether only to build everything and evaluate one batch, writing nothing.

  Raises:
    TrainingError: if an argument is out of range, the run has another recipe, workers differ or one
      is gone, or a term of the loss is not finite; the last checkpoint stays.
    TransferError: if a checkpoint does not fit.
    ImageError: if a photograph can't be read.
  """
  _check(codec, optimizer, data, validation, steps, interval)
  codec.compile(optimizer)
  optimizer.build(codec.trainable_variables)
  latest = tf.train.latest_checkpoint(model_dir)
  text = recipe() + f'\n#: photographs {data.fingerprint()}\n'
  if latest:
    text = _checked(text, init_from, newest_recipe(model_dir))
  elif init_from:
    for line in transfer.transfer(codec, init_from):
      logging.warning('%s', line)
    text += _origin(init_from)
  elif not codec.train_encoder:
    raise TrainingError('a frozen encoder must come from somewhere: give --init_from')
  try:
    # Before any of them writes what another might find.
    if not distribute.agree(f'{latest and os.path.basename(latest)}\n{text}'):
      raise TrainingError(
        f'workers differ in configuration or in what {model_dir} holds; all of '
        'them need one command and one shared folder'
      )
    if dry_run:
      _dry_run(codec, data, steps)
      return
    with distribute.own_folder(model_dir) as folder:
      _fit(
        folder,
        latest,
        text,
        codec,
        data,
        steps,
        interval,
        validation and (validation, validation_batches),
      )
  except tf.errors.OpError as error:
    _explain(error, tf.train.latest_checkpoint(model_dir))
    raise


def _check(codec, optimizer, data, validation, steps, interval):
  for name, value, kind in (
    ('codec', codec, Codec),
    ('data', data, Patches),
    ('optimizer', optimizer, tf.keras.optimizers.Optimizer),
  ):
    if not isinstance(value, kind):
      raise TrainingError(f'train.{name} must be a {kind.__name__}, not {value!r}')
  if interval < 1 or steps < 1 or steps % interval:
    raise TrainingError(
      f'train.steps must be a multiple of train.interval, not {steps} of {interval}'
    )
  replicas = tf.distribute.get_strategy().num_replicas_in_sync
  for name, patches in (('data', data), ('validation', validation)):
    if patches is not None and patches.batch_size % replicas:
      raise TrainingError(
        f"train.{name}'s batch of {patches.batch_size} can't be shared equally "
        f'by {replicas} replicas'
      )


def _fit(folder, latest, text, codec, data, steps, interval, validation):
  checkpoint = tf.train.Checkpoint(model=codec.model, optimizer=codec.optimizer)
  manager = tf.train.CheckpointManager(
    checkpoint, folder, max_to_keep=3, step_counter=codec.optimizer.iterations
  )
  if latest:
    with transfer.restoring(latest):
      checkpoint.restore(latest).assert_consumed()
    logging.info('resuming from %s', latest)
  start = int(codec.optimizer.iterations.numpy())
  if start >= steps:
    logging.info('the run is complete: %d of %d steps', start, steps)
    return
  files.write(Path(folder) / f'operative_config-{start}.gin', text.encode())
  if not latest:
    manager.save(0)
  patches, batches = validation or (None, 0)
  codec.fit(
    distribute.batches(data, start),
    initial_epoch=start // interval,
    epochs=steps // interval,
    steps_per_epoch=interval,
    verbose=1 if sys.stdout.isatty() else 2,
    validation_data=patches and distribute.batches(patches),
    validation_steps=patches and batches,
    callbacks=[_Record(codec, manager, folder, patches)],
  )


class _Record(tf.keras.callbacks.Callback):
  """Writes summaries and a checkpoint at the end of each interval."""

  def __init__(self, codec, manager, folder, validation):
    super().__init__()
    self._manager = manager
    self._writers = {
      name: tf.summary.create_file_writer(os.path.join(folder, name))
      for name in ('train', 'validation')
    }
    self._reconstruct = tf.function(lambda x: codec.hard(x).reconstruction)
    self._originals = None
    if validation is not None:
      image = next(iter(validation.dataset()))['image'][:4]
      self._originals = tf.image.convert_image_dtype(image, tf.float32)

  def on_epoch_end(self, epoch, logs=None):
    step = int(self.model.optimizer.iterations.numpy())
    for name, value in (logs or {}).items():
      validation = name.startswith('val_')
      with self._writers['validation' if validation else 'train'].as_default(step):
        tf.summary.scalar(name.removeprefix('val_'), value)
    with self._writers['train'].as_default(step):
      for name, value in self.model.temperatures().items():
        tf.summary.scalar(f'temperature/{name}', value)
      tf.summary.scalar('learning_rate', self.model.optimizer.learning_rate)
    if self._originals is not None:
      with self._writers['validation'].as_default(step):
        pair = [self._originals, self._reconstruct(self._originals)]
        tf.summary.image(
          'original_and_reconstruction',
          tf.clip_by_value(tf.concat(pair, axis=2), 0, 1),
          max_outputs=4,
        )
    for writer in self._writers.values():
      writer.flush()
    self._manager.save(step)


def newest_recipe(model_dir: str | os.PathLike) -> Path:
  """Returns the newest `operative_config-N.gin` of a run.

  Raises:
    TrainingError: if there is none.
  """
  recipes = Path(model_dir).glob('operative_config-*.gin')
  newest = max(recipes, key=lambda path: int(re.sub(r'\D', '', path.stem)), default=None)
  if newest is None:
    raise TrainingError(f'{model_dir} is no run: it has no operative_config-N.gin')
  return newest


def _origin(init_from):
  return f'#: networks from {os.path.abspath(init_from)}\n'


def _checked(text, init_from, path):
  """Returns the recipe to go on with; refuses another than the run's, of which `#` lines are none.

  Lines that begin with `#:` count: which networks the run began with, and the photographs.
  """
  begun = path.read_text()
  origin = re.search('^#: networks from .*\n', begun, re.MULTILINE)
  text += _origin(init_from) if init_from else origin[0] if origin else ''
  old, new = (
    [
      line
      for line in content.splitlines()
      if line and (not line.startswith('#') or line.startswith('#:'))
    ]
    for content in (begun, text)
  )
  if old != new:
    difference = '\n'.join(
      difflib.unified_diff(old, new, str(path), 'this configuration', lineterm='', n=0)
    )
    raise TrainingError(
      f'the run was begun with another configuration; use it, or another '
      f'--model_dir (--init_from takes over the networks):\n{difference}'
    )
  return text


def _dry_run(codec, data, steps):
  scalars = codec.evaluate(distribute.batches(data), steps=1, return_dict=True, verbose=0)
  parameters = sum(int(tf.size(variable)) for variable in codec.trainable_variables)
  print(
    f'{len(data.files)} photographs, {parameters:,} trained parameters, {steps} steps; '
    f'before training: {scalars["bpp"]:.3f} bpp, {scalars["psnr"]:.2f} dB'
  )


def _explain(error, latest):
  """Raises what a failed operation means, where that is known."""
  term = re.search(r'(the \w+ is not finite at step)\] \[(\d+)', error.message)
  if term:
    raise TrainingError(f'{term[1]} {term[2]}; the last good checkpoint is {latest}') from None
  image = re.search(r'ImageError: (.*)', error.message)
  if image:
    raise ImageError(image[1]) from None
  if 'Collective ops is aborted' in error.message:
    raise TrainingError(
      'another worker is gone; start all of them again, to go on from the last checkpoint'
    ) from error
