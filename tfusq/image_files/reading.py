"""Images as arrays of 8-bit sRGB: reading, hashing, encoding and decoding them."""

import hashlib
import io
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps

from tfusq.image_files.colours import counts_as_srgb, to_srgb
from tfusq.image_files.opening import opened

# Factors from the levels of grey with fewer than 8 bits, by Pillow's name, to 255.
_GREY_FACTORS = {'L;2': 85, 'L;4': 17}


def read_image(
  path: str | os.PathLike,
  first_frame: bool = False,
  check_size: Callable[[int, int], None] | None = None,
  data: bytes | None = None,
) -> np.ndarray:
  """Reads an image as sRGB.

  Grey becomes three equal channels, colours are converted to sRGB by an embedded ICC profile,
  transparency is composed over white, 16-bit grey is rounded to 8 bits, of 16-bit colours the high
  bytes are taken, and an EXIF orientation is applied.

  Args:
    path: File of any format that Pillow reads; `-` is standard input.
    first_frame: Whether to take the first picture of a file that holds several.
    check_size: Function that is called with height and width, as they are in the file's header,
      before pixels are decoded, and raises an error of the package to refuse them.
    data: Content of the file, where it was read already.

  Returns:
    `uint8[height, width, 3]`.

  Raises:
    ImageError: if the image can't be read, or holds several pictures; names the file.
  """
  with opened(path, first_frame, data) as image:
    if check_size is not None:
      check_size(image.height, image.width)
    return np.asarray(_to_rgb(_with_exact_key(image), str(path)))


def orientation(image: Image.Image) -> int:
  """Returns the EXIF orientation of an image, 1 to 8; 1 is upright.

  Of a PNG this decodes the pixels, since their end may be followed by it.
  """
  return image.getexif().get(ExifTags.Base.Orientation, 1)


def is_plain(image: Image.Image) -> bool:
  """Returns whether `read_image` gives the pixels of an image as its decoder does.

  So it is with opaque grey or RGB of 8 bits whose colours count as sRGB. An orientation is another
  matter.

  Args:
    image: Image whose header was read.
  """
  if image.mode not in ('L', 'RGB') or image.has_transparency_data:
    return False
  return counts_as_srgb(image)


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


def _with_exact_key(image):
  """Returns a PNG whose colour key, the one colour that is transparent, is right for Pillow.

  Pillow compares the key as it is stored with levels that it has scaled or cut to 8 bits.
  """
  if image.format != 'PNG' or 'transparency' not in image.info:
    return image

  rawmode = image.tile[0].args
  if rawmode in _GREY_FACTORS:
    image.info['transparency'] *= _GREY_FACTORS[rawmode]
  if rawmode != 'RGB;16B':
    return image

  file = image.fp
  high_bytes = np.asarray(image, np.uint16)
  # Read with the other order of bytes, the same file gives the low bytes.
  file.seek(0)
  with Image.open(file) as low_image:
    low_image.tile = [tile._replace(args='RGB;16L') for tile in low_image.tile]
    low_bytes = np.asarray(low_image, np.uint16)
  values = 256 * high_bytes + low_bytes
  is_opaque = (values != image.info['transparency']).any(axis=-1)
  del image.info['transparency']
  image.putalpha(Image.fromarray(255 * is_opaque.astype(np.uint8)))
  return image


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
  image = ImageOps.exif_transpose(image)
  if image.mode == 'F':
    raise ValueError('floating-point pixels have no agreed range; convert it to 8 or 16 bits')
  if image.mode.startswith('I'):
    image = _as_16_bits(image)

  alpha = _alpha(image)
  rgb = to_srgb(_opaque(image), name)
  if alpha is None:
    return rgb

  rgb.putalpha(alpha)
  white = Image.new('RGBA', rgb.size, 'white')
  return Image.alpha_composite(white, rgb).convert('RGB')


def _as_16_bits(image):
  """Returns grey of 16 or 32 bits, in whatever order of bytes, as `I;16`."""
  values = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
  converted = Image.fromarray(values)
  converted.info = image.info
  return converted


def _alpha(image: Image.Image) -> Image.Image | None:
  """Returns the opacity of each pixel, of mode `L`, or None if all are opaque."""
  if image.mode != 'I;16':
    return image.convert('RGBA').getchannel('A') if image.has_transparency_data else None
  if 'transparency' not in image.info:
    return None
  is_opaque = np.asarray(image) != image.info['transparency']
  return Image.fromarray(255 * is_opaque.astype(np.uint8))


def _opaque(image: Image.Image) -> Image.Image:
  """Returns an image without transparency, in a mode to which colour profiles apply."""
  if image.mode in ('L', 'I;16', 'RGB', 'CMYK', 'LAB'):
    return image
  if image.mode in ('1', 'LA'):
    return image.convert('L')
  if image.has_transparency_data:
    image = image.convert('RGBA')
  return image.convert('RGB')
