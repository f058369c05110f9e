"""Training: checkpoints, resuming and summaries in one run directory.

A run directory holds `operative_config-N.gin` (the recipe as of the start at step N),
`photographs-N.json` (the photographs and their order), checkpoints, and TensorBoard events. Nothing
else is state: temperatures, noise and batches are functions of the
step and the seed, so that a resumed run equals an uninterrupted one bit for bit.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import tensorflow as tf
from absl import logging

from tfusq import files
from tfusq.errors import Error
from tfusq.image_files import ImageError
from tfusq.training import (
  checkpoints,
  distribute,
  events,
  execution,
  fixed_order,
  forks,
  initialization,
  photographs,
  recipes,
  state,
  transfer,
)
from tfusq.training.averages import MovingAverages
from tfusq.training.checkpoints import Checkpoints
from tfusq.training.codec import Codec
from tfusq.training.divergence import Diverged
from tfusq.training.failure import NotFinite
from tfusq.training.patches import Patches
from tfusq.training.recipes import TrainingError
from tfusq.training.reporting import Report
from tfusq.training.summaries import Record

# What lies in a run directory, and what of that a start has written before its first checkpoint.
_PARTS = re.compile(r'operative_config-.*|photographs-\d+\.json|ckpt-.*|checkpoint')
_FIRST_PARTS = re.compile(r'operative_config-0\.gin|photographs-0\.json|ckpt-0(_temp|\.data.*)')


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
  initialization_patches: int = 0,
  average_decay: float | None = None,
  fork: int = 0,
  init_from: str | None = None,
  fork_from: str | None = None,
  dry_run: bool = False,
  accept_changed_photographs: bool = False,
  accept_other_versions: bool = False,
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
    initialization_patches: Number of training patches that the model of a new run starts from, by
      `Model.initialize_from_data`; with 0, it does not. What `init_from` gives takes precedence.
    average_decay: Decay of moving averages of the weights, which then are validated, exported, and
      taken over by `init_from`; None for the weights themselves.
    fork: Number of the fork: runs of equal seeds and other forks see other patches and noise.
    init_from: Run directory, or folder of an exported codec, whose networks a new run starts from,
      as far as they fit.
    fork_from: Run directory of a trunk, from which a new run goes on as a branch of a fork, with
      networks, optimizer and averages; see `tfusq.training.forks`.
    dry_run: Whether only to build everything and evaluate one batch, writing nothing.
    accept_changed_photographs: Whether a run is resumed though its photographs have changed, with
      those that are there now; the run records them.
    accept_other_versions: Whether a run is resumed under another version of TensorFlow, Keras or
      tfusq than it was trained with; the run records it.

  Returns:
    One line that says what the run is or has reached.

  Raises:
    TrainingError: if an argument is out of range, the run has another recipe, other photographs or
      other versions, or lacks its checkpoints, workers differ or one is gone, a term of the loss is
      not finite or the loss diverges, or the run can't be written; the last good checkpoint stays.
    TransferError: if a checkpoint does not fit.
    WeightsError: if an exported codec has no weights to train on, or they are damaged.
    ImageError: if photographs can't be read; names all of them.
  """
  if init_from is not None and fork_from is not None:
    raise TrainingError('a run either starts from networks (--init_from) or forks (--fork_from)')
  for folder in (model_dir, init_from, fork_from):
    if folder is not None:
      checkpoints.check_name(folder)
  _check(codec, optimizer, data, validation)
  _check_numbers(steps, interval, validation_batches, initialization_patches, fork)
  codec.compile(optimizer)
  optimizer.build(codec.trainable_variables)

  latest = checkpoints.newest_whole(model_dir)
  start_from = _Start(init_from, fork_from, average_decay)
  recipe_text, loaded = _recipe_of_start(codec, recipe(), model_dir, latest, start_from)
  seen = photographs.settle(
    model_dir,
    {'train': data} if validation is None else {'train': data, 'validation': validation},
    is_new=latest is None,
    accept_changed=accept_changed_photographs,
  )
  recipe_text = recipes.with_photographs(recipe_text, seen.fingerprint())
  if latest is not None and latest < steps:
    newest = recipes.newest_recipe(model_dir)
    recipes.require_same_versions(recipe_text, newest, accept_other_versions)

  try:
    # Before any of them writes what another might read.
    _require_agreement(model_dir, latest, recipe_text)
    if latest is None:
      initialization.initialize_from_data(codec, data, initialization_patches, kept=loaded)
    if dry_run:
      return _dry_run(codec, data, steps)
    with distribute.own_folder(model_dir) as folder, fixed_order.additions():
      if average_decay is not None and codec.averages is None:
        codec.averages = MovingAverages(codec.trainable_variables, average_decay)
      if latest is not None:
        state.restore(codec, model_dir, latest)
      start = codec.step()
      if start >= steps:
        return f'the run is complete: {start} of {steps} steps'

      saver = Checkpoints(tf.train.Checkpoint(**state.state_of(codec)), folder)
      with _writing(folder):
        seen.write(folder, start)
        files.write(files.to_path(folder) / f'operative_config-{start}.gin', recipe_text.encode())
      if latest is None:
        saver.save(0)
      codec.fit(
        distribute.batches(data, forks.first_batch(fork, forks.trunk_of(recipe_text)) + start),
        initial_epoch=start // interval,
        epochs=steps // interval,
        steps_per_epoch=interval,
        verbose=0,
        callbacks=[Record(codec, saver, folder, validation), Report(steps, interval)],
        **_validation_options(validation, validation_batches),
      )
  except (NotFinite, Diverged) as error:
    good = checkpoints.newest(model_dir)
    path = None if good is None else checkpoints.path_of(model_dir, good)
    raise TrainingError(f'{error}; the last good checkpoint is {path}') from None
  except tf.errors.OpError as error:
    _explain(error)
    raise
  return f'{model_dir}: trained to step {steps}'


def _check(
  codec: Codec, optimizer: tf.keras.optimizers.Optimizer, data: Patches, validation: Patches | None
) -> None:
  """Refuses arguments that are of another kind, by their names in gin."""
  for name, value, cls in (
    ('codec', codec, Codec),
    ('data', data, Patches),
    ('optimizer', optimizer, tf.keras.optimizers.Optimizer),
    ('validation', validation, Patches),
  ):
    if not isinstance(value, cls) and not (name == 'validation' and value is None):
      raise TrainingError(f'train.{name} must be a {cls.__name__}, not {value!r}')

  replicas = tf.distribute.get_strategy().num_replicas_in_sync
  if execution.compiles() and replicas > 1:
    raise TrainingError(
      f'execution.jit_compile is for one device, and there are {replicas} replicas'
    )
  for name, patches in (('data', data), ('validation', validation)):
    if patches is not None and patches.batch_size % replicas:
      raise TrainingError(
        f"train.{name}'s batch of {patches.batch_size} can't be shared equally "
        f'by {replicas} replicas'
      )
    measure = codec.distortion_measure
    if patches is not None and patches.patch_size < measure.least_side:
      raise TrainingError(
        f"train.{name}'s patches of {patches.patch_size} pixels a side are too small for "
        f'{type(measure).__name__}, which needs at least {measure.least_side}'
      )


def _check_numbers(
  steps: int, interval: int, validation_batches: int, initialization_patches: int, fork: int
) -> None:
  """Refuses numbers that are out of range, by their names in gin."""
  for name, value, least in (
    ('steps', steps, 1),
    ('interval', interval, 1),
    ('validation_batches', validation_batches, 1),
    ('initialization_patches', initialization_patches, 0),
    ('fork', fork, 0),
  ):
    if not isinstance(value, int) or value < least:
      raise TrainingError(f'train.{name} must be an integer of at least {least}, not {value!r}')

  if steps % interval:
    raise TrainingError(
      f'train.steps must be a multiple of train.interval, not {steps} of {interval}'
    )


class _Start(NamedTuple):
  """Where a new run is said to start.

  Attributes:
    init_from: Run directory or exported codec that is given as the origin of the networks, or None.
    fork_from: Run directory that is given as the trunk, or None.
    average_decay: Decay of the new run's moving averages, or None.
  """

  init_from: str | None
  fork_from: str | None
  average_decay: float | None

  def origin(self) -> recipes.Origin | None:
    """Returns the origin, without what only reading its weights tells; None if there is none."""
    source = self.init_from if self.fork_from is None else self.fork_from
    if source is None:
      return None
    path = source if files.is_remote(source) else os.path.abspath(source)
    return recipes.Origin(path, transfer.digest(source))


def _recipe_of_start(
  codec: Codec, recipe_text: str, model_dir: str, latest: int | None, start: _Start
) -> tuple[str, list[tf.Variable]]:
  """Compares the recipe with the run's, or takes over what a new run starts from.

  Args:
    codec: Codec to train.
    recipe_text: Recipe from gin.
    model_dir: Run directory.
    latest: Step of the checkpoint that is resumed from; None for a new run.
    start: Where a new run is said to start.

  Returns:
    The recipe with the origin of the networks, and the variables that come from there.
  """
  origin = start.origin()
  if latest is not None:
    return recipes.recipe_to_resume(recipe_text, origin, recipes.newest_recipe(model_dir)), []

  _require_nothing_begun(model_dir)
  loaded: list[tf.Variable] = []
  if origin is not None:
    if start.fork_from is not None:
      trunk, loaded = forks.take_over(codec, start.fork_from, start.average_decay)
      origin = origin._replace(trunk=trunk.line())
    else:
      loaded, lines = transfer.transfer(codec, origin.path)
      for line in lines:
        logging.warning('%s', line)
    recipe_text = recipes.with_origin(recipe_text, origin)
  elif not codec.train_encoder:
    raise TrainingError('a frozen encoder must come from another run: give --init_from')

  interrupted = files.to_path(model_dir) / 'operative_config-0.gin'
  if interrupted.exists():
    recipes.require_same(recipe_text, interrupted)
  return recipe_text, loaded


def _require_nothing_begun(model_dir: str) -> None:
  """Refuses a folder without a checkpoint that holds more than an interrupted start leaves."""
  folder = files.to_path(model_dir)
  names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
  parts = [name for name in names if _PARTS.fullmatch(name) and not _FIRST_PARTS.fullmatch(name)]
  parts += [name for name in ('train', 'validation') if events.are_in(folder / name)]
  if parts:
    raise TrainingError(
      f'{model_dir} holds parts of a run ({", ".join(parts)}) but none of its checkpoints to '
      'resume from; give another --model_dir, or remove them to begin anew'
    )


def _require_agreement(model_dir: str, latest: int | None, recipe_text: str) -> None:
  """Refuses workers that differ in their recipes or in the checkpoint that they see."""
  if not distribute.agree(f'{latest}\n{recipe_text}'):
    raise TrainingError(
      f'workers differ in configuration or in what {model_dir} holds; all of '
      'them need one command and one shared folder'
    )


@contextmanager
def _writing(folder: str) -> Iterator[None]:
  """Names the folder where the system only says that it can't be written."""
  try:
    yield
  except OSError as error:
    if isinstance(error, Error):
      raise
    raise TrainingError(f"can't write to {folder}: {checkpoints.reason(error)}") from error


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


def _explain(error: tf.errors.OpError) -> None:
  """Raises what a failed operation means, where that is known.

  Errors cross TensorFlow's graph as text: what `Patches.patch` raises.

  Args:
    error: Error of an operation.

  Raises:
    TrainingError: if another worker is gone.
    ImageError: if a photograph can't be read.
  """
  image = re.search(r'\[ImageError: (.*)\]$', error.message, re.MULTILINE)
  if image:
    # TensorFlow writes quotes and backslashes with a backslash.
    raise ImageError(re.sub(r'\\([\'"\\])', r'\1', image[1])) from None

  if 'Collective ops is aborted' in error.message:
    raise TrainingError(
      'another worker is gone; start all of them again, to resume from the last checkpoint'
    ) from error
