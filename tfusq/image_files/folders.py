"""The images of a folder, and what is left out of them."""

import collections
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from tfusq import files
from tfusq.files import AnyPath
from tfusq.image_files.opening import ImageError, warn_once

# Formats of which Pillow knows the suffixes, but has no pixels without another program: data sets,
# films, pages and drawings.
_WITHOUT_PIXELS = frozenset({'BUFR', 'EPS', 'GRIB', 'HDF5', 'MPEG', 'PDF', 'WMF'})
# Read as JPEG, so that Pillow lists no reader of it.
_MPO = 'MPO'
# Most suffixes that are counted one by one in what is said.
_SHOWN = 5


def list_images(folder: str | os.PathLike) -> list[Path]:
  """Lists the images of a folder and its sub-folders, by the suffixes that Pillow reads.

  Files and folders whose names begin with a dot are hidden and do not count. Links are followed,
  and a file that is reached more than once counts once. A warning counts the files left out.

  Args:
    folder: Folder of images.

  Returns:
    Paths, sorted.

  Raises:
    ImageError: if there is no such folder, or it holds no images.
  """
  top = files.to_path(folder)
  if not top.is_dir():
    raise ImageError(f'no folder {folder}')

  suffixes = _suffixes()
  images: list[Any] = []  # paths in a store have the methods of `Path`
  others: list[AnyPath] = []
  for path in files.walk(top):
    is_image = path.suffix.lower() in suffixes
    (images if is_image else others).append(path)

  left_out = f'{len(others)} {"file" if len(others) == 1 else "files"} left out: no images'
  left_out += f' ({_counts(others)})'
  if not images:
    raise ImageError(f'no images in {folder}' + (f'; {left_out}' if others else ''))
  if others:
    warn_once(f'{folder}: {left_out}')
  return images


def _suffixes() -> frozenset[str]:
  """Returns the suffixes of the formats that Pillow, with its plugins, reads."""
  formats_by_suffix = Image.registered_extensions()  # which loads the plugins
  readable = (Image.OPEN.keys() | {_MPO}) - _WITHOUT_PIXELS
  return frozenset(suffix for suffix, name in formats_by_suffix.items() if name in readable)


def _counts(paths: Iterable[AnyPath]) -> str:
  """Returns the most frequent suffixes with their counts, such as `.txt 2, .mp4 1`."""
  counts = collections.Counter(path.suffix.lower() or 'without a suffix' for path in paths)
  shown = [f'{suffix} {count}' for suffix, count in counts.most_common(_SHOWN)]
  rest = counts.total() - sum(count for _, count in counts.most_common(_SHOWN))
  if rest:
    shown.append(f'others {rest}')
  return ', '.join(shown)
