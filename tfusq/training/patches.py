"""From photographs to training patches.

Patch i of a run is a function of the seed, i and the order of the photographs alone. A resumed run
therefore continues with the patches that it would have had, and workers take their shares of a
batch without a word between them.
"""

import functools
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfusq import files, image_files
from tfusq.training import python_calls
from tfusq.training.survey import Photograph, check_headers, look_at


class Patches:
  """Random square crops from the photographs of a folder.

  Every epoch visits each photograph once, in an order of its own. A photograph smaller than the
  patch is extended by its mirror image. Decoded photographs are kept while they fit in
  `cache_bytes`.

  Attributes:
    folder: Folder of the photographs.
    files: Photographs in the order from which those of an epoch are drawn; at first sorted.
    patch_size: Side of a patch in pixels.
    batch_size: Number of patches in a batch, of all replicas together.
    seed: Seed of order and crops.
  """

  def __init__(
    self,
    folder: str,
    patch_size: int = 256,
    batch_size: int = 8,
    seed: int = 0,
    cache_bytes: int = 2 * 2**30,
  ):
    """Initializer.

    Args:
      folder: Folder of images, sub-folders included.
      patch_size: Side of a patch in pixels.
      batch_size: Number of patches in a batch, of all replicas together.
      seed: Seed of order and crops.
      cache_bytes: Memory for decoded photographs.

    Raises:
      ImageError: if there are none, or some are no images.
      ValueError: if a number is no integer or out of range.
    """
    for name, value, least in (
      ('patch_size', patch_size, 1),
      ('batch_size', batch_size, 1),
      ('seed', seed, 0),
      ('cache_bytes', cache_bytes, 0),
    ):
      if not isinstance(value, int) or value < least:
        raise ValueError(f'Patches.{name} must be an integer of at least {least}, not {value!r}')

    self.folder = files.to_path(folder)
    self.files: list[Any] = image_files.list_images(folder)
    # Headers alone, since that is fast; `survey` reads the bodies.
    check_headers(self.files)
    self.patch_size = patch_size
    self.batch_size = batch_size
    self.seed = seed

    self._cache: dict[files.AnyPath, np.ndarray] = {}
    self._free_bytes = cache_bytes
    self._lock = threading.Lock()
    # Two: a batch, and what is prefetched, may reach from one epoch into the next.
    self._order = functools.lru_cache(2)(self._draw_order)

  def survey(self, known: Sequence[Photograph]) -> list[Photograph]:
    """Reads all photographs once, and keeps those that fit in `cache_bytes`.

    Args:
      known: Photographs that were read before; those of the same name, size and time are not again.

    Returns:
      The photographs in the order of `files`.

    Raises:
      ImageError: if photographs can't be read; names all of them.
    """
    return look_at(self.folder, self.files, known, self._read)

  def arrange(self, names: Sequence[str]) -> None:
    """Makes the order of the photographs another one.

    Args:
      names: Paths of the photographs inside of the folder, in order.
    """
    self.files = [self.folder / name for name in names]
    self._order.cache_clear()

  def dataset(
    self, start: int = 0, context: tf.distribute.InputContext | None = None
  ) -> tf.data.Dataset:
    """Returns batches without end.

    Each is a dict of `image`, `uint8[batch, patch, patch, 3]`, and `index`, `int64[batch]`, the
    numbers of the patches in the run.

    Args:
      start: Number of the first batch.
      context: Worker whose share of each batch is returned, as one batch for each of its replicas;
        without one, the batches are whole.

    Raises:
      ValueError: if the replicas' shares can't be equal.
    """
    context = context or tf.distribute.InputContext()
    per_replica = context.get_per_replica_batch_size(self.batch_size)
    per_worker = self.batch_size // context.num_input_pipelines
    first = per_worker * context.input_pipeline_id
    size = self.patch_size

    def load(number):
      # The worker's patch `number` is in batch `number // per_worker` of all workers.
      index = number // per_worker * self.batch_size + first + number % per_worker
      image = python_calls.call(self.patch, index)
      return {'image': tf.ensure_shape(image, [size, size, 3]), 'index': index}

    return (
      tf.data.Dataset.range(start * per_worker, np.iinfo(np.int64).max)
      .map(load, num_parallel_calls=2, deterministic=True)
      .batch(per_replica, drop_remainder=True)
      .prefetch(2)
    )

  def patch(self, index: int) -> np.ndarray:
    """Returns patch number `index` of the run, `uint8[patch, patch, 3]`."""
    epoch, position = divmod(int(index), len(self.files))
    image = self._read(self.files[self._order(epoch)[position]])

    missing = [max(self.patch_size - side, 0) for side in image.shape[:2]]
    if any(missing):
      image = np.pad(image, [(0, missing[0]), (0, missing[1]), (0, 0)], 'symmetric')

    height, width = image.shape[:2]
    random = self._random(1, int(index))
    top = random.integers(height - self.patch_size + 1)
    left = random.integers(width - self.patch_size + 1)
    return np.ascontiguousarray(image[top : top + self.patch_size, left : left + self.patch_size])

  def _draw_order(self, epoch: int) -> np.ndarray:
    return self._random(0, epoch).permutation(len(self.files))

  def _random(self, purpose: int, number: int) -> np.random.Generator:
    """Returns the random numbers for a purpose, 0 for orders and 1 for crops."""
    return np.random.default_rng([self.seed, purpose, number])

  def _read(self, path: files.AnyPath) -> np.ndarray:
    image = self._cache.get(path)
    if image is None:
      image = image_files.read_image(path)
      with self._lock:
        if image.nbytes <= self._free_bytes and path not in self._cache:
          self._free_bytes -= image.nbytes
          self._cache[path] = image
    return image
