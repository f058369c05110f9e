"""Mutated and hostile files: none may crash, hang, ask for all memory, or become another picture.

    python tests/support/fuzz.py --codec CODEC --image IMAGE [--mutated 10000] [--hostile 2000]

A mutated file has bytes flipped, removed, doubled, replaced or reversed. A hostile one has the
right checksum again, after a header that claims another image size, strings of equal or random
bytes, sections swapped or resized, or checks of indexes, flags or quality step replaced: it must
end in an error or a picture.
"""

import argparse
import collections
import resource
import struct
import time

import numpy as np

from tfusq.export import container, container_ops
from tfusq.progress import track

# Smallest, largest, flat, just too many pixels, several tiles, and narrow.
_HOSTILE_SIDES = [
  (1, 1),
  (65535, 65535),
  (65535, 1),
  (1, 65535),
  (11586, 11586),
  (2896, 2896),
  (4, 8000),
]
_FILLERS = [b'\xff', b'\0', b'\x80', b'\x01\xfe']


def mutate(data, rng):
  """Returns a file with one to three changes.

  Args:
    data: The file.
    rng: NumPy's random generator.
  """
  data = bytearray(data)

  for _ in range(rng.integers(1, 4)):
    start = int(rng.integers(len(data)))
    stop = start + int(rng.geometric(0.2))
    change = rng.integers(5)
    if change == 0:
      data[start] ^= 1 << int(rng.integers(8))
    elif change == 1:
      del data[start:stop]
    elif change == 2:
      data[start:start] = data[start:stop]
    elif change == 3:
      data[start:stop] = rng.bytes(stop - start)
    else:
      data[start:] = data[start:][::-1] if rng.integers(2) else b''
    if not data:
      data = bytearray(b'U')

  return bytes(data)


def sealed(header, body):
  """Returns a file with the right checksum, given its header with any, and what follows."""
  before = header[: -container.SIZES['checksum']]
  return before + container_ops.fingerprint_of(before + body) + body


def split(data):
  """Returns the header and the sections of a file."""
  header = container.read_header(data)
  sections = []
  start = header.bytes
  for length in header.sections:
    sections.append(data[start : start + length])
    start += length
  return data[: header.bytes], sections


def joined(header, sections):
  """Returns the file of a header and sections, with their lengths and the right checksum."""
  header = bytearray(header)
  start = container.positions(len(sections), 0)['lengths'].start
  struct.pack_into(f'<{len(sections)}I', header, start, *map(len, sections))
  return sealed(bytes(header), b''.join(sections))


def forge(data, rng):
  """Returns a hostile file with the right checksum.

  Args:
    data: A file to change.
    rng: NumPy's random generator.
  """
  header, sections = split(data)
  header = bytearray(header)
  positions = container.positions(len(sections), container.read_header(data).parts)
  chosen = rng.integers(len(sections))
  change = rng.integers(7)

  if change == 0:
    if rng.integers(4) == 0:
      height, width = _HOSTILE_SIDES[rng.integers(len(_HOSTILE_SIDES))]
    else:
      height, width = rng.integers(1, 700, 2)
    header[positions['height']] = struct.pack('<H', int(height))
    header[positions['width']] = struct.pack('<H', int(width))
  elif change == 1:
    sections[chosen] = _FILLERS[rng.integers(len(_FILLERS))] * int(rng.integers(0, 3000))
  elif change == 2:
    sections = sections[::-1]
  elif change == 3:
    sections[chosen] = rng.bytes(int(rng.integers(0, 3000)))
  elif change == 4:
    sections[chosen] = sections[chosen][: int(rng.integers(len(sections[chosen]) + 1))]
  elif change == 5:
    checks = positions['checks']
    header[checks] = rng.bytes(checks.stop - checks.start)
  else:
    # Flags, arithmetic or quality step, or metadata that are none.
    header[positions['flags'].start + rng.integers(4)] = int(rng.integers(256))
    if rng.integers(2):
      sections[-1] += rng.bytes(int(rng.integers(100)))

  return joined(header, sections)


def fuzz(codec, image, mutated, hostile, seed=0):
  """Decodes changed files.

  Args:
    codec: An `ExportedCodec`.
    image: `uint8[height, width, 3]`.
    mutated: Number of files to mutate.
    hostile: Number of hostile files to forge.
    seed: Seed of the changes.

  Returns:
    For mutated and for hostile files a counter of outcomes (an error's text, 'picture',
    'unchanged', or 'GARBAGE': a picture from a mutated file), and the longest time in seconds.
  """
  rng = np.random.default_rng(seed)
  original = codec.compress(image)
  results = []

  for change, count, picture in ((mutate, mutated, 'GARBAGE'), (forge, hostile, 'picture')):
    outcomes = collections.Counter()
    longest = 0.0
    for _ in track(range(count), 'file'):
      data = change(original, rng)
      start = time.perf_counter()
      outcomes[_outcome(codec, data, 'unchanged' if data == original else picture)] += 1
      longest = max(longest, time.perf_counter() - start)
    results.append((outcomes, longest))

  return results


def _outcome(codec, data, picture):
  """Decodes a file; returns `picture` or the error's text, its digits masked."""
  try:
    codec.decompress(data)
  except container.ContainerError as error:
    text = str(error).split(':')[0].split(';')[0][:60]
    return ''.join('#' if letter.isdigit() else letter for letter in text)
  return picture


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--codec', required=True)
  parser.add_argument('--image', required=True)
  parser.add_argument('--mutated', type=int, default=10_000)
  parser.add_argument('--hostile', type=int, default=2_000)
  arguments = parser.parse_args()
  from tfusq import image_files
  from tfusq.export import client

  codec = client.ExportedCodec(client.find(arguments.codec))
  image = image_files.read_image(arguments.image)
  results = fuzz(codec, image, arguments.mutated, arguments.hostile)

  for name, (outcomes, longest) in zip(('mutated', 'hostile'), results):
    print(f'{name}: {sum(outcomes.values())} files, longest {longest:.2f} s')
    for outcome, count in outcomes.most_common():
      print(f'  {count:>6}  {outcome}')
  gibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
  print(f'peak memory {gibibytes:.2f} GiB')


if __name__ == '__main__':
  main()
