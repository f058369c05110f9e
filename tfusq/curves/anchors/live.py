"""Conventional codecs that code any images, for a curve of one's own beside a learned codec's.

`x265` stands for BPG 4:4:4. The others are what Pillow writes here of JPEG, JPEG 2000, WebP, AVIF
and JPEG XL, at settings that do the format justice, 4:4:4 where it has that, with points from about
0.1 (JPEG: 0.2) to 2 bits per pixel on the Kodak images. Bytes are those of the file, and x265's
those of BPG's file. Encoders that could use several threads have one, so that neither bytes nor
times depend on the number of processors.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tfusq import image_files
from tfusq.curves.anchors import AnchorError, stills


class Coded(NamedTuple):
  """What coding an image gave.

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
    name: By which it is found.
    description: Coder and settings, in a line.
    points: Quality settings of its curve, lowest rate first.
    encode: Gives an image's file at a point.
    decode: Gives a file's image.
    size: Bytes that count of a file.
    smallest: Shortest side that the coder takes; what is smaller is extended by its edge.
  """

  name: str
  description: str
  points: tuple[int, ...]
  encode: Callable[[np.ndarray, int], bytes]
  decode: Callable[[bytes], np.ndarray] = image_files.decode
  size: Callable[[bytes], int] = len
  smallest: int = 1

  def code(self, image: np.ndarray, point: int) -> Coded:
    """Codes and decodes an image.

    Args:
      image: `uint8[height, width, 3]`.
      point: Quality; any that the coder takes, not only one of `points`.

    Raises:
      AnchorError: if the coder does not take the image, which may be too large, or the point.
    """
    height, width = image.shape[:2]
    start = time.perf_counter()
    short = [max(self.smallest - side, 0) for side in (height, width)]
    try:
      data = self.encode(np.pad(image, [(0, short[0]), (0, short[1]), (0, 0)], 'edge'), point)
    except Exception as error:  # each coder raises errors of its own
      raise AnchorError(
        f'{self.name} cannot code {width}x{height} pixels at point {point}: {error}'
      ) from error
    encoded = time.perf_counter()
    decoded = self.decode(data)[:height, :width]
    return Coded(self.size(data), decoded, encoded - start, time.perf_counter() - encoded)


def _by_quality(kind, **options):
  return lambda image, quality: image_files.encode(image, kind, quality=quality, **options)


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


_STILLS = {
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
NAMES = 'x265', *(anchor.name for anchor in _STILLS.values())


def live() -> dict[str, LiveAnchor]:
  """Returns the anchors that can be had here, by name; `x265` stands for BPG 4:4:4."""
  anchors = [anchor for kind, anchor in _STILLS.items() if stills.is_available(kind)]
  if x265 := _import_x265():
    anchors.insert(
      0,
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
  return {anchor.name: anchor for anchor in anchors}


def find_live(name: str) -> LiveAnchor:
  """Returns an anchor by name.

  Raises:
    AnchorError: if there is none of that name, or what it needs is not installed.
  """
  if name not in NAMES:
    raise AnchorError(f'no live anchor {name}; there are {", ".join(NAMES)}')
  found = live()
  if name not in found:
    package = 'pillow-jxl-plugin' if name == 'jxl' else "'tfusq[anchor]'"
    raise AnchorError(
      f'live anchor {name} needs what is not installed here: pip install '
      f'{package}; without it there are {", ".join(found)}'
    )
  return found[name]


def versions() -> dict[str, str]:
  """Returns the versions of the libraries that `live()` stands on."""
  x265 = _import_x265()
  return stills.versions() | (x265.versions() if x265 else {})


def _import_x265():
  """Returns the module, or nothing where PyAV is not installed or has no x265."""
  try:
    from tfusq.curves.anchors import x265
  except ImportError:
    return None
  return x265
