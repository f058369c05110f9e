"""One codec in many clients: who writes which file, and who decodes whose to what.

    python tests/support/clients.py --codec CODEC --images FOLDER [--python INTERPRETER ...]

Each interpreter runs the exported codec in processes of its own, with one and two threads and with
oneDNN's kernels on and off. It needs TensorFlow and the range coder's operations, from
tensorflow-compression or from tensorflow-compression-ops, and not tfusq.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

CLIENT = """
import os, sys
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
sys.path = [entry for entry in sys.path if entry]
import numpy as np
import tensorflow as tf
try:
  import tensorflow_compression
except ImportError:
  import tensorflow_compression_ops
assert 'tfusq' not in sys.modules
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[4]))
tf.config.threading.set_inter_op_parallelism_threads(int(sys.argv[4]))
codec, source, target = tf.saved_model.load(sys.argv[1]), sys.argv[2], sys.argv[3]
for name in sorted(os.listdir(source)):
  path = os.path.join(source, name)
  if name.endswith('.npy'):
    data = codec.compress(np.load(path)).numpy()
    open(os.path.join(target, name[:-4] + '.usq'), 'wb').write(data)
  else:
    try:
      np.save(os.path.join(target, name + '.npy'), codec.decompress(open(path, 'rb').read()))
    except tf.errors.InvalidArgumentError as error:
      open(os.path.join(target, name + '.txt'), 'w').write(str(error))
print(tf.__version__)
"""


def clients(interpreters):
  """Returns every client: interpreter, number of threads, and whether oneDNN is on."""
  return list(itertools.product(interpreters, (1, 2), (0, 1)))


def run(client, codec, source, target):
  """Runs a client over a folder of images or of files.

  Args:
    client: One of `clients`.
    codec: Folder of an exported codec.
    source: Folder of images, as `.npy`, or of compressed files.
    target: Folder to make for what the client writes.

  Returns:
    Version of the client's TensorFlow.
  """
  interpreter, threads, onednn = client
  target.mkdir()
  result = subprocess.run(
    [interpreter, '-c', CLIENT, str(codec), str(source), str(target), str(threads)],
    capture_output=True,
    text=True,
    cwd=source,
    env={**os.environ, 'TF_ENABLE_ONEDNN_OPTS': str(onednn)},
  )
  assert result.returncode == 0, result.stderr[-2000:]
  return result.stdout.split()[-1]


def compare(interpreters, codec, images, folder):
  """Has every client compress every image and decompress every other client's files.

  Args:
    interpreters: Paths of Python interpreters.
    codec: Folder of an exported codec.
    images: Images by name, `uint8[height, width, 3]`.
    folder: Empty folder to work in.

  Yields:
    Writer and reader (each version, threads, oneDNN), the number of files that the writer has in
    common with the first one, the number that the reader decodes, the number of these with the
    writer's own pixels, and the greatest difference of a pixel.
  """
  folder = Path(folder)
  (folder / 'images').mkdir()
  for name, image in images.items():
    np.save(folder / 'images' / f'{name}.npy', image)

  (folder / 'files').mkdir()
  all_clients = clients(interpreters)
  labels = []
  for index, client in enumerate(all_clients):
    written = folder / f'written{index}'
    version = run(client, codec, folder / 'images', written)
    labels.append(f'{version} {client[1]} {"on" if client[2] else "off"}')
    for name in images:
      (written / f'{name}.usq').rename(folder / 'files' / f'{index}{name}.usq')

  for index, client in enumerate(all_clients):
    run(client, codec, folder / 'files', folder / f'read{index}')

  for writer, reader in itertools.product(range(len(labels)), repeat=2):
    yield labels[writer], labels[reader], *_agreement(folder, images, writer, reader)


def _agreement(folder, names, writer, reader):
  """Compares a writer's files with the first one's, and a reader's pixels with the writer's."""
  same = decoded = equal = worst = 0

  for name in names:
    first = folder / 'files' / f'0{name}.usq'
    file = folder / 'files' / f'{writer}{name}.usq'
    same += first.read_bytes() == file.read_bytes()

    writers_pixels = folder / f'read{writer}' / f'{file.name}.npy'
    readers_pixels = folder / f'read{reader}' / f'{file.name}.npy'
    if readers_pixels.exists():
      decoded += 1
      difference = np.abs(np.load(writers_pixels).astype(int) - np.load(readers_pixels)).max()
      equal += difference == 0
      worst = max(worst, difference)

  return same, decoded, equal, worst


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--codec', required=True)
  parser.add_argument('--images', required=True)
  parser.add_argument(
    '--python', action='append', default=[], help='repeatable, in addition to this one'
  )
  arguments = parser.parse_args()
  from tfusq import image_files

  images = {}
  for path in image_files.list_images(arguments.images):
    images[path.stem] = image_files.read_image(path)

  print(
    f'{len(images)} images; TensorFlow, threads, oneDNN of writer and reader\n'
    f'{"writer":<16}{"reader":<16}{"files as first":>15}{"decoded":>9}{"equal":>7}{"worst":>7}'
  )
  interpreters = [sys.executable, *arguments.python]
  codec = Path(arguments.codec).resolve()
  with tempfile.TemporaryDirectory() as folder:
    for row in compare(interpreters, codec, images, folder):
      print('{:<16}{:<16}{:>15}{:>9}{:>7}{:>7}'.format(*row))


if __name__ == '__main__':
  main()
