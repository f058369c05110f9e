"""From photographs to training patches.

Patch i of a run is a function of the seed, i and the order of the photographs alone. A resumed run
therefore continues with the patches that it would have had, and workers take their shares of a
batch without a word between them.
"""

import functools
import os
import threading
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfusq import files
from tfusq.training import augmentation, python_calls, sources
from tfusq.training.decoding import Box, Decoded, Encoded, Form, read_form
from tfusq.training.survey import Photograph

# Numbers of the streams of random numbers, one for each purpose.
_ORDER, _CROP, _SCALE, _FLIP, _TRANSPOSITION = range(5)

# Number of batches that no run reaches; of a batch of a million, the last index still has 64 bits.
_NO_END = 2**40


class Patches:
  """Random square crops from the photographs of a folder, or of a pack of `tfusq pack`.

  Every epoch visits each photograph once, in an order of its own. A photograph smaller than the
  patch is extended by its mirror image. Decoded photographs are kept while they fit in
  `cache_bytes`; of others only the crop is decoded, where their format admits it.

  Crops may be scaled, flipped and transposed at random, each by random numbers of its own. Scaling
  down hides the compression artefacts of photographs that were compressed before: by a factor from
  0.75 to 0.95 for HiFiC (https://arxiv.org/abs/2006.09965), to a shorter side of 640 to 1200 pixels
  for https://arxiv.org/abs/1802.01436.

  Attributes:
    folder: Folder of the photographs, or pack.
    files: Photographs in the order from which those of an epoch are drawn; at first sorted.
    patch_size: Side of a patch in pixels.
    batch_size: Number of patches in a batch, of all replicas together.
    seed: Seed of order, crops and their changes.
    scales: Bounds of the factor by which a photograph is scaled before the crop.
    flip: Whether crops are mirrored, in both directions.
    transpose: Whether rows and columns of crops are exchanged.
  """

  def __init__(
    self,
    folder: str,
    patch_size: int = 256,
    batch_size: int = 8,
    seed: int = 0,
    cache_bytes: int = 2 * 2**30,
    scales: tuple[float, float] = (1.0, 1.0),
    flip: bool = False,
    transpose: bool = False,
  ):
    """Initializer.

    Args:
      folder: Folder of images, sub-folders included, or pack.
      patch_size: Side of a patch in pixels.
      batch_size: Number of patches in a batch, of all replicas together.
      seed: Seed of order, crops and their changes.
      cache_bytes: Memory for decoded photographs.
      scales: Bounds of the factor by which a photograph is scaled before the crop, at most 1; the
        factor is uniform between them, but no side becomes less than a patch.
      flip: Whether crops are mirrored upside down, and left to right, with a probability of a half.
      transpose: Whether rows and columns of crops are exchanged with a probability of a half.

    Raises:
      ImageError: if there are none, some are no images, or a pack is damaged.
      ValueError: if an argument is of another kind or out of range.
    """
    for name, value, least in (
      ('patch_size', patch_size, 1),
      ('batch_size', batch_size, 1),
      ('seed', seed, 0),
      ('cache_bytes', cache_bytes, 0),
    ):
      if not isinstance(value, int) or value < least:
        raise ValueError(f'Patches.{name} must be an integer of at least {least}, not {value!r}')
    _check_scales(scales)

    self.folder = files.to_path(folder)
    self._source = sources.source_of(self.folder)
    self.files: list[files.AnyPath] = self._source.files
    self.patch_size = patch_size
    self.batch_size = batch_size
    self.seed = seed
    self.scales = (float(scales[0]), float(scales[1]))
    self.flip = flip
    self.transpose = transpose

    self._cache: dict[files.AnyPath, Decoded] = {}
    self._forms: dict[files.AnyPath, Form] = {}
    self._free_bytes = cache_bytes
    self._lock = threading.Lock()
    # Two: a batch, and what is prefetched, may reach from one epoch into the next.
    self._order = functools.lru_cache(2)(self._draw_order)

  def survey(self, known: Sequence[Photograph]) -> list[Photograph]:
    """Reads all photographs of a folder once, and keeps those that fit in `cache_bytes`.

    A pack has recorded what they are, so that nothing is read.

    Args:
      known: Photographs that were read before; those of the same name, size and time are not again.

    Returns:
      The photographs in the order of `files`.

    Raises:
      ImageError: if photographs can't be read; names all of them.
    """
    return self._source.survey(self.files, known, self._check)

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
      # The worker's patch `numbers[k]` is in batch `numbers[k] // per_worker` of all workers.
      numbers = number * per_replica + tf.range(per_replica, dtype=tf.int64)
      index = numbers // per_worker * self.batch_size + first + numbers % per_worker
      # One call for all of them, since a call takes as long as a small part of a JPEG.
      images = python_calls.call(self._batch, index)
      return {'image': tf.ensure_shape(images, [per_replica, size, size, 3]), 'index': index}

    # Threads of its own, or waiting for files would keep those from working that train.
    options = tf.data.Options()
    options.threading.private_threadpool_size = _threads()
    return (
      tf.data.Dataset.range(start * per_worker // per_replica, _NO_END)
      .map(load, num_parallel_calls=_threads(), deterministic=True)
      .prefetch(2)
      .with_options(options)
    )

  def _batch(self, indices: np.ndarray) -> np.ndarray:
    return np.stack([self.patch(index) for index in indices])

  def patch(self, index: int) -> np.ndarray:
    """Returns patch number `index` of the run, `uint8[patch, patch, 3]`."""
    index = int(index)
    epoch, position = divmod(index, len(self.files))
    photograph = self._read(self.files[self._order(epoch)[position]])

    scaling = None
    height, width = photograph.height, photograph.width
    if self.scales != (1.0, 1.0):
      random = self._random(_SCALE, index)
      scaling = augmentation.draw_scaling(random, height, width, self.patch_size, self.scales)
      height, width = scaling.new_height, scaling.new_width

    box = self._draw_crop(index, height, width)
    if scaling is None or (height, width) == (photograph.height, photograph.width):
      image = photograph.part(box)
    else:
      source = augmentation.source_of(scaling, box)
      image = augmentation.scale(photograph.part(source), source, scaling, box)

    missing = [self.patch_size - side for side in image.shape[:2]]
    if any(missing):
      image = np.pad(image, [(0, missing[0]), (0, missing[1]), (0, 0)], 'symmetric')

    if self.flip:
      image = augmentation.flip(self._random(_FLIP, index), image)
    if self.transpose:
      image = augmentation.transpose(self._random(_TRANSPOSITION, index), image)
    return np.ascontiguousarray(image)

  def _draw_crop(self, index: int, height: int, width: int) -> Box:
    """Draws the part of a photograph, which is all of it along sides shorter than the patch."""
    random = self._random(_CROP, index)
    top = random.integers(max(height - self.patch_size, 0) + 1)
    left = random.integers(max(width - self.patch_size, 0) + 1)
    return Box(int(top), int(left), min(height, self.patch_size), min(width, self.patch_size))

  def _draw_order(self, epoch: int) -> np.ndarray:
    return self._random(_ORDER, epoch).permutation(len(self.files))

  def _random(self, purpose: int, number: int) -> np.random.Generator:
    """Returns the random numbers for a purpose."""
    return np.random.default_rng([self.seed, purpose, number])

  def _check(self, path: files.AnyPath, data: bytes) -> None:
    """Decodes a whole photograph, to see that one can."""
    photograph = self._read(path, data)
    if isinstance(photograph, Encoded):
      photograph.part(photograph.form.box)

  def _read(self, path: files.AnyPath, data: bytes | None = None) -> Decoded | Encoded:
    """Returns a photograph, decoded if it is kept."""
    cached = self._cache.get(path)
    if cached is not None:
      return cached

    if data is None:
      data = self._source.read(path)
    form = self._forms.get(path)
    if form is None:
      form = self._forms[path] = read_form(path, data)
    encoded = Encoded(path, data, form)
    if 3 * form.height * form.width > self._free_bytes:
      return encoded

    decoded = Decoded(encoded.part(form.box))
    with self._lock:
      if decoded.image.nbytes <= self._free_bytes and path not in self._cache:
        self._free_bytes -= decoded.image.nbytes
        self._cache[path] = decoded
    return decoded


def _check_scales(scales: tuple[float, float]) -> None:
  """Refuses bounds of a factor that are none."""
  is_pair = isinstance(scales, tuple | list) and len(scales) == 2
  if not is_pair or not all(isinstance(scale, int | float) for scale in scales):
    raise ValueError(f'Patches.scales must be a pair of numbers, not {scales!r}')
  if not 0 < scales[0] <= scales[1] <= 1:
    raise ValueError(f'Patches.scales must ascend from above 0 to at most 1, not {scales!r}')


def _threads() -> int:
  """Returns the number of batches that are made at a time."""
  return max(2, os.cpu_count() or 1)
