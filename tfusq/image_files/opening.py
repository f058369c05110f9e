"""Opening image files: their headers, and the one picture that counts."""

import contextlib
import functools
import io
import os
import threading
from collections.abc import Iterator
from typing import BinaryIO

from absl import logging
from PIL import Image, UnidentifiedImageError

from tfusq import files
from tfusq.errors import Error

# Larger images are refused before memory is asked for; in RGB this is 1.6 GB.
MAX_PIXELS = 2**29

# Tag of TIFF that tells what a page is, and its bits for a smaller copy of another page and for a
# transparency mask, neither of which is a picture of its own.
_SUBFILE_TYPE = 254
_SMALLER_COPY = 1
_MASK = 4
# Tag of MPO with an entry for each picture, and how the types of those begin that are views of
# equal rank: of a stereo pair, of a panorama, from several angles.
_ENTRIES = 0xB002
_VIEW = 'Multi-Frame'

_limit_lock = threading.Lock()


class ImageError(Error, ValueError):
  """An image, or a folder of images, that can't be read or written; names it."""


@functools.cache
def warn_once(message: str) -> None:
  """Logs a warning, unless it was logged before: training reads an image many times."""
  logging.warning('%s', message)


@contextlib.contextmanager
def opened(
  path: str | os.PathLike, first_frame: bool = False, data: bytes | None = None
) -> Iterator[Image.Image]:
  """Opens an image; exceptions in the context become an `ImageError` that names the file.

  Errors of the package pass as they are.

  A file must hold one picture. The previews and gain maps that phones and cameras append to a
  JPEG, smaller copies and masks in a TIFF, layers and an icon's sizes do not count.

  Args:
    path: File of any format that Pillow reads; `-` is standard input.
    first_frame: Whether to take the first picture of a file that holds several.
    data: Content of the file, where it was read already.

  Yields:
    The image, whose pixels are not decoded yet.

  Raises:
    ImageError: if the image can't be opened or decoded, is too large, or holds several pictures.
  """
  try:
    with _content(path, data) as file, _open(file) as image:
      width, height = image.size
      if width * height > MAX_PIXELS:
        raise ValueError(f'{width}x{height} pixels; at most {MAX_PIXELS} are read')

      pictures = _pictures(image)
      if len(pictures) > 1 and not first_frame:
        raise ValueError(
          f'it holds {len(pictures)} pictures, such as frames or pages, and one is expected; '
          '`tfusq compress --first_frame` takes the first'
        )
      if pictures[0] != 0:
        image.seek(pictures[0])
      yield image
  except Error:
    raise
  except Exception as error:  # of a damaged file Pillow raises nearly anything
    raise ImageError(f'cannot read image {path}: {_reason(error)}') from error


def _reason(error: Exception) -> str:
  """Returns why an image can't be read; Pillow's and the system's own words repeat the path."""
  if isinstance(error, UnidentifiedImageError):
    return 'it is damaged, or of a format that Pillow does not read'
  if isinstance(error, OSError) and error.strerror:
    return error.strerror
  return str(error)


def _content(
  path: str | os.PathLike, data: bytes | None
) -> contextlib.AbstractContextManager[BinaryIO]:
  return files.opened(path) if data is None else io.BytesIO(data)


def _open(file):
  """Opens an image without Pillow's own limit, which is less than some cameras have.

  The limit is global. It is lifted only while a header is read, since it belongs to the program.
  """
  with _limit_lock:
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
      return Image.open(file)
    finally:
      Image.MAX_IMAGE_PIXELS = limit


def _pictures(image: Image.Image) -> list[int]:
  """Returns the numbers of the frames that are pictures of their own."""
  if image.format == 'TIFF':
    return _pages(image)
  if not getattr(image, 'is_animated', False):
    return [0]
  if image.format == 'PSD':
    return [0]  # layers of one picture

  frames = list(range(image.n_frames))
  if image.format == 'MPO':
    types = [entry['Attribute']['MPType'] for entry in image.mpinfo[_ENTRIES]]
    frames = [frame for frame in frames if types[frame].startswith(_VIEW)]
  return frames or [0]


def _pages(image) -> list[int]:
  """Returns the numbers of the frames of a TIFF that are neither smaller copies nor masks."""
  pages = []
  for frame in range(image.n_frames):
    image.seek(frame)
    if not image.tag_v2.get(_SUBFILE_TYPE, 0) & (_SMALLER_COPY | _MASK):
      pages.append(frame)

  image.seek(0)
  if not pages:
    raise ValueError(
      "it holds only a smaller copy of its picture, as cameras' raw files do; convert it first"
    )
  return pages
