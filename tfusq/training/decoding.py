"""Decoding a part of a photograph, by TensorFlow where it gives Pillow's pixels.

TensorFlow decodes a PNG in about half of Pillow's time, and the part of a JPEG that a patch shows
in a third to a seventh of it. Which files it decodes is decided by what their headers say, and by a
sample of each kind that both have decoded to the same pixels in this process.
"""

import contextlib
import functools
import io
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from tfusq import image_files
from tfusq.files import AnyPath
from tfusq.image_files import ImageError

# Colours of which a JPEG has fewer samples are interpolated from neighbours two pixels away, and
# TensorFlow takes the edges of a part for edges of the photograph.
_MARGIN = 8

# Factors of the first component of a JPEG with three, and Pillow's names of them. Other factors are
# interpolated in ways that changed between versions of libjpeg-turbo.
_SUBSAMPLINGS = {(1, 1): 0, (2, 1): 1, (2, 2): 2}
# Last marker of a JPEG.
_END_OF_JPEG = b'\xff\xd9'

# Chunks of a PNG that can't change its pixels; orientations may be in others, and in text.
_PLAIN_CHUNKS = frozenset(
  (b'IHDR', b'IDAT', b'IEND', b'PLTE', b'iCCP', b'sRGB', b'gAMA', b'cHRM', b'pHYs', b'tIME')
)
_TEXT_CHUNKS = frozenset((b'tEXt', b'zTXt', b'iTXt'))
_ORIENTING_TEXTS = (b'Raw profile', b'XML:')

# Kinds of files that TensorFlow decodes: JPEG of grey, or with subsamplings, and PNG.
_GREY_JPEG = 'JPEG grey'
_PNG = 'PNG'


class Box(NamedTuple):
  """A rectangle of pixels in a photograph.

  Attributes:
    top: First row.
    left: First column.
    height: Number of rows.
    width: Number of columns.
  """

  top: int
  left: int
  height: int
  width: int

  def of(self, image: np.ndarray) -> np.ndarray:
    """Returns its pixels of an image."""
    return image[self.top : self.top + self.height, self.left : self.left + self.width]


class Form(NamedTuple):
  """What a file's header says.

  Attributes:
    height: Number of rows of the picture as it is read, which an orientation may turn.
    width: Number of columns.
    kind: Kind of files that TensorFlow decodes; empty if Pillow decodes this one.
  """

  height: int
  width: int
  kind: str

  @property
  def box(self) -> Box:
    """Whole photograph."""
    return Box(0, 0, self.height, self.width)


class Decoded(NamedTuple):
  """A photograph in memory.

  Attributes:
    image: `uint8[height, width, 3]`.
  """

  image: np.ndarray

  @property
  def height(self) -> int:
    """Number of rows."""
    return self.image.shape[0]

  @property
  def width(self) -> int:
    """Number of columns."""
    return self.image.shape[1]

  def part(self, box: Box) -> np.ndarray:
    """Returns the pixels of a part."""
    return box.of(self.image)


class Encoded(NamedTuple):
  """A photograph as its file.

  Attributes:
    path: Its file, for messages.
    data: Content of the file.
    form: Form of the file.
  """

  path: AnyPath
  data: bytes
  form: Form

  @property
  def height(self) -> int:
    """Number of rows."""
    return self.form.height

  @property
  def width(self) -> int:
    """Number of columns."""
    return self.form.width

  def part(self, box: Box) -> np.ndarray:
    """Decodes a part; raises an `ImageError` that names the file if that fails."""
    return decode(self.path, self.data, self.form, box)


def read_form(path: AnyPath, data: bytes) -> Form:
  """Reads the header of a photograph.

  Args:
    path: Its file, for messages.
    data: Content of the file.

  Raises:
    ImageError: if it is no image; names the file.
  """
  with image_files.opened(path, data=data) as image:
    width, height = image.size
    kind = _kind(image, data)
    # What TensorFlow decodes is upright; asking a PNG would decode it.
    is_turned = not kind and image_files.orientation(image) >= 5
    return Form(width, height, kind) if is_turned else Form(height, width, kind)


def decode(path: AnyPath, data: bytes, form: Form, box: Box) -> np.ndarray:
  """Decodes a part of a photograph.

  Args:
    path: Its file, for messages.
    data: Content of the file.
    form: Form of the file.
    box: The part.

  Returns:
    `uint8[box.height, box.width, 3]`, the pixels that `read_image` gives there.

  Raises:
    ImageError: if it can't be decoded; names the file.
  """
  # Of a JPEG that was cut TensorFlow reads what is left; Pillow says what is wrong.
  is_whole = form.kind == _PNG or data.endswith(_END_OF_JPEG)
  if form.kind and is_whole and _is_exact(form.kind):
    with contextlib.suppress(tf.errors.OpError):
      return _decode_by_tensorflow(data, form, box)

  image = image_files.read_image(path, data=data)
  if image.shape[:2] != (form.height, form.width):
    raise ImageError(f'cannot read image {path}: it was changed while it was used')
  return box.of(image)


def _kind(image: Any, data: bytes) -> str:
  """Returns the kind of a file that TensorFlow decodes, or an empty text for all others."""
  if not image_files.is_plain(image):
    return ''
  if image.format == 'JPEG':
    return _kind_of_jpeg(image) if image_files.orientation(image) == 1 else ''
  if image.format == 'PNG' and image.tile[0].args == image.mode and _has_plain_chunks(data):
    return _PNG
  return ''


def _kind_of_jpeg(image: Any) -> str:
  if image.bits != 8:
    return ''
  factors = [(horizontal, vertical) for _, horizontal, vertical, _ in image.layer]
  if factors == [(1, 1)]:
    return _GREY_JPEG
  if len(factors) != 3 or factors[1:] != [(1, 1), (1, 1)] or factors[0] not in _SUBSAMPLINGS:
    return ''
  return f'JPEG {_SUBSAMPLINGS[factors[0]]}'


def _has_plain_chunks(data: bytes) -> bool:
  """Returns whether a PNG has only chunks that leave its pixels as they are."""
  place = 8
  while place + 8 <= len(data):
    length = int.from_bytes(data[place : place + 4], 'big')
    name = data[place + 4 : place + 8]
    text = data[place + 8 : place + 8 + len(_ORIENTING_TEXTS[0])]
    is_harmless_text = name in _TEXT_CHUNKS and not text.startswith(_ORIENTING_TEXTS)
    if name not in _PLAIN_CHUNKS and not is_harmless_text:
      return False
    place += length + 12
  return True


def _decode_by_tensorflow(data: bytes, form: Form, box: Box) -> np.ndarray:
  """Decodes a part; an `OpError` if TensorFlow can't."""
  with tf.device('CPU:0'):
    if form.kind == _PNG:
      return box.of(np.asarray(tf.io.decode_png(data, channels=3)))

    bottom = min(box.top + box.height + _MARGIN, form.height)
    right = min(box.left + box.width + _MARGIN, form.width)
    top = max(box.top - _MARGIN, 0)
    left = max(box.left - _MARGIN, 0)
    part = tf.io.decode_and_crop_jpeg(
      data,
      [top, left, bottom - top, right - left],
      channels=3,
      # Pillow's; the faster one has other pixels.
      dct_method='INTEGER_ACCURATE',
    )
  return box._replace(top=box.top - top, left=box.left - left).of(np.asarray(part))


@functools.cache
def _is_exact(kind: str) -> bool:
  """Returns whether TensorFlow and Pillow decode a sample of a kind to the same pixels."""
  noise = np.random.default_rng(0).integers(0, 256, [50, 70, 3], np.uint8)
  sample = Image.fromarray(noise).resize((210, 150), Image.Resampling.BILINEAR)
  options: dict[str, Any] = {'format': 'PNG'}
  if kind != _PNG:
    options = {'format': 'JPEG', 'quality': 85}
    if kind == _GREY_JPEG:
      sample = sample.convert('L')
    else:
      options['subsampling'] = int(kind[-1])

  buffer = io.BytesIO()
  sample.save(buffer, **options)
  form = Form(150, 210, kind)
  box = Box(37, 51, 70, 90)
  expected = box.of(image_files.decode(buffer.getvalue()))
  is_exact = np.array_equal(_decode_by_tensorflow(buffer.getvalue(), form, box), expected)
  if not is_exact:
    image_files.warn_once(
      f'this TensorFlow and this Pillow decode {kind.split()[0]} differently; Pillow does it all'
    )
  return is_exact
