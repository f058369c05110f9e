"""Layout of a compressed file, and reading its header without TensorFlow.

A file is a header followed by the sections, which are the strings of the range coder, one after
the other. `FIELDS` lists the header's fields in their order; integers are little-endian. The
operations that pack and check a file run inside the exported codec and are in `container_ops`.

A codec refuses a file, or an image, by a failed assertion in its graph, so that clients without
tfusq are protected as well. `container_ops.verified` makes these assertions and `refusal` finds
their message in TensorFlow's error.
"""

import itertools
import re
import struct
from typing import NamedTuple

from tfusq.errors import Error

MAGIC = b'USQ'
VERSION = 1
MAX_SIDE = 2**16 - 1
MAX_PIXELS = 2**25  # 8K; a forged header must not ask for all memory
IMAGE = 'an image has the type uint8, values from 0 to 255, and the shape height x width x 3'
IMAGE_LIMITS = f'an image has 1 to {MAX_SIDE} rows and columns, and at most {MAX_PIXELS} pixels'

_REFUSAL = re.compile(r'assertion failed: \[(.*?)\]')


class ContainerError(Error, ValueError):
  """A compressed file, or a folder of them, that can't be read.

  It is missing, foreign, of another version, truncated or corrupt.
  """


class Field(NamedTuple):
  """One field of the header.

  Attributes:
    name: Name of the field.
    format: Format of one value, for the module `struct`.
    repeats: Name of the field that says how many values there are; None for one value.
  """

  name: str
  format: str
  repeats: str | None = None

  @property
  def size(self) -> int:
    """Length of one value in bytes."""
    return struct.calcsize(f'<{self.format}')


FIELDS = (
  Field('magic', '3s'),
  Field('version', 'B'),
  Field('identity', '8s'),  # identity of the codec that wrote the file
  Field('height', 'H'),  # pixels
  Field('width', 'H'),  # pixels
  Field('sections', 'B'),  # number of sections
  Field('parts', 'B'),  # number of parts whose table indexes are checked
  Field('lengths', 'I', 'sections'),  # length of each section in bytes
  Field('checks', '4s', 'parts'),  # fingerprint of each part's table indexes
  Field('checksum', '4s'),  # fingerprint of everything else in the file, sections included
)
SIZES = {field.name: field.size for field in FIELDS}
IDENTITY_BYTES = SIZES['identity']

# The fields in front of the first repeated one, which have the same offsets in every file.
_FIXED_FIELDS = tuple(itertools.takewhile(lambda field: field.repeats is None, FIELDS))
_FIXED = struct.Struct('<' + ''.join(field.format for field in _FIXED_FIELDS))


class Header(NamedTuple):
  """Header of a file.

  Attributes:
    version: Format version.
    identity: Identity of the codec that wrote the file, 8 bytes.
    height: Height of the image in pixels.
    width: Width of the image in pixels.
    sections: Length of each section in bytes.
    parts: Number of parts whose table indexes are checked.
  """

  version: int
  identity: bytes
  height: int
  width: int
  sections: tuple[int, ...]
  parts: int

  @property
  def bytes(self) -> int:
    """Length of the header in bytes."""
    return header_bytes(len(self.sections), self.parts)


def positions(sections: int, parts: int) -> dict[str, slice]:
  """Returns the bytes of each field.

  Args:
    sections: Number of sections.
    parts: Number of parts whose table indexes are checked.

  Returns:
    Positions by the fields' names; a repeated field has all its values in one slice.
  """
  repeats = {None: 1, 'sections': sections, 'parts': parts}
  slices = {}
  start = 0

  for field in FIELDS:
    stop = start + repeats[field.repeats] * field.size
    slices[field.name] = slice(start, stop)
    start = stop

  return slices


def header_bytes(sections: int, parts: int) -> int:
  """Returns the length of a header in bytes.

  Args:
    sections: Number of sections.
    parts: Number of parts whose table indexes are checked.
  """
  return positions(sections, parts)[FIELDS[-1].name].stop


def read_header(data: bytes) -> Header:
  """Reads the header of a file.

  The checksum is not verified; that is done by `container_ops.is_intact` and by the codec.

  Args:
    data: The whole file.

  Returns:
    The header.

  Raises:
    ContainerError: if the file is foreign, of another version, or not of the length it states.
  """
  if not data.startswith(MAGIC):
    raise ContainerError('not a tfusq file')
  if len(data) < _FIXED.size:
    raise ContainerError(f'truncated: {len(data)} bytes do not hold a header')

  _, version, identity, height, width, sections, parts = _FIXED.unpack_from(data)
  size = header_bytes(sections, parts)
  if version != VERSION:
    raise ContainerError(f'written in format version {version}; this reads version {VERSION}')
  if len(data) < size:
    raise ContainerError(f'truncated: {len(data)} bytes do not hold a header')

  start = positions(sections, parts)['lengths'].start
  lengths = struct.unpack_from(f'<{sections}I', data, start)
  stated = size + sum(lengths)
  if len(data) != stated:
    raise ContainerError(f'truncated or corrupt: {len(data)} bytes, but its header states {stated}')
  if not (height and width):
    raise ContainerError(f'corrupt: an image of {width}x{height} pixels')

  return Header(version, identity, height, width, lengths, parts)


def refusal(message: str) -> str | None:
  """Returns the reason for which an exported codec refused its argument.

  Args:
    message: Message of the error that TensorFlow raised.

  Returns:
    The message that was given to `container_ops.verified`; None for any other error.
  """
  match = _REFUSAL.search(message)
  return match[1] if match else None
