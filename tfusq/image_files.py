"""Image files: finding them in a folder, reading them as 8-bit RGB, and writing them."""

import contextlib
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from tfusq.errors import Error

SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp')


class ImageError(Error, ValueError):
  """An image, or a folder of them, that can't be read; names it."""


def list_images(folder: str | os.PathLike) -> list[Path]:
  """Returns the PNG, JPEG and WebP files below a folder, sorted.

  Raises:
    ImageError: if it is no folder or holds none.
  """
  folder = Path(folder)
  if not folder.is_dir():
    raise ImageError(f'no folder {folder}')
  files = sorted(
    path for path in folder.rglob('*') if path.suffix.lower() in SUFFIXES and path.is_file()
  )
  if not files:
    raise ImageError(f'no images ({", ".join(SUFFIXES)}) in {folder}')
  return files


def read_image(path: str | os.PathLike) -> np.ndarray:
  """Reads an image as RGB.

  Grey becomes three equal channels, transparency is composed over white, 16-bit grey is brought to
  8 bits and an EXIF orientation is applied.

  Args:
    path: A file of any format that Pillow reads.

  Returns:
    `uint8[height, width, 3]`.

  Raises:
    ImageError: if it can't be read; names the file.
  """
  with opened(path) as image:
    return np.asarray(_as_rgb(image))


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator[Image.Image]:
  """Opens an image; whatever its decoder raises becomes an `ImageError` that names the file."""
  try:
    with Image.open(path) as image:
      yield image
  except Exception as error:  # damaged files raise nearly anything
    raise ImageError(f'cannot read image {path}: {error}') from error


def image_hash(image: np.ndarray) -> str:
  """Returns the SHA-256 of an image's size and pixels, whatever file they came from.

  Args:
    image: `uint8[height, width, 3]`, RGB.

  Returns:
    Hexadecimal digest of `f'{height}x{width}'` followed by the pixels in order.

  Raises:
    ValueError: if it is no such image.
  """
  if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
    raise ValueError(f'image_hash needs uint8[height, width, 3], not {image.dtype}{image.shape}')
  height, width = image.shape[:2]
  return hashlib.sha256(f'{height}x{width}'.encode() + image.tobytes()).hexdigest()


def _as_rgb(image: Image.Image) -> Image.Image:
  image = ImageOps.exif_transpose(image)
  if image.mode == 'F':
    raise ValueError('floating-point pixels have no agreed range; convert it to 8 or 16 bits')
  if image.mode.startswith('I'):
    values = np.round(np.asarray(image, np.float64) / 257)
    image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
  if 'A' in image.getbands() or 'transparency' in image.info:
    image = image.convert('RGBA')
    return Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image).convert('RGB')
  return image.convert('RGB')


def encode(image: np.ndarray, kind: str, **options) -> bytes:
  """Returns the file of an image, `uint8[height, width, 3]`."""
  buffer = io.BytesIO()
  Image.fromarray(image).save(buffer, kind, **options)
  return buffer.getvalue()


def decode(data: bytes) -> np.ndarray:
  """Decodes a file; returns `uint8[height, width, 3]`."""
  with Image.open(io.BytesIO(data)) as image:
    return np.array(image.convert('RGB'))
