"""Training: checkpoints, resuming and summaries in one run directory.

A run directory holds `operative_config-N.gin` (the recipe as of the start at step N), checkpoints,
and TensorBoard events. Nothing else is state: temperatures, noise and batches are functions of the
step and the seed, so that a resumed run equals an uninterrupted one bit for bit.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from absl import logging

from tfusq import files
from tfusq.image_files import ImageError
from tfusq.training import distribute, recipes, transfer
from tfusq.training.codec import Codec
from tfusq.training.patches import Patches
from tfusq.training.recipes import TrainingError
from tfusq.training.reporting import Report
from tfusq.training.summaries import Record

# The newest is what a run resumes from; the others are there if a disk damages it.
_CHECKPOINTS_KEPT = 3


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
) -> str:
  """Trains a codec, or resumes the run in `model_dir`.

  Under a strategy all arguments are built in its scope, and every worker calls this there. The
  workers share `model_dir`, and the chief writes to it.

  Args:
    model_dir: Run directory.
    recipe: Returns the gin configuration that made the other arguments, with versions in comments.
    codec: Codec to train.
    optimizer: Optimizer of all trained variables; its learning rate is recorded.
    data: Training patches.
    steps: Number of steps of the run, those before it is resumed included.
    interval: Number of steps between checkpoints, summaries and validations; divides `steps`.
    validation: Validation patches; measured with the training-time forward calculation and with
      rounding.
    validation_batches: Number of validation batches.
    init_from: Run directory whose networks a new run starts from, as far as they fit.
    dry_run: Whether only to build everything and evaluate one batch, writing nothing.

  Returns:
    One line that says what the run is or has reached.

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
  recipe_text = recipes.with_photographs(recipe(), data.fingerprint())
  if latest is not None:
    newest_recipe = recipes.newest_recipe(model_dir)
    recipe_text = recipes.recipe_to_resume(recipe_text, init_from, newest_recipe)
  else:
    recipe_text = _begin(codec, recipe_text, init_from)

  try:
    # Before any of them writes what another might read.
    _require_agreement(model_dir, latest, recipe_text)
    if dry_run:
      return _dry_run(codec, data, steps)
    with distribute.own_folder(model_dir) as folder:
      manager = _open_checkpoints(codec, folder, latest)
      start = int(codec.optimizer.iterations.numpy())
      if start >= steps:
        return f'the run is complete: {start} of {steps} steps'

      files.write(Path(folder) / f'operative_config-{start}.gin', recipe_text.encode())
      if latest is None:
        manager.save(0)
      codec.fit(
        distribute.batches(data, start),
        initial_epoch=start // interval,
        epochs=steps // interval,
        steps_per_epoch=interval,
        verbose=0,
        callbacks=[Record(codec, manager, folder, validation), Report(steps, interval)],
        **_validation_options(validation, validation_batches),
      )
  except tf.errors.OpError as error:
    _explain(error, tf.train.latest_checkpoint(model_dir))
    raise
  return f'{model_dir}: trained to step {steps}'


def _check(
  codec: Codec,
  optimizer: tf.keras.optimizers.Optimizer,
  data: Patches,
  validation: Patches | None,
  steps: int,
  interval: int,
) -> None:
  """Refuses arguments that are of another kind or out of range, by their names in gin."""
  for name, value, cls in (
    ('codec', codec, Codec),
    ('data', data, Patches),
    ('optimizer', optimizer, tf.keras.optimizers.Optimizer),
  ):
    if not isinstance(value, cls):
      raise TrainingError(f'train.{name} must be a {cls.__name__}, not {value!r}')

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


def _begin(codec: Codec, recipe_text: str, init_from: str | None) -> str:
  """Takes over the networks that a new run starts from; returns the recipe that records them."""
  if not init_from:
    if not codec.train_encoder:
      raise TrainingError('a frozen encoder must come from another run: give --init_from')
    return recipe_text

  for line in transfer.transfer(codec, init_from):
    logging.warning('%s', line)
  return recipes.with_origin(recipe_text, init_from)


def _require_agreement(model_dir: str, latest: str | None, recipe_text: str) -> None:
  """Refuses workers that differ in their recipes or in the checkpoint that they see."""
  checkpoint_name = os.path.basename(latest) if latest is not None else 'no checkpoint'
  if not distribute.agree(f'{checkpoint_name}\n{recipe_text}'):
    raise TrainingError(
      f'workers differ in configuration or in what {model_dir} holds; all of '
      'them need one command and one shared folder'
    )


def _open_checkpoints(codec: Codec, folder: str, latest: str | None) -> tf.train.CheckpointManager:
  """Restores the latest checkpoint, and returns the manager of the checkpoints in `folder`."""
  checkpoint = tf.train.Checkpoint(model=codec.model, optimizer=codec.optimizer)
  manager = tf.train.CheckpointManager(
    checkpoint, folder, max_to_keep=_CHECKPOINTS_KEPT, step_counter=codec.optimizer.iterations
  )
  if latest is not None:
    with transfer.restoring(latest):
      checkpoint.restore(latest).assert_consumed()
    logging.info('resuming from %s', latest)
  return manager


def _validation_options(validation: Patches | None, batches: int) -> dict[str, object]:
  """Returns the arguments of Keras's `fit` for the validation."""
  if validation is None:
    return {}
  return {'validation_data': distribute.batches(validation), 'validation_steps': batches}


def _dry_run(codec: Codec, data: Patches, steps: int) -> str:
  """Evaluates one batch; returns a line about the run."""
  means = codec.evaluate(distribute.batches(data), steps=1, return_dict=True, verbose=0)
  parameters = sum(int(tf.size(variable)) for variable in codec.trainable_variables)
  return (
    f'{len(data.files)} photographs, {parameters:,} trained parameters, {steps} steps; '
    f'before training: {means["bpp"]:.3f} bpp, {means["psnr"]:.2f} dB'
  )


def _explain(error: tf.errors.OpError, latest: str | None) -> None:
  """Raises what a failed operation means, where that is known.

  Errors cross TensorFlow's graph as text: assertions of `Codec.train_step`, and what
  `Patches.patch` raises.

  Args:
    error: Error of an operation.
    latest: Last checkpoint.

  Raises:
    TrainingError: if a term of the loss is not finite or another worker is gone.
    ImageError: if a photograph can't be read.
  """
  term = re.search(r'(the \w+ is not finite at step)\] \[(\d+)', error.message)
  if term:
    raise TrainingError(f'{term[1]} {term[2]}; the last good checkpoint is {latest}') from None

  image = re.search(r'ImageError: (.*)', error.message)
  if image:
    raise ImageError(image[1]) from None

  if 'Collective ops is aborted' in error.message:
    raise TrainingError(
      'another worker is gone; start all of them again, to resume from the last checkpoint'
    ) from error
