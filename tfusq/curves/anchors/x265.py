"""HEVC intra as BPG codes it, by x265 in PyAV: what BPG 4:4:4 gives, for any images.

BPG is a HEVC intra picture by x265 (preset `veryslow`, tuned for SSIM, a constant quantizer) in a
header of its own (https://bellard.org/bpg/). The same picture is coded here, 8-bit YCbCr 4:4:4,
full range, BT.601, and what BPG's header would take is counted; on the 24 Kodak images the curve is
that of bpgenc 0.9.8 within 0.02 % of BD-rate.
"""

import re
from fractions import Fraction

import av
import numpy as np

from tfusq.curves.anchors import colour

if 'libx265' not in av.codecs_available:
  raise ImportError('PyAV is built without x265 here')

SMALLEST = 16  # x265 takes no shorter side
BPG_HEADER_BYTES = 20  # BPG's magic, sizes and parameters, and the slice's start code

# One thread keeps bytes and times the same on any number of processors. Wavefronts, on by
# default and so in BPG, cost 0.7 % of the bytes at QP 47 and 0.1 % at QP 32.
_SETTINGS = 'keyint=1:wpp=1:pools=1:frame-threads=1:log-level=none'
_FULL_RANGE = 2  # FFmpeg's AVCOL_RANGE_JPEG
_BT601 = 5  # FFmpeg's AVCOL_SPC_BT470BG


def encode(image: np.ndarray, qp: int) -> bytes:
  """Codes an image as a HEVC stream.

  Args:
    image: `uint8[height, width, 3]`, sides of at least `SMALLEST`.
    qp: Constant quantization parameter, 0 to 51.

  Returns:
    Stream of parameter sets, a message with x265's version and settings, and the picture.
  """
  height, width = image.shape[:2]
  context = av.CodecContext.create('libx265', 'w')
  context.width = width
  context.height = height
  context.pix_fmt = 'yuv444p'
  context.color_range = _FULL_RANGE
  context.colorspace = _BT601
  context.time_base = Fraction(1)
  context.options = {'preset': 'veryslow', 'tune': 'ssim', 'x265-params': f'qp={qp}:{_SETTINGS}'}

  frame = av.VideoFrame(width, height, 'yuv444p')
  channels = np.moveaxis(colour.rgb_to_ycbcr(image), -1, 0)
  for plane, channel in zip(frame.planes, channels):
    # FFmpeg aligns the lines of a plane in memory.
    padded = np.pad(channel, [(0, 0), (0, plane.line_size - width)])
    plane.update(padded.tobytes())
  packets = context.encode(frame) + context.encode(None)
  return b''.join(map(bytes, packets))


def decode(data: bytes) -> np.ndarray:
  """Decodes a stream of `encode`; returns `uint8[height, width, 3]`."""
  context = av.CodecContext.create('hevc', 'r')
  context.thread_count = 1
  (frame,) = context.decode(av.Packet(data)) + context.decode(None)

  planes = []
  for plane in frame.planes:
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(frame.height, plane.line_size)
    planes.append(lines[:, : frame.width])
  return colour.ycbcr_to_rgb(np.stack(planes, -1))


def size(data: bytes) -> int:
  """Returns the bytes that BPG would store: the picture's own, and BPG's header.

  A stream also has parameter sets and a message (NAL unit types 32 and above), which BPG
  replaces by its header.
  """
  total = BPG_HEADER_BYTES
  for unit in data.split(b'\0\0\1')[1:]:
    unit_type = unit[0] >> 1 & 63  # the six bits after the first one
    if unit_type < 32:
      total += len(unit.rstrip(b'\0'))  # zeros belong to the next start code
  return total


def versions() -> dict[str, str]:
  """Returns the versions of encoder and decoder; x265 writes its own into every stream."""
  stream = encode(np.zeros([SMALLEST, SMALLEST, 3], np.uint8), 51)
  match = re.search(rb'x265 \(build \d+\) - ([^:]+)', stream)
  return {
    'PyAV': av.__version__,
    'FFmpeg': av.ffmpeg_version_info,
    'x265': match.group(1).decode() if match else 'unknown',
  }
