"""Prints peak memory and seconds of large pictures, both ways, beside growth in proportion.

    python tests/benchmarks/large.py [--model ms_hyper_zero_small] [--megapixels 0.1 1 12 24 50 108]

The weights are random, and the last layer of the analysis is scaled so that the latent's standard
deviation is 1. A picture is the embedded photograph, mirrored as often as need be. Each size and
each way has a process of its own, of which the peak is reported: TensorFlow, the codec and the
picture itself are in it. Seconds are of the clock and of the processors, of the first call of its
process. Slopes are the growth of processor seconds, and of memory, from the size before, divided by
that of the pixels: 1 is linear.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Before TensorFlow is imported, which reads it then.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import numpy as np

SIZES = (0.1, 1, 12, 24, 50, 108)
RATIO = 4 / 3


def picture(megapixels: float) -> np.ndarray:
  """Returns a picture of 4:3, `uint8[height, width, 3]`.

  Args:
    megapixels: Millions of pixels.
  """
  from tfusq import image_files

  package = Path(image_files.__file__).resolve().parents[1]
  image = image_files.read_image(package / 'images' / 'heldout' / 'chelsea.webp')
  height = round((1e6 * megapixels / RATIO) ** 0.5)
  width = round(height * RATIO)

  # Into the result piece by piece, so that no second picture of the size is in memory.
  result = np.empty([height, width, 3], np.uint8)
  rows, columns = image.shape[:2]
  for row in range(0, height, rows):
    for column in range(0, width, columns):
      piece = image[:: -1 if row // rows % 2 else 1, :: -1 if column // columns % 2 else 1]
      target = result[row : row + rows, column : column + columns]
      target[:] = piece[: target.shape[0], : target.shape[1]]
  return result


def export(name: str, folder: Path) -> None:
  """Exports a model with random weights.

  Args:
    name: Name of the model's gin file.
    folder: Folder to make.
  """
  import tensorflow as tf

  from tfusq import config
  from tfusq.export import saved_model

  config.parse(
    ['quantizers/aun_pge.gin', f'models/{name}.gin'], ['BOUND = 0.11', 'Codec.lmbda = 1.0'], []
  )
  tf.keras.utils.set_random_seed(0)
  codec = config.build('Codec')()
  codec.create()
  x = tf.constant(picture(0.1)[None], tf.float32) / 255
  last = codec.model.analysis.layers[-1]
  last = getattr(last, 'down', last)
  # Repeated, because a last attention module is not linear in the weights in front of it.
  for _ in range(3):
    last.kernel.assign(last.kernel / tf.math.reduce_std(codec.model.latents(x)['y']))
  saved_model.export(codec.centred_model, folder, {})


def one(codec_path: Path, file: Path, megapixels: float | None) -> None:
  """Codes one picture in this process, and prints seconds and peak memory as JSON.

  Args:
    codec_path: Folder of the codec.
    file: Compressed file, which is written or read.
    megapixels: Size of the picture to compress; None decompresses.
  """
  from tfusq.export import client

  codec = client.ExportedCodec(codec_path)
  argument = file.read_bytes() if megapixels is None else picture(megapixels)
  start, start_processor = time.perf_counter(), time.process_time()
  if megapixels is None:
    pixels = np.prod(codec.decompress(argument).shape[:2])
  else:
    file.write_bytes(codec.compress(argument))
    pixels = np.prod(argument.shape[:2])
  seconds = time.perf_counter() - start
  processor = time.process_time() - start_processor

  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
  print(
    json.dumps({'pixels': int(pixels), 'seconds': seconds, 'processor': processor, 'peak': peak})
  )


def measure(*words: object) -> dict:
  """Runs this file with arguments and returns the JSON on the last line of its output."""
  command = [sys.executable, __file__, *map(str, words)]
  result = subprocess.run(command, capture_output=True, text=True)
  if result.returncode:
    return {'failure': result.stderr.strip().splitlines()[-1][:200] if result.stderr else 'killed'}
  return json.loads(result.stdout.splitlines()[-1])


def line(way: str, megapixels: float, result: dict, before: dict | None) -> str:
  """Returns a line of the table."""
  begin = f'{way:<12}{megapixels:>7g}'
  if 'failure' in result:
    return f'{begin}  {result["failure"]}'
  text = f'{begin}{result["seconds"]:>10.2f}{result["processor"]:>11.2f}{result["peak"]:>7.2f}'
  if before is not None and 'failure' not in before:
    growth = result['pixels'] / before['pixels']
    for figure in ('processor', 'peak'):
      text += f'{result[figure] / before[figure] / growth:>9.2f}'
  return text


def main():
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--model', default='ms_hyper_zero_small')
  parser.add_argument('--megapixels', type=float, nargs='*', default=SIZES)
  parser.add_argument('--one', nargs='*', help=argparse.SUPPRESS)
  arguments = parser.parse_args()
  if arguments.one:
    codec_path, file, *megapixels = arguments.one
    one(Path(codec_path), Path(file), float(megapixels[0]) if megapixels else None)
    return

  print(f'{"":<12}{"MP":>7}{"seconds":>10}{"processor":>11}{"GiB":>7}{"slopes":>9}', flush=True)
  with tempfile.TemporaryDirectory() as folder:
    codec_path, file = Path(folder) / 'codec', Path(folder) / 'file'
    export(arguments.model, codec_path)
    before: dict[str, dict | None] = {'compress': None, 'decompress': None}
    for megapixels in arguments.megapixels:
      for way in before:
        size = [megapixels] if way == 'compress' else []
        result = measure('--one', codec_path, file, *size)
        print(line(way, megapixels, result, before[way]), flush=True)
        before[way] = result


if __name__ == '__main__':
  main()
