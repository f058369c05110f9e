"""Mutated and hostile files: none may crash, hang, ask for all memory, or become another picture.

    python tests/fuzz.py --codec CODEC --image IMAGE [--mutated 10000] [--hostile 2000]

A mutated file has bytes flipped, cut, doubled, moved or replaced. A hostile one has its checksum
made right again, after a header that claims another image, strings of equal or random bytes,
sections swapped or resized, or checks of indexes replaced: it must end in an error or a picture.
"""

import argparse
import collections
import resource
import struct
import time

import numpy as np
from tqdm import tqdm

from tfusq.export import container, container_ops


def mutate(data, rng):
  """Returns a changed file."""
  data = bytearray(data)
  for _ in range(rng.integers(1, 4)):
    place, length = int(rng.integers(len(data))), int(rng.geometric(0.2))
    kind = rng.integers(5)
    if kind == 0:
      data[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
      del data[place : place + length]
    elif kind == 2:
      data[place:place] = data[place : place + length]
    elif kind == 3:
      data[place : place + length] = rng.bytes(length)
    else:
      data[place:] = data[place:][::-1] if rng.integers(2) else b''
    if not data:
      data = bytearray(b'U')
  return bytes(data)


def sealed(data):
  """Returns a file whose checksum is right, given one with any."""
  header = container.read_header(data)
  start = header.bytes - 4
  content = data[:start] + data[header.bytes :]
  checksum = container_ops.fingerprint_of(content)
  return data[:start] + checksum + data[header.bytes :]


def forge(data, rng):
  """Returns a hostile file with the right checksum."""
  header = container.read_header(data)
  fixed, sections = bytearray(data[: header.bytes]), []
  place = header.bytes
  for length in header.sections:
    sections.append(data[place : place + length])
    place += length
  kind = rng.integers(6)
  if kind == 0:  # another image, small or huge or flat
    sides = [(1, 1), (65535, 65535), (65535, 1), (1, 65535), (5792, 5792), (4, 8000)]
    chosen = sides[rng.integers(len(sides))] if rng.integers(4) == 0 else rng.integers(1, 700, 2)
    fixed[12:16] = struct.pack('<HH', *map(int, chosen))
  elif kind == 1:
    filler = [b'\xff', b'\0', b'\x80', b'\x01\xfe'][rng.integers(4)]
    sections[rng.integers(len(sections))] = filler * int(rng.integers(0, 3000))
  elif kind == 2:
    sections = sections[::-1]
  elif kind == 3:
    which = rng.integers(len(sections))
    sections[which] = rng.bytes(int(rng.integers(0, 3000)))
  elif kind == 4:
    which = rng.integers(len(sections))
    sections[which] = sections[which][: int(rng.integers(len(sections[which]) + 1))]
  else:
    checks = slice(18 + 4 * len(sections), header.bytes - 4)
    fixed[checks] = rng.bytes(checks.stop - checks.start)
  struct.pack_into(f'<{len(sections)}I', fixed, 18, *map(len, sections))
  return sealed(bytes(fixed) + b''.join(sections))


def fuzz(codec, image, mutated, hostile, seed=0):
  """Decodes changed files.

  Args:
    codec: An `ExportedCodec`.
    image: `uint8[height, width, 3]`.
    mutated: How many files to mutate.
    hostile: How many to forge.
    seed: Of the changes.

  Returns:
    For both kinds a counter of outcomes (an error's text, 'picture', 'unchanged', or 'GARBAGE': a
    picture from a mutated file), and the longest time in seconds.
  """
  rng = np.random.default_rng(seed)
  whole = codec.compress(image)
  results = []
  for change, count in ((mutate, mutated), (forge, hostile)):
    outcomes, longest = collections.Counter(), 0.0
    for _ in tqdm(range(count), unit='file'):
      data = change(whole, rng)
      start = time.perf_counter()
      try:
        codec.decompress(data)
        outcome = 'unchanged' if data == whole else 'picture' if change is forge else 'GARBAGE'
      except container.ContainerError as error:
        outcome = str(error).split(':')[0].split(';')[0][:60]
        outcome = ''.join('#' if letter.isdigit() else letter for letter in outcome)
      outcomes[outcome] += 1
      longest = max(longest, time.perf_counter() - start)
    results.append((outcomes, longest))
  return results


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
  results = fuzz(
    codec, image_files.read_image(arguments.image), arguments.mutated, arguments.hostile
  )
  for name, (outcomes, longest) in zip(('mutated', 'hostile'), results):
    print(f'{name}: {sum(outcomes.values())} files, longest {longest:.2f} s')
    for outcome, count in outcomes.most_common():
      print(f'  {count:>6}  {outcome}')
  print(f'peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB')


if __name__ == '__main__':
  main()
