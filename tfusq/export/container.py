"""Layout of a compressed file, and reading its header without TensorFlow.

A file is a header followed by the sections, which are the strings of the range coder, one after
the other. `FIELDS` lists the header's fields in their order; integers are little-endian. The
operations that pack and check a file run inside the exported codec and are in `container_ops`.

Where the flag `METADATA` is set, metadata follow the sections, up to the end of the file: chunks as
in RIFF, of four letters, the length in four bytes, and as many bytes. A decoder needs none of them
and skips them; none are written yet. Any other flag has a meaning without which a file can't be
decoded: a reader that does not know it refuses the file.

Magic, version and identity stand first in every version, so that any reader can name the codec that
wrote a file and decodes it.

A codec refuses a file, or an image, by a failed assertion in its graph, so that clients without
tfusq are protected as well. `container_ops.verified` makes these assertions and `refusal` finds
their message in TensorFlow's error.
"""

import itertools
import re
import struct
from typing import Any, NamedTuple

from tfusq.errors import Error

MAGIC = b'USQ'
VERSION = 2
MAX_SIDE = 2**16 - 1
MAX_PIXELS = 2**27  # a forged header must not ask for all memory
# The most that a codec takes which can't be computed in tiles, and so for a picture at once.
MAX_PIXELS_AT_ONCE = 2**25
METADATA = 1
KNOWN_FLAGS = METADATA
IMAGE = 'an image has the type uint8, values from 0 to 255, and the shape height x width x 3'
IMAGE_LIMITS = f'an image has 1 to {MAX_SIDE} rows and columns, and at most {MAX_PIXELS} pixels'

UNKNOWN_FLAGS = 'written by a later tfusq, in a way that this does not know'

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


_START = (
  Field('magic', '3s'),
  Field('version', 'B'),
  Field('identity', '8s'),  # identity of the codec that wrote the file
)
_SINCE_2 = (
  Field('flags', 'B'),
  Field('arithmetic', 'B'),  # version of the exact arithmetic
  Field('step', 'H'),  # quality step; 0 is the only one of a codec of one quality
)
_REST = (
  Field('height', 'H'),  # pixels
  Field('width', 'H'),  # pixels
  Field('sections', 'B'),  # number of sections
  Field('parts', 'B'),  # number of parts whose table indexes are checked
  Field('lengths', 'I', 'sections'),  # length of each section in bytes
  Field('checks', '4s', 'parts'),  # fingerprint of each part's table indexes
  Field('checksum', '4s'),  # fingerprint of everything else in the file, sections included
)
FIELDS = _START + _SINCE_2 + _REST
# The layouts of all versions, of which earlier codecs still read and write their own.
_LAYOUTS = {1: _START + _REST, VERSION: FIELDS}
SIZES = {field.name: field.size for field in FIELDS}
IDENTITY_BYTES = SIZES['identity']
# What the fields that version 1 does not have would say in it.
_IN_VERSION_1 = {'flags': 0, 'arithmetic': 1, 'step': 0}


class Header(NamedTuple):
  """Header of a file.

  Attributes:
    version: Format version.
    identity: Identity of the codec that wrote the file, 8 bytes.
    flags: Flags.
    arithmetic: Version of the exact arithmetic.
    step: Quality step.
    height: Height of the image in pixels.
    width: Width of the image in pixels.
    sections: Length of each section in bytes.
    parts: Number of parts whose table indexes are checked.
    metadata: Length of the metadata in bytes.
  """

  version: int
  identity: bytes
  flags: int
  arithmetic: int
  step: int
  height: int
  width: int
  sections: tuple[int, ...]
  parts: int
  metadata: int

  @property
  def bytes(self) -> int:
    """Length of the header in bytes."""
    return header_bytes(len(self.sections), self.parts, self.version)


def positions(sections: int, parts: int, version: int = VERSION) -> dict[str, slice]:
  """Returns the bytes of each field.

  Args:
    sections: Number of sections.
    parts: Number of parts whose table indexes are checked.
    version: Format version.

  Returns:
    Positions by the fields' names; a repeated field has all its values in one slice.
  """
  repeats = {None: 1, 'sections': sections, 'parts': parts}
  slices = {}
  start = 0

  for field in _LAYOUTS[version]:
    stop = start + repeats[field.repeats] * field.size
    slices[field.name] = slice(start, stop)
    start = stop

  return slices


def header_bytes(sections: int, parts: int, version: int = VERSION) -> int:
  """Returns the length of a header in bytes.

  Args:
    sections: Number of sections.
    parts: Number of parts whose table indexes are checked.
    version: Format version.
  """
  return positions(sections, parts, version)[FIELDS[-1].name].stop


def read_header(data: bytes) -> Header:
  """Reads the header of a file.

  The checksum is not verified; that is done by `container_ops.is_intact` and by the codec.

  Args:
    data: The whole file.

  Returns:
    The header.

  Raises:
    ContainerError: if the file is foreign, of a later version, or not of the length it states.
  """
  fixed = _read_fixed(data)
  sections, parts, version = fixed['sections'], fixed['parts'], fixed['version']
  size = header_bytes(sections, parts, version)
  if len(data) < size:
    raise ContainerError(f'truncated: {len(data)} bytes do not hold a header')

  start = positions(sections, parts, version)['lengths'].start
  lengths = struct.unpack_from(f'<{sections}I', data, start)
  stated = size + sum(lengths)
  metadata = len(data) - stated
  if metadata < 0 or (metadata and not fixed['flags'] & METADATA):
    raise ContainerError(f'truncated or corrupt: {len(data)} bytes, but its header states {stated}')
  if not (fixed['height'] and fixed['width']):
    sides = f'{fixed["width"]}x{fixed["height"]}'
    raise ContainerError(f'corrupt: its header states {sides} pixels, and no side may be 0')

  del fixed['magic']
  return Header(**{**fixed, 'sections': lengths, 'metadata': metadata})


def _read_fixed(data: bytes) -> dict[str, Any]:
  """Reads the fields in front of the first repeated one, which have the same size in every file."""
  if not data.startswith(MAGIC):
    raise ContainerError('not a tfusq file')
  start = positions(0, 0)['identity'].stop
  if len(data) < start:
    raise ContainerError(f'truncated: {len(data)} bytes do not hold a header')

  version = data[len(MAGIC)]
  if version not in _LAYOUTS:
    identity = data[positions(0, 0)['identity']].hex()
    raise ContainerError(
      f'written in format version {version} by codec {identity}; this reads up to {VERSION}'
    )

  fields = list(itertools.takewhile(lambda field: field.repeats is None, _LAYOUTS[version]))
  layout = struct.Struct('<' + ''.join(field.format for field in fields))
  if len(data) < layout.size:
    raise ContainerError(f'truncated: {len(data)} bytes do not hold a header')
  values = layout.unpack_from(data)
  fixed = _IN_VERSION_1 | dict(zip((field.name for field in fields), values))
  unknown = fixed['flags'] & ~KNOWN_FLAGS
  if unknown:
    raise ContainerError(f'{UNKNOWN_FLAGS}: flags {fixed["flags"]:#04x}')
  return fixed


def refusal(message: str) -> str | None:
  """Returns the reason for which an exported codec refused its argument.

  Args:
    message: Message of the error that TensorFlow raised.

  Returns:
    The message that was given to `container_ops.verified`; None for any other error.
  """
  match = _REFUSAL.search(message)
  return match[1] if match else None
