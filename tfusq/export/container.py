"""The file that a compressed image is: one layout, read and written here.

    magic          3 bytes   "USQ"
    version        1 byte    1
    identity       8 bytes   which codec wrote it, see `tfusq.export`
    height, width  2 + 2     pixels
    counts         1 + 1     sections, and parts with an index check
    sections       4 each    lengths in bytes
    checks         4 each    fingerprint of each part's table indexes
    checksum       4 bytes   fingerprint of everything else
    sections       strings of the range coder, one after the other

Integers are little-endian. Packing and checking are TensorFlow operations and run inside the
exported codec, so that every client has them; `read_header` needs no TensorFlow.
"""

import struct
from typing import NamedTuple

from tfusq.errors import Error

MAGIC = b'USQ'
VERSION = 1
IDENTITY_BYTES = 8
MAX_SIDE = 2**16 - 1
MAX_PIXELS = 2**25  # 8K; a forged header must not ask for all memory
_FIXED = struct.Struct('<3sB8sHHBB')
_CHECK_BYTES = 4


class ContainerError(Error, ValueError):
  """A file that is none of ours, of another version, truncated or corrupt."""


class Header(NamedTuple):
  """What a file says of itself: lengths in bytes, sizes in pixels."""

  version: int
  identity: bytes
  height: int
  width: int
  sections: tuple[int, ...]
  parts: int

  @property
  def bytes(self) -> int:
    """Length of everything but the sections."""
    return header_bytes(len(self.sections), self.parts)


def header_bytes(sections: int, parts: int) -> int:
  """Returns the length of everything but the sections' content."""
  return _FIXED.size + 4 * sections + _CHECK_BYTES * (parts + 1)


def read_header(data: bytes) -> Header:
  """Reads the header; the checksum is verified by `is_intact` and by the codec.

  Args:
    data: The whole file.

  Returns:
    The header.

  Raises:
    ContainerError: if the file is not ours, of another version, or not of the length it states.
  """
  if data[: len(MAGIC)] != MAGIC:
    raise ContainerError('not a tfusq file')
  if len(data) < _FIXED.size:
    raise ContainerError(f'truncated: {len(data)} bytes do not hold a header')
  _, version, identity, height, width, sections, parts = _FIXED.unpack_from(data)
  if version != VERSION:
    raise ContainerError(f'written in format version {version}; this reads version {VERSION}')
  if len(data) < header_bytes(sections, parts):
    raise ContainerError(f'truncated: {len(data)} bytes do not hold a header')
  lengths = struct.unpack_from(f'<{sections}I', data, _FIXED.size)
  stated = header_bytes(sections, parts) + sum(lengths)
  if len(data) != stated:
    raise ContainerError(f'truncated or corrupt: {len(data)} bytes, but its header states {stated}')
  if not (height and width):
    raise ContainerError(f'corrupt: an image of {width}x{height} pixels')
  return Header(version, identity, height, width, lengths, parts)


def is_intact(data: bytes) -> bool:
  """Whether the checksum of a file whose header was read is right (imports TensorFlow)."""
  header = read_header(data)
  place = slice(header.bytes - _CHECK_BYTES, header.bytes)
  return fingerprint_of(data[: place.start] + data[place.stop :]) == data[place]


def fingerprint_of(data: bytes) -> bytes:
  """Returns the fingerprint of bytes as they are in a file (imports TensorFlow)."""
  import tensorflow as tf

  return fingerprint(tf.constant(data)).numpy().astype('uint8').tobytes()


def fingerprint(x):
  """Returns the first 4 bytes of the FarmHash64 fingerprint of a tensor as `int64[4]`.

  Args:
    x: Scalar string, or a tensor of any other type and shape.
  """
  import tensorflow as tf

  # Fixed-width values as one row; a string is hashed by content.
  row = tf.reshape(x, [1] if x.dtype == tf.string else [1, -1])
  return tf.cast(tf.fingerprint(row)[0, :_CHECK_BYTES], tf.int64)


def pack(identity: bytes, height, width, sections: list, checks: list):
  """Packs a file, in TensorFlow.

  Args:
    identity: 8 bytes.
    height: Scalar integer tensor, 1 to 65535.
    width: Likewise.
    sections: Scalar string tensors.
    checks: `int64[4]` tensors from `fingerprint`.

  Returns:
    Scalar string tensor: the file.
  """
  import tensorflow as tf

  fixed = tf.constant(MAGIC + bytes([VERSION]) + identity)
  numbers = [
    _digits(height, 2),
    _digits(width, 2),
    tf.constant([len(sections), len(checks)], tf.int64),
  ]
  numbers += [_digits(tf.strings.length(section), 4) for section in sections] + checks
  head = tf.strings.join([fixed, _to_bytes(tf.concat(numbers, 0))])
  body = tf.strings.join(sections)
  checksum = _to_bytes(fingerprint(tf.strings.join([head, body])))
  return tf.strings.join([head, checksum, body])


def unpack(data, identity: bytes, sections: int, parts: int):
  """Checks a file and takes it apart, in TensorFlow.

  Args:
    data: Scalar string tensor: the file.
    identity: 8 bytes: the codec that must have written it.
    sections: How many sections the codec writes.
    parts: How many index checks.

  Returns:
    Height and width as scalar `int64`, the list of section strings, and the list of `int64[4]`
    checks; computing any of them fails with `InvalidArgumentError` unless all of the file's
    checks hold.
  """
  import tensorflow as tf

  size = header_bytes(sections, parts)
  head = _FIXED.size + 4 * sections

  def require(condition, message):
    return tf.debugging.Assert(condition, [message], summarize=1)

  with tf.control_dependencies(
    [require(tf.equal(tf.strings.substr(data, 0, 3), MAGIC), 'not a tfusq file')]
  ):
    data = tf.identity(data)
  with tf.control_dependencies(
    [require(tf.strings.length(data) >= size, 'truncated: too short for a header')]
  ):
    data = tf.identity(data)
  fixed = tf.strings.substr(data, 0, 4)
  with tf.control_dependencies(
    [require(tf.equal(fixed, MAGIC + bytes([VERSION])), 'written in another format version')]
  ):
    data = tf.identity(data)
  with tf.control_dependencies(
    [
      require(
        tf.equal(tf.strings.substr(data, 4, IDENTITY_BYTES), identity),
        f'written by another codec; this is {identity.hex()}',
      )
    ]
  ):
    data = tf.identity(data)
  numbers = tf.cast(tf.io.decode_raw(tf.strings.substr(data, 0, size), tf.uint8), tf.int64)
  numbers.set_shape([size])
  lengths = [_number(numbers[_FIXED.size + 4 * k :][:4]) for k in range(sections)]
  height, width = _number(numbers[12:14]), _number(numbers[14:16])
  counts = tf.reduce_all(tf.equal(numbers[16:18], [sections, parts]))
  total = tf.cast(tf.strings.length(data), tf.int64)
  with tf.control_dependencies(
    [
      require(counts & (height > 0) & (width > 0), 'corrupt: impossible header'),
      require(height * width <= MAX_PIXELS, f'more than {MAX_PIXELS} pixels'),
      require(tf.equal(total, size + tf.add_n(lengths)), 'truncated or corrupt: wrong length'),
    ]
  ):
    data = tf.identity(data)
  before = size - _CHECK_BYTES
  content = tf.strings.join(
    [
      tf.strings.substr(data, 0, before),
      tf.strings.substr(data, size, tf.strings.length(data) - size),
    ]
  )
  intact = tf.reduce_all(tf.equal(fingerprint(content), numbers[before:size]))
  with tf.control_dependencies([require(intact, 'corrupt: wrong checksum')]):
    data = tf.identity(data)
    height, width = tf.identity(height), tf.identity(width)
  starts = size + tf.cumsum(tf.stack(lengths), exclusive=True)
  strings = [tf.strings.substr(data, starts[k], lengths[k]) for k in range(sections)]
  checks = [numbers[head + _CHECK_BYTES * k :][:_CHECK_BYTES] for k in range(parts)]
  return height, width, strings, checks


def _digits(number, count):
  """Returns the `count` bytes of a scalar, least significant first, as `int64[count]`."""
  import tensorflow as tf

  shifted = tf.bitwise.right_shift(tf.cast(number, tf.int64), 8 * tf.range(count, dtype=tf.int64))
  return tf.bitwise.bitwise_and(shifted, tf.constant(255, tf.int64))


def _number(digits):
  import tensorflow as tf

  places = tf.constant([256**k for k in range(digits.shape[0])], tf.int64)
  return tf.reduce_sum(digits * places)


def _to_bytes(values):
  import tensorflow as tf

  alphabet = tf.constant([bytes([value]) for value in range(256)])
  return tf.strings.reduce_join(tf.gather(alphabet, values))
