"""ICC profiles, made from primaries and curves, to embed in images."""

import struct

import numpy as np

# Media white of every profile's connection space: CIE D50.
_D50 = (0.9642, 1.0, 0.8249)
# Columns of matrices from linear RGB to XYZ, adapted to D50.
_DISPLAY_P3 = (
  (0.51512, 0.24120, -0.00105),
  (0.29198, 0.69225, 0.04189),
  (0.15710, 0.06657, 0.78407),
)
_ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
_SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))


def display_p3() -> bytes:
  """Returns Display P3: wider primaries with the curve of sRGB."""
  return rgb(_DISPLAY_P3, _srgb_curve())


def adobe_rgb() -> bytes:
  """Returns Adobe RGB: a wider green, gamma 563/256."""
  return rgb(_ADOBE_RGB, _gamma(563 / 256))


def srgb(curve_points: int = 1024) -> bytes:
  """Returns sRGB, its curve sampled at a number of points."""
  return rgb(_SRGB, _srgb_curve(curve_points))


def swapped() -> bytes:
  """Returns sRGB whose red and blue are exchanged."""
  return rgb(_SRGB[::-1], _srgb_curve())


def rgb(primaries: tuple[tuple[float, float, float], ...], curve: bytes) -> bytes:
  """Returns a profile of RGB.

  Args:
    primaries: XYZ of red, green and blue, adapted to D50.
    curve: Curve of all three, an element of type `curv`.
  """
  elements = [(b'wtpt', _xyz(_D50))]
  for name, primary in zip((b'rXYZ', b'gXYZ', b'bXYZ'), primaries):
    elements.append((name, _xyz(primary)))
  for name in (b'rTRC', b'gTRC', b'bTRC'):
    elements.append((name, curve))
  return _profile(b'RGB ', b'XYZ ', b'mntr', elements)


def grey(gamma: float) -> bytes:
  """Returns a profile of grey with an exponent."""
  return _profile(b'GRAY', b'XYZ ', b'mntr', [(b'wtpt', _xyz(_D50)), (b'kTRC', _gamma(gamma))])


def cmyk(lightness: float) -> bytes:
  """Returns a profile of CMYK whose every ink darkens alike, without a hue.

  Args:
    lightness: L* of paper with one ink, 0 to 100; two inks or more are black.
  """
  nodes = []
  for node in np.ndindex(2, 2, 2, 2):
    level = {0: 100.0, 1: lightness}.get(sum(node), 0.0)
    nodes.append(bytes([round(level * 2.55), 128, 128]))
  ramp = bytes(range(256))
  table = struct.pack('>4s4xBBBx9i', b'mft1', 4, 3, 2, *(65536 * np.eye(3, dtype=int)).ravel())
  table += 4 * ramp + b''.join(nodes) + 3 * ramp
  return _profile(b'CMYK', b'Lab ', b'prtr', [(b'wtpt', _xyz(_D50)), (b'A2B0', table)])


def _profile(space: bytes, connection: bytes, kind: bytes, elements: list[tuple[bytes, bytes]]):
  """Returns a profile of version 2.4."""
  elements = [(b'desc', _description()), (b'cprt', b'text\0\0\0\0none\0'), *elements]
  offset = 128 + 4 + 12 * len(elements)
  table = struct.pack('>I', len(elements))
  body = b''
  for name, element in elements:
    table += struct.pack('>4sII', name, offset + len(body), len(element))
    body += element + bytes(-len(element) % 4)

  size = offset + len(body)
  header = struct.pack('>I4sI4s4s4s', size, b'\0\0\0\0', 0x02400000, kind, space, connection)
  header += struct.pack('>6H', 2024, 1, 1, 0, 0, 0) + b'acsp' + bytes(28)
  header += struct.pack('>3i', *_fixed(_D50))
  return header.ljust(128, b'\0') + table + body


def _description():
  text = b'test\0'
  return b'desc\0\0\0\0' + struct.pack('>I', len(text)) + text + bytes(78)


def _xyz(values):
  return b'XYZ \0\0\0\0' + struct.pack('>3i', *_fixed(values))


def _fixed(values):
  """Returns numbers with 16 bits behind the point."""
  return [round(value * 65536) for value in values]


def _gamma(exponent: float) -> bytes:
  return b'curv\0\0\0\0' + struct.pack('>IH', 1, round(exponent * 256))


def _srgb_curve(points: int = 1024) -> bytes:
  x = np.linspace(0, 1, points)
  y = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
  values = np.round(y * 65535).astype('>u2')
  return b'curv\0\0\0\0' + struct.pack('>I', points) + values.tobytes()
