"""Conventional codecs that code any images, to compare a learned codec with on the same ones.

`x265` stands for BPG 4:4:4. The others are those of JPEG, JPEG 2000, WebP, AVIF and JPEG XL that
Pillow writes here, at settings that do the format justice, 4:4:4 where it has that, with points
from about 0.1 (JPEG: 0.2) to 2 bits per pixel on the Kodak images. Bytes are those of the file, for
x265 those of BPG's file. Encoders that could use several threads have one, so that neither bytes
nor times depend on the number of processors.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tfusq import image_files
from tfusq.curves.anchors import AnchorError, formats


class CodedImage(NamedTuple):
  """An image that was coded and decoded.

  Attributes:
    bytes: Size of the file.
    decoded: `uint8[height, width, 3]`, decoded from the file.
    encode_seconds: Wall time from pixels to bytes.
    decode_seconds: Wall time from bytes to pixels.
  """

  bytes: int
  decoded: np.ndarray
  encode_seconds: float
  decode_seconds: float


@dataclass(frozen=True)
class LiveAnchor:
  """A conventional codec and the settings at which it is an anchor.

  Attributes:
    name: Name on the command line.
    description: Coder and settings, in a line.
    points: Quality settings of its curve, lowest rate first.
    encode: Function from an image and a point to a file.
    decode: Function from a file to an image.
    size: Function from a file to the number of bytes that count.
    smallest: Shortest side that the coder takes; smaller images are extended by their edge.
  """

  name: str
  description: str
  points: tuple[int, ...]
  encode: Callable[[np.ndarray, int], bytes]
  decode: Callable[[bytes], np.ndarray] = image_files.decode
  size: Callable[[bytes], int] = len
  smallest: int = 1

  def code(self, image: np.ndarray, point: int) -> CodedImage:
    """Codes and decodes an image.

    Args:
      image: `uint8[height, width, 3]`.
      point: Quality setting; any that the coder takes, not only one of `points`.

    Raises:
      AnchorError: if the coder does not take the image, which may be too large, or the point, or
        does not decode what it coded.
    """
    height, width = image.shape[:2]
    start = time.perf_counter()
    missing_rows = max(self.smallest - height, 0)
    missing_columns = max(self.smallest - width, 0)
    padding = [(0, missing_rows), (0, missing_columns), (0, 0)]
    try:
      data = self.encode(np.pad(image, padding, 'edge'), point)
    except Exception as error:  # each coder raises errors of its own
      raise AnchorError(
        f'{self.name} cannot code {width}x{height} pixels at point {point}: {error}'
      ) from error
    encoded = time.perf_counter()
    try:
      pixels = self.decode(data)[:height, :width]
    except Exception as error:  # Pillow decodes no more than 179 million pixels, for example
      raise AnchorError(
        f'{self.name} cannot decode its {width}x{height} pixels at point {point}: {error}'
      ) from error
    return CodedImage(
      bytes=self.size(data),
      decoded=pixels,
      encode_seconds=encoded - start,
      decode_seconds=time.perf_counter() - encoded,
    )


def _by_quality(name, **options):
  """Returns an encoder of a format of Pillow whose setting is called quality."""
  return lambda image, quality: image_files.encode(image, name, quality=quality, **options)


def _jpeg2000(image, ratio):
  return image_files.encode(
    image,
    'JPEG2000',
    quality_mode='rates',
    quality_layers=[ratio],
    irreversible=True,
    mct=1,
    no_jp2=True,
  )


_FORMATS = {
  'JPEG': LiveAnchor(
    'jpeg',
    'JPEG by libjpeg-turbo, 4:2:0, progressive, optimized Huffman tables; quality',
    (5, 10, 20, 40, 60, 80, 90),
    _by_quality('JPEG', subsampling='4:2:0', progressive=True, optimize=True),
  ),
  'JPEG2000': LiveAnchor(
    'jpeg2000',
    'JPEG 2000 by OpenJPEG, 4:4:4, irreversible transforms, codestream without '
    'file boxes; compression ratio, the same for every image',
    (240, 120, 60, 30, 20, 12),
    _jpeg2000,
  ),
  'WEBP': LiveAnchor(
    'webp',
    'WebP by libwebp, lossy, 4:2:0 (it has no other), method 6; quality',
    (0, 5, 20, 40, 60, 75, 90),
    _by_quality('WEBP', method=6),
  ),
  'AVIF': LiveAnchor(
    'avif',
    'AVIF by libaom, 8 bits, 4:4:4, full range, speed 4, tuned for PSNR, one thread; quality',
    (5, 15, 25, 40, 55, 80),
    _by_quality(
      'AVIF',
      codec='aom',
      subsampling='4:4:4',
      range='full',
      speed=4,
      max_threads=1,
      advanced={'tune': 'psnr'},
    ),
  ),
  'JXL': LiveAnchor(
    'jxl',
    'JPEG XL by libjxl, lossy (XYB, 4:4:4), effort 7, one thread; quality',
    (0, 5, 20, 40, 60, 75, 90),
    _by_quality('JXL', effort=7, num_threads=0),
  ),
}
NAMES = 'x265', *(anchor.name for anchor in _FORMATS.values())


def available() -> dict[str, LiveAnchor]:
  """Returns the anchors that are available here, by name; `x265` stands for BPG 4:4:4."""
  anchors = []
  x265 = _import_x265()
  if x265:
    anchors.append(
      LiveAnchor(
        'x265',
        'HEVC intra by x265 as in BPG 4:4:4, 8-bit YCbCr, preset veryslow, tuned for SSIM, '
        'one thread, size as in BPG; constant QP',
        (47, 42, 37, 32, 27, 22),
        x265.encode,
        x265.decode,
        x265.size,
        x265.SMALLEST,
      ),
    )
  for format_name, anchor in _FORMATS.items():
    if formats.is_available(format_name):
      anchors.append(anchor)
  return {anchor.name: anchor for anchor in anchors}


def find_live(name: str) -> LiveAnchor:
  """Returns an anchor by name.

  Raises:
    AnchorError: if there is none of that name, or what it needs is not installed.
  """
  if name not in NAMES:
    raise AnchorError(f'no live anchor {name}; there are {", ".join(NAMES)}')
  anchors = available()
  if name not in anchors:
    package = 'pillow-jxl-plugin' if name == 'jxl' else "'tfusq[anchor]'"
    raise AnchorError(
      f'live anchor {name} needs what is not installed here: pip install '
      f'{package}; without it there are {", ".join(anchors)}'
    )
  return anchors[name]


def versions() -> dict[str, str]:
  """Returns the versions of the libraries that code the available anchors, by name."""
  by_library = formats.versions()
  x265 = _import_x265()
  if x265:
    by_library |= x265.versions()
  return by_library


def _import_x265():
  """Returns the module, or None where PyAV is not installed or has no x265."""
  try:
    from tfusq.curves.anchors import x265
  except ImportError:
    return None
  return x265
