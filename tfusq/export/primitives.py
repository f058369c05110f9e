"""Memory that TensorFlow keeps for each size of an image.

Where the processor has instructions for neural networks, TensorFlow convolves by oneDNN, which
compiles each convolution for each shape that it meets. TensorFlow keeps a thousand of these of
every kind in every thread, about a megabyte for each size of an image even of a small codec, and
some for good. A folder of photographs that all differ would fill the memory. Without oneDNN nothing
is kept, and networks take up to twice as long.
"""

import os
from collections.abc import Iterable, Iterator

from tfusq import files
from tfusq.export import container
from tfusq.files import AnyPath
from tfusq.image_files import ImageError, opened

# TensorFlow reads it when it is imported.
VARIABLE = 'TF_ENABLE_ONEDNN_OPTS'
# More sizes than the usual test sets have, and few enough for a hundred megabytes.
MOST_SIZES = 100

# Height and width in pixels.
Size = tuple[int, int]


def limit(sizes: Iterable[Size]) -> None:
  """Turns oneDNN off if images of many sizes are to be coded, unless the user has decided.

  It has an effect only before TensorFlow is imported.

  Args:
    sizes: Size of each image; no more of them are taken than it needs.
  """
  if VARIABLE in os.environ:
    return
  known = set()
  for size in sizes:
    known.add(size)
    if len(known) > MOST_SIZES:
      os.environ[VARIABLE] = '0'
      return


def remark() -> str:
  """Returns what to add to the description of a machine, on which times depend."""
  return ', oneDNN is off' if os.environ.get(VARIABLE) == '0' else ''


def image_sizes(paths: Iterable[AnyPath]) -> Iterator[Size]:
  """Yields the sizes of the images that can be read, from their headers.

  Args:
    paths: Image files.
  """
  for path in paths:
    try:
      with opened(path) as image:
        width, height = image.size
    except ImageError:  # is reported where the image is read
      continue
    yield height, width


def compressed_sizes(paths: Iterable[AnyPath]) -> Iterator[Size]:
  """Yields the sizes of the images in compressed files that can be read.

  Args:
    paths: Compressed files.
  """
  for path in paths:
    try:
      header = container.read_header(files.read(path))
    except (container.ContainerError, OSError):  # is reported where the file is decompressed
      continue
    yield header.height, header.width
