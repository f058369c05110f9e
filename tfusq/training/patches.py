"""From photographs to training patches.

Patch i of a run is a function of the seed and i alone. A resumed run therefore continues with the
patches that it would have had, and workers take their shares of a batch without a word between
them.
"""

import functools
import hashlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfusq import image_files


class Patches:
  """Random square crops from the photographs of a folder.

  Every epoch visits each photograph once, in an order of its own. A photograph smaller than the
  patch is extended by its mirror image. Decoded photographs are kept while they fit in
  `cache_bytes`.

  Attributes:
    folder: Folder of the photographs.
    files: Photographs, sorted.
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
      ImageError: if there are none, or one is no image.
      ValueError: if a size is less than 1.
    """
    if patch_size < 1 or batch_size < 1:
      raise ValueError(
        f'Patches needs a patch and a batch of at least 1, not {patch_size} and {batch_size}'
      )
    self.folder = Path(folder)
    self.files = image_files.list_images(folder)
    # Headers alone, since that is fast; a photograph with a broken body is named when it is used.
    for path in self.files:
      with image_files.opened(path):
        pass
    self.patch_size = patch_size
    self.batch_size = batch_size
    self.seed = seed

    self._cache: dict[int, np.ndarray] = {}
    self._free_bytes = cache_bytes
    # Two: a batch, and what is prefetched, may reach from one epoch into the next.
    self._order = functools.lru_cache(2)(self._draw_order)

  def fingerprint(self) -> str:
    """Returns the number of photographs and a hash of their names and sizes."""
    listing = '\n'.join(
      f'{path.relative_to(self.folder)} {path.stat().st_size}' for path in self.files
    )
    # A name that is not UTF-8 has surrogates for its bytes.
    digest = hashlib.sha256(listing.encode(errors='surrogateescape')).hexdigest()
    return f'{len(self.files)} {digest[:16]}'

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
      image = tf.numpy_function(self.patch, [index], tf.uint8)
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
    image = self._read(self._order(epoch)[position])

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

  def _read(self, file: int) -> np.ndarray:
    image = self._cache.get(file)
    if image is None:
      image = image_files.read_image(self.files[file])
      if image.nbytes <= self._free_bytes:
        self._free_bytes -= image.nbytes
        self._cache[file] = image
    return image
