"""Measures the cost of image sides that are no multiples of the codec's.

    python tests/studies/padding.py --codec CODEC --images FOLDER

The exported codec compresses crops of every image. The bytes of their strings are compared with
those of the same crop padded by zeros to multiples of 64, as CompressAI's programs pad, and with
the bits per pixel of the crop to multiples of 16 inside it, times its pixels. Means over the
images.
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
  missing = [-size % 64 for size in image.shape[:2]]
  margins = [(size // 2, size - size // 2) for size in missing]
  return np.pad(image, [*margins, (0, 0)])


def measure(codec, image, size):
  """Measures one crop.

  Args:
    codec: An exported codec.
    image: Image, at least of that size.
    size: Height and width of the crop.

  Returns:
    Bytes of the crop, bytes with zeros around it, bytes in proportion to the crop within that needs
    no padding, and PSNR in dB.
  """
  height, width = size
  crop = image[:height, :width]
  inner = crop[: height // 16 * 16, : width // 16 * 16]
  decoded = codec.decompress(codec.compress(crop))
  return (
    strings(codec, crop),
    strings(codec, zero_padded(crop)),
    strings(codec, inner) * crop.size / inner.size,
    metrics.psnr(crop, decoded),
  )


def main():
  """Prints a row for each size."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--codec', required=True)
  parser.add_argument('--images', required=True)
  arguments = parser.parse_args()

  codec = client.ExportedCodec(client.find(arguments.codec, compresses=True))
  rows = {size: [] for size in SIZES}
  for path in tqdm(image_files.list_images(arguments.images)):
    image = image_files.read_image(path)
    for size in SIZES:
      if image.shape[0] >= size[0] and image.shape[1] >= size[1]:
        rows[size].append(measure(codec, image, size))

  print(
    f'{"size":<10}{"images":>7}{"bytes":>10}{"zeros to 64":>13}{"by pixels":>11}{"cost %":>8}'
    f'{"zeros %":>9}{"PSNR":>7}'
  )
  for (height, width), measured in rows.items():
    if not measured:
      continue
    ours, zeros, proportional, psnr = np.mean(measured, 0)
    cost = 100 * (ours / proportional - 1)
    zeros_cost = 100 * (zeros / proportional - 1)
    print(
      f'{height}x{width:<6}{len(measured):>7}{ours:>10.1f}{zeros:>13.1f}{proportional:>11.1f}'
      f'{cost:>8.1f}{zeros_cost:>9.1f}{psnr:>7.2f}'
    )


if __name__ == '__main__':
  main()
