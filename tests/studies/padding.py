"""What sides that are no multiples cost.

    python tests/studies/padding.py --codec CODEC --images FOLDER

Crops of every image, by the exported codec: bytes of the strings, beside those of the same crop
padded to multiples of 64 by zeros around it, as CompressAI's programs do, and beside what the bits
per pixel of the crop to multiples of 16 within it would give for its pixels. Means over the images.
"""

import argparse

import numpy as np
from tqdm import tqdm

from tfusq import image_files
from tfusq.evaluation import metrics
from tfusq.export import client, container

SIZES = (17, 23), (500, 333), (333, 500)


def strings(codec, image):
  """Returns the bytes of an image's strings."""
  return sum(container.read_header(codec.compress(image)).sections)


def zero_padded(image):
  """Returns an image with zeros around it, up to the next multiples of 64."""
  around = [(-size % 64) for size in image.shape[:2]]
  return np.pad(image, [(size // 2, size - size // 2) for size in around] + [(0, 0)])


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--codec', required=True)
  parser.add_argument('--images', required=True)
  arguments = parser.parse_args()
  codec = client.ExportedCodec(client.find(arguments.codec, compresses=True))
  rows = {size: [] for size in SIZES}
  for path in tqdm(image_files.list_images(arguments.images)):
    image = image_files.read_image(path)
    for height, width in SIZES:
      crop = image[:height, :width]
      if crop.shape[:2] != (height, width):
        continue
      inner = crop[: height // 16 * 16, : width // 16 * 16]
      decoded = codec.decompress(codec.compress(crop))
      rows[height, width].append(
        (
          strings(codec, crop),
          strings(codec, zero_padded(crop)),
          strings(codec, inner) * crop.size / inner.size,
          metrics.psnr(crop, decoded),
        )
      )
  print(
    f'{"size":<10}{"images":>7}{"bytes":>10}{"zeros to 64":>13}{"by pixels":>11}{"cost %":>8}'
    f'{"zeros %":>9}{"PSNR":>7}'
  )
  for (height, width), found in rows.items():
    if found:
      ours, zeros, proportional, psnr = np.mean(found, 0)
      print(
        f'{height}x{width:<6}{len(found):>7}{ours:>10.1f}{zeros:>13.1f}{proportional:>11.1f}'
        f'{100 * (ours / proportional - 1):>8.1f}{100 * (zeros / proportional - 1):>9.1f}'
        f'{psnr:>7.2f}'
      )


if __name__ == '__main__':
  main()
