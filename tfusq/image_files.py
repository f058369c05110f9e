"""Image files: finding them in a folder, reading them as 8-bit RGB, and writing them."""

import contextlib
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from tfusq import files
from tfusq.errors import Error

SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp')


class ImageError(Error, ValueError):
  """An image, or a folder of images, that can't be read or written; names it."""


def list_images(folder: str | os.PathLike) -> list[Path]:
  """Lists the PNG, JPEG and WebP files of a folder and its sub-folders.

  Args:
    folder: Folder of images.

  Returns:
    Paths, sorted.

  Raises:
    ImageError: if there is no such folder, or it holds no images.
  """
  folder = Path(folder)
  if not folder.is_dir():
    raise ImageError(f'no folder {folder}')

  paths = []
  for path in sorted(folder.rglob('*')):
    if path.suffix.lower() in SUFFIXES and path.is_file():
      paths.append(path)

  if not paths:
    raise ImageError(f'no images ({", ".join(SUFFIXES)}) in {folder}')
  return paths


def read_image(path: str | os.PathLike) -> np.ndarray:
  """Reads an image as RGB.

  Grey becomes three equal channels, transparency is composed over white, 16-bit grey is reduced to
  8 bits and an EXIF orientation is applied.

  Args:
    path: File of any format that Pillow reads.

  Returns:
    `uint8[height, width, 3]`.

  Raises:
    ImageError: if the image can't be read; names the file.
  """
  with opened(path) as image:
    return np.asarray(_to_rgb(image))


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator[Image.Image]:
  """Opens an image; any exception in the context becomes an `ImageError` that names the file.

  Args:
    path: File of any format that Pillow reads.

  Yields:
    The image, whose pixels are not decoded yet.

  Raises:
    ImageError: if the image can't be opened or decoded.
  """
  try:
    with files.opened(path) as file, Image.open(file) as image:
      yield image
  except Exception as error:  # of a damaged file Pillow raises nearly anything
    raise ImageError(f'cannot read image {path}: {error}') from error


def image_hash(image: np.ndarray) -> str:
  """Returns the SHA-256 of an image's size and pixels, whatever file they came from.

  Args:
    image: `uint8[height, width, 3]`, RGB.

  Returns:
    Hexadecimal digest of `f'{height}x{width}'` followed by the pixels in order.

  Raises:
    ValueError: if `image` has another shape or dtype.
  """
  if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
    raise ValueError(f'image_hash needs uint8[height, width, 3], not {image.dtype}{image.shape}')
  height, width = image.shape[:2]
  return hashlib.sha256(f'{height}x{width}'.encode() + image.tobytes()).hexdigest()


def encode(image: np.ndarray, format: str, **options: Any) -> bytes:
  """Returns an image as a file.

  Args:
    image: `uint8[height, width, 3]`, RGB.
    format: Format by Pillow's name, such as `png`.
    **options: Options of Pillow's writer.
  """
  buffer = io.BytesIO()
  Image.fromarray(image).save(buffer, format, **options)
  return buffer.getvalue()


def decode(data: bytes) -> np.ndarray:
  """Returns the image of a file, `uint8[height, width, 3]`, RGB."""
  with Image.open(io.BytesIO(data)) as image:
    return np.array(image.convert('RGB'))


def _to_rgb(image: Image.Image) -> Image.Image:
  image = ImageOps.exif_transpose(image)

  if image.mode == 'F':
    raise ValueError('floating-point pixels have no agreed range; convert it to 8 or 16 bits')
  if image.mode.startswith('I'):
    # 65535 / 257 = 255. Pillow's own conversion clips at 255 instead.
    values = np.round(np.asarray(image, np.float64) / 257)
    image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))

  if 'A' in image.getbands() or 'transparency' in image.info:
    image = image.convert('RGBA')
    white = Image.new('RGBA', image.size, 'white')
    return Image.alpha_composite(white, image).convert('RGB')
  return image.convert('RGB')
