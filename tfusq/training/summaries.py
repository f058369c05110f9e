"""What a run records at the end of each interval: summaries for TensorBoard and a checkpoint."""

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf

from tfusq.training import checkpoints
from tfusq.training.checkpoints import Checkpoints
from tfusq.training.codec import Codec
from tfusq.training.divergence import Diverged
from tfusq.training.patches import Patches
from tfusq.training.recipes import TrainingError
from tfusq.transforms import pixels

# Photographs that are shown beside their reconstructions.
_SHOWN = 4


class Record(tf.keras.callbacks.Callback):
  """Writes summaries and a checkpoint at the end of each interval."""

  def __init__(
    self,
    codec: Codec,
    saver: Checkpoints,
    folder: str,
    validation: Patches | None,
  ):
    """Initializer.

    Args:
      codec: Codec that is trained.
      saver: Writer of the run's checkpoints.
      folder: Folder for `train` and `validation`, the folders of summaries.
      validation: Patches of which some are shown with their reconstructions.
    """
    super().__init__()
    self._saver = saver
    self._folder = folder
    with self._writing():
      self._writers = {
        name: tf.summary.create_file_writer(os.path.join(folder, name))
        for name in ('train', 'validation')
      }
    self._reconstruct = tf.function(
      lambda x: codec.hard(x).reconstruction, autograph=codec.needs_autograph
    )
    self._originals = None
    if validation is not None:
      batch = next(iter(validation.dataset()))
      self._originals = pixels.from_uint8(batch['image'][:_SHOWN])

  def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
    """Has the moving averages validated, where there are some."""
    if self.model.averages:
      self.model.averages.exchange()

  def on_test_end(self, logs: dict[str, float] | None = None) -> None:
    """Has the weights themselves trained on."""
    if self.model.averages:
      self.model.averages.exchange()

  def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
    """Writes what an interval has given, if it went well; Keras calls intervals epochs."""
    self._require_progress()
    step = self.model.step()
    with self.model.averages.in_force() if self.model.averages else contextlib.nullcontext():
      with self._writing():
        self._write_means(logs or {}, step)
        self._write_settings(step)
        if self._originals is not None:
          self._write_images(step)
        for writer in self._writers.values():
          writer.flush()

      # Last: a run that is killed here resumes from the checkpoint before, and writes these
      # summaries again; the other way round they would be missing.
      self._saver.save(step)

  def _require_progress(self) -> None:
    """Ends a run that does not go well, with the checkpoints before that."""
    try:
      self.model.require_progress()
    except Diverged as error:
      self._saver.discard_after(error.step)
      raise

  @contextlib.contextmanager
  def _writing(self) -> Iterator[None]:
    """Names the folder of summaries that can't be written."""
    try:
      yield
    except tf.errors.OpError as error:
      raise TrainingError(
        f"can't write the summaries in {self._folder}: {checkpoints.reason(error)}"
      ) from error

  def _write_means(self, means: dict[str, float], step: int) -> None:
    """Writes the means over the interval; Keras names those of the validation `val_NAME`."""
    for name, value in means.items():
      writer = self._writers['validation' if name.startswith('val_') else 'train']
      with writer.as_default(step):
        tf.summary.scalar(name.removeprefix('val_'), value)

  def _write_settings(self, step: int) -> None:
    """Writes temperatures and learning rate."""
    with self._writers['train'].as_default(step):
      for name, value in self.model.temperatures().items():
        tf.summary.scalar(f'temperature/{name}', value)
      tf.summary.scalar('learning_rate', self.model.optimizer.learning_rate)

  def _write_images(self, step: int) -> None:
    """Writes originals with their reconstructions to the right."""
    pair = [self._originals, self._reconstruct(self._originals)]
    images = tf.clip_by_value(tf.concat(pair, axis=2), 0, 1)
    with self._writers['validation'].as_default(step):
      tf.summary.image('original_and_reconstruction', images, max_outputs=_SHOWN)
