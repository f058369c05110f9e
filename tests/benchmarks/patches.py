"""Times training patches: `python tests/benchmarks/patches.py [--images FOLDER] [--steps]`.

Patches of 256x256 come through the pipeline as it was before TensorFlow decoded (Pillow decodes
the whole photograph, in two threads), which is kept here, and as it is now: from files, from a
pack, and from memory. Photographs are mosaics of the embedded ones, as JPEG (quality 90, 4:2:0,
and the same progressive), PNG and WebP (quality 90), or those of a folder. All ways of a format
take turns in one process, and `x` is a ratio to the way before. Processor time is that of this
process alone.

`--steps` then times the training step of two models on a batch that is there already, and prints
what share of the processor time of a step, with its data, the data takes.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

# Before TensorFlow is imported, which reads it then.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import numpy as np
import tensorflow as tf
from PIL import Image

import tfusq
from tfusq import config, image_files
from tfusq.training import packing, python_calls
from tfusq.training.patches import Patches

IMAGES = Path(tfusq.__file__).resolve().parent / 'images'
SIZE = 256
BATCH = 8
FORMATS = {
  'JPEG': ('jpg', {'quality': 90}),
  'JPEG, progressive': ('jpg', {'quality': 90, 'progressive': True}),
  'PNG': ('png', {}),
  'WebP': ('webp', {'quality': 90}),
}
MODELS = ('ms_hyper_zero_small', 'ms_hyper')
STEPS = 3
# Seconds in which what was drawn ahead comes to its end.
PAUSE = 0.5


class Before(Patches):
  """Patches as they were: Pillow reads the whole photograph, and two threads do that."""

  def patch(self, index):
    index = int(index)
    epoch, position = divmod(index, len(self.files))
    path = self.files[self._order(epoch)[position]]
    image = self._cache.get(path)
    if image is None:
      image = image_files.read_image(path)
      with self._lock:
        if image.nbytes <= self._free_bytes and path not in self._cache:
          self._free_bytes -= image.nbytes
          self._cache[path] = image

    random = np.random.default_rng([self.seed, 1, index])
    top = random.integers(image.shape[0] - self.patch_size + 1)
    left = random.integers(image.shape[1] - self.patch_size + 1)
    return np.ascontiguousarray(image[top : top + SIZE, left : left + SIZE])

  def dataset(self, start=0, context=None):
    def load(index):
      image = python_calls.call(self.patch, index)
      return {'image': tf.ensure_shape(image, [SIZE, SIZE, 3]), 'index': index}

    return (
      tf.data.Dataset.range(start * self.batch_size, np.iinfo(np.int64).max)
      .map(load, num_parallel_calls=2, deterministic=True)
      .batch(self.batch_size, drop_remainder=True)
      .prefetch(2)
    )


class Way:
  """A way to get patches, and what it took."""

  def __init__(self, name, patches, batches):
    self.name = name
    self.patches = patches
    self.batches = batches
    self.rates = []
    self.milliseconds = []
    self._count = 0
    patch = patches.patch

    def counted(index):
      self._count += 1
      return patch(index)

    patches.patch = counted
    # Fills what is kept in memory, and traces the dataset.
    for index in range(len(patches.files)):
      patch(index)
    self._dataset = patches.dataset()
    next(iter(self._dataset))
    time.sleep(PAUSE)

  def measure(self):
    """Takes some batches."""
    self._count = 0
    clock = time.perf_counter()
    processor = time.process_time()
    for number, _ in enumerate(self._dataset, 1):
      if number == self.batches:
        break
    self.rates.append(self.batches * BATCH / (time.perf_counter() - clock))
    # Some are drawn ahead.
    self.milliseconds.append(1000 * (time.process_time() - processor) / self._count)
    # Those under way are not to be counted with the next way's.
    time.sleep(PAUSE)

  @property
  def rate(self):
    return float(np.median(self.rates))

  @property
  def processor(self):
    return float(np.median(self.milliseconds))


def write_photographs(folder, suffix, options, count, width, height):
  """Writes mosaics of the embedded photographs."""
  tiles = [image_files.read_image(path) for path in sorted(IMAGES.rglob('*.webp'))]
  for number in range(count):
    random = np.random.default_rng(number)
    rows = []
    while sum(row.shape[0] for row in rows) < height:
      row = []
      while sum(tile.shape[1] for tile in row) < width:
        row.append(tiles[random.integers(len(tiles))][:300, :: random.choice([-1, 1])])
      rows.append(np.concatenate(row, axis=1)[:, :width])
    image = np.concatenate(rows)[:height]
    Image.fromarray(image).save(folder / f'{number}.{suffix}', **options)


def compare(name, folder, pack, batches, rounds):
  """Prints the table of a set of photographs; returns the processor times by way."""
  packing.pack(str(folder), str(pack), 2**27)
  ways = [
    Way('files, before', Before(str(folder), SIZE, BATCH, cache_bytes=0), batches),
    Way('files', Patches(str(folder), SIZE, BATCH, cache_bytes=0), batches),
    Way('pack', Patches(str(pack), SIZE, BATCH, cache_bytes=0), batches),
    Way('memory, before', Before(str(folder), SIZE, BATCH), 20 * batches),
    Way('memory', Patches(str(folder), SIZE, BATCH), 20 * batches),
  ]
  for index in range(20):
    before, *others = (way.patches.patch(index) for way in ways)
    for other in others:
      np.testing.assert_array_equal(before, other)

  for _ in range(rounds):
    for way in ways:
      way.measure()

  for way in ways:
    base = ways[3] if way.name.startswith('memory') else ways[0]
    print(
      f'{name:<20}{way.name:<16}{way.rate:>10.0f}{way.rate / base.rate:>7.1f}'
      f'{way.processor:>12.2f}{base.processor / way.processor:>7.1f}',
      flush=True,
    )
  return {way.name: way.processor for way in ways}


def step_time(model):
  """Returns wall and processor seconds of a training step on a batch that is there already."""
  config.parse(
    ['quantizers/aun_pge.gin', f'models/{model}.gin'], ['BOUND = 0.11', 'Codec.lmbda = 0.01'], []
  )
  codec = config.build('Codec')()
  codec.compile(tf.keras.optimizers.Adam(1e-4))
  random = np.random.default_rng(0)
  batch = {
    'image': random.integers(0, 256, [BATCH, SIZE, SIZE, 3], np.uint8),
    'index': np.arange(BATCH),
  }
  steps = iter(tf.data.Dataset.from_tensors(batch).repeat())
  train = codec.make_train_function()
  train(steps)

  wall = []
  processor = []
  for _ in range(STEPS):
    clock, clock_processor = time.perf_counter(), time.process_time()
    train(steps)
    wall.append(time.perf_counter() - clock)
    processor.append(time.process_time() - clock_processor)
  return float(np.median(wall)), float(np.median(processor))


def compare_steps(milliseconds):
  """Prints the share of the data in training steps.

  Args:
    milliseconds: Processor milliseconds of a patch, by format and way.
  """
  print(f'\n{"step of 8 patches":<52}{"step s":>8}{"CPU s":>8}{"data s":>8}{"share":>9}')
  for model in MODELS:
    wall, processor = step_time(model)
    for name, ways in milliseconds.items():
      for way in ('files, before', 'files', 'pack', 'memory'):
        data = BATCH * ways[way] / 1000
        label = f'{model}, {name}, {way}'
        share = 100 * data / (processor + data)
        print(f'{label:<52}{wall:>8.2f}{processor:>8.2f}{data:>8.3f}{share:>7.2f} %', flush=True)


def main():
  """Prints the tables."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--images', help='folder of photographs, in place of the mosaics')
  parser.add_argument('--formats', nargs='*', default=FORMATS, choices=FORMATS)
  parser.add_argument('--size', type=int, nargs=2, default=(1500, 2000), help='of a mosaic')
  parser.add_argument('--count', type=int, default=8, help='number of mosaics')
  parser.add_argument('--batches', type=int, default=10, help='batches a round')
  parser.add_argument('--rounds', type=int, default=3)
  parser.add_argument('--steps', action='store_true', help='time training steps too')
  arguments = parser.parse_args()

  print(f'{os.cpu_count()} cores, TensorFlow {tf.__version__}, Pillow {Image.__version__}')
  print(f'{"":<36}{"patches/s":>10}{"x":>7}{"CPU ms each":>12}{"x":>7}')
  milliseconds = {}
  with tempfile.TemporaryDirectory() as root:
    folder = Path(arguments.images or root)
    for name in ['given'] if arguments.images else arguments.formats:
      if not arguments.images:
        suffix, options = FORMATS[name]
        folder = Path(root) / name
        folder.mkdir()
        height, width = arguments.size
        write_photographs(folder, suffix, options, arguments.count, width, height)
      pack = Path(root) / f'{name}.pack'
      milliseconds[name] = compare(name, folder, pack, arguments.batches, arguments.rounds)
  if arguments.steps:
    compare_steps(milliseconds)


if __name__ == '__main__':
  main()
