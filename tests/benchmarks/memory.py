"""Prints the memory that evaluating takes over images of all different sizes.

    python tests/benchmarks/memory.py [--images 600] [--compress]
    TF_ENABLE_ONEDNN_OPTS=1 python tests/benchmarks/memory.py

A tiny codec codes crops of 64 to 300 pixels a side. The commands turn oneDNN off for as many sizes,
which is therefore the default here too; the second line shows what it would keep.
"""

import os

# Before TensorFlow is imported, which reads them then.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'support'))

from making import make_codec
from tfusq.evaluation import operating_points
from tfusq.export import client, saved_model

LINES = 10


def resident() -> float:
  """Returns the memory of this process in MiB."""
  pages = int(Path('/proc/self/statm').read_text().split()[1])
  return pages * os.sysconf('SC_PAGE_SIZE') / 2**20


def main():
  """Prints a line for each tenth of the images."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--images', type=int, default=600)
  parser.add_argument('--compress', action='store_true', help='only compress')
  arguments = parser.parse_args()

  with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / 'codec'
    saved_model.export(make_codec().centred_model, path, {'versions': {}})
    codec = client.ExportedCodec(path)

  rng = np.random.default_rng(0)
  noise = rng.integers(0, 256, [300, 300, 3], np.uint8)
  start = time.monotonic()
  for number in range(1, arguments.images + 1):
    height, width = rng.integers(64, 300, 2)
    image = np.ascontiguousarray(noise[:height, :width])
    if arguments.compress:
      codec.compress(image)
    else:
      operating_points.measure(codec, image)
    if number % max(1, arguments.images // LINES) == 0:
      print(f'{number:>6} images {resident():>8.0f} MiB {time.monotonic() - start:>8.1f} s')


if __name__ == '__main__':
  main()
