"""Image files: finding them in a folder, reading them as 8-bit sRGB, and writing them.

Everything in the package that reads an image does so by `read_image`, so that training, evaluation
and compressing see the same pixels. `opening` says which files hold one image, `colours` converts
by ICC profiles, and `folders` lists the images of a folder.
"""

from tfusq.image_files.folders import list_images
from tfusq.image_files.opening import ImageError, opened, warn_once
from tfusq.image_files.reading import (
  decode,
  encode,
  image_hash,
  is_plain,
  orientation,
  read_image,
)

__all__ = [
  'ImageError',
  'decode',
  'encode',
  'image_hash',
  'is_plain',
  'list_images',
  'opened',
  'orientation',
  'read_image',
  'warn_once',
]
