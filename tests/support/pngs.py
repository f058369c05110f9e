"""PNG files of depths and chunks that Pillow does not write."""

import struct
import zlib

SIGNATURE = b'\x89PNG\r\n\x1a\n'
GREY = 0
RGB = 2


def png(
  width: int, height: int, depth: int, colour: int, pixels: bytes = b'', key: bytes | None = None
) -> bytes:
  """Returns a PNG.

  Args:
    width: Width in pixels.
    height: Height in pixels.
    depth: Number of bits of each value.
    colour: Kind of pixels, `GREY` or `RGB`.
    pixels: Rows one after another; if empty, the file has a header but no pixels.
    key: Colour that is transparent, two bytes for each value.
  """
  header = struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, 0)
  data = SIGNATURE + _chunk(b'IHDR', header)
  if key:
    data += _chunk(b'tRNS', key)
  row_bytes = len(pixels) // height
  rows = [b'\0' + pixels[row * row_bytes : (row + 1) * row_bytes] for row in range(height)]
  if pixels:
    data += _chunk(b'IDAT', zlib.compress(b''.join(rows)))
  else:
    data += _chunk(b'IDAT', b'')
  return data + _chunk(b'IEND', b'')


def _chunk(name: bytes, content: bytes) -> bytes:
  checksum = struct.pack('>I', zlib.crc32(name + content))
  return struct.pack('>I', len(content)) + name + content + checksum
