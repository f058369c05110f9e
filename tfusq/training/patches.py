"""Photographs -> training patches; example i of a run is a function of (seed, i) alone."""

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
      folder: Searched for PNG, JPEG and WebP files, sub-folders too.
      patch_size: Side of a patch in pixels.
      batch_size: Patches in a batch, of all replicas together.
      seed: Of order and crops.
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
    for path in self.files:  # headers only; a broken body is named when it is reached
      with image_files.opened(path):
        pass
    self.patch_size, self.batch_size, self.seed = patch_size, batch_size, seed
    self._cache: dict[int, np.ndarray] = {}
    self._room = cache_bytes
    self._order = functools.lru_cache(2)(
      lambda epoch: self._random(0, epoch).permutation(len(self.files))
    )

  def fingerprint(self) -> str:
    """Returns the number of photographs and a hash of their names and sizes."""
    listing = '\n'.join(
      f'{path.relative_to(self.folder)} {path.stat().st_size}' for path in self.files
    )
    return f'{len(self.files)} {hashlib.sha256(listing.encode()).hexdigest()[:16]}'

  def dataset(
    self, start: int = 0, context: tf.distribute.InputContext | None = None
  ) -> tf.data.Dataset:
    """Returns batches without end, beginning with batch number `start`.

    Each is a dict of `image`, uint8 `[batch, patch, patch, 3]`, and `index`, `int64[batch]`.

    Args:
      start: Number of the first batch.
      context: Which worker's share of each batch it is, a batch for each of its replicas; without
        one, the whole.

    Raises:
      ValueError: if the replicas' shares can't be equal.
    """
    context = context or tf.distribute.InputContext()
    batch = context.get_per_replica_batch_size(self.batch_size)
    share = self.batch_size // context.num_input_pipelines
    first = share * context.input_pipeline_id
    size = self.patch_size

    def load(number):
      index = number // share * self.batch_size + first + number % share
      image = tf.numpy_function(self.patch, [index], tf.uint8)
      return {'image': tf.ensure_shape(image, [size, size, 3]), 'index': index}

    return (
      tf.data.Dataset.range(start * share, np.iinfo(np.int64).max)
      .map(load, num_parallel_calls=2, deterministic=True)
      .batch(batch, drop_remainder=True)
      .prefetch(2)
    )

  def patch(self, index: int) -> np.ndarray:
    """Returns example `index` of the run, `uint8[patch, patch, 3]`."""
    epoch, place = divmod(int(index), len(self.files))
    image = self._read(self._order(epoch)[place])
    short = [max(self.patch_size - side, 0) for side in image.shape[:2]]
    if any(short):
      image = np.pad(image, [(0, short[0]), (0, short[1]), (0, 0)], 'symmetric')
    random = self._random(1, int(index))
    top, left = (random.integers(side - self.patch_size + 1) for side in image.shape[:2])
    return np.ascontiguousarray(image[top : top + self.patch_size, left : left + self.patch_size])

  def _random(self, purpose: int, number: int) -> np.random.Generator:
    return np.random.default_rng([self.seed, purpose, number])

  def _read(self, file: int) -> np.ndarray:
    image = self._cache.get(file)
    if image is None:
      image = image_files.read_image(self.files[file])
      if image.nbytes <= self._room:
        self._room -= image.nbytes
        self._cache[file] = image
    return image
