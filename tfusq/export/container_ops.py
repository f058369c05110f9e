"""TensorFlow operations that pack a compressed file, check it and take it apart.

They are traced into the exported codec, so that every client runs them; the layout is in
`container`.
"""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfusq.export import container
from tfusq.export.container import SIZES, Header

# Each byte in two letters.
_HEXADECIMAL = [f'{value:02x}' for value in range(256)]


class Writer(NamedTuple):
  """What a file says of the codec that wrote it.

  Attributes:
    identity: Identity of the codec, 8 bytes.
    arithmetic: Version of the exact arithmetic.
    steps: Number of quality steps that the codec has.
  """

  identity: bytes
  arithmetic: int
  steps: int = 1


class Contents(NamedTuple):
  """What a file holds.

  Attributes:
    step: Quality step, scalar `int64`.
    height: Height of the image in pixels, scalar `int64`.
    width: Width of the image in pixels, scalar `int64`.
    sections: Strings of the range coder, scalars.
    checks: Fingerprint of each part's table indexes, `int64[4]`.
  """

  step: tf.Tensor
  height: tf.Tensor
  width: tf.Tensor
  sections: list[tf.Tensor]
  checks: list[tf.Tensor]


def verified(value: Any, *requirements: tuple[tf.Tensor, str | tf.Tensor]) -> Any:
  """Returns a value that can be computed only if conditions hold.

  Otherwise TensorFlow raises `InvalidArgumentError`, in whose text `container.refusal` finds the
  message of the condition that failed.

  Args:
    value: Tensor, or a nested structure of tensors.
    *requirements: Pairs of a condition, a boolean scalar, and the message if it does not hold, a
      scalar string, which has no closing bracket.

  Returns:
    The value.
  """
  assertions = []
  for condition, message in requirements:
    # `container.refusal` takes the bracket for the message's end.
    assert not (isinstance(message, str) and ']' in message), message
    assertions.append(tf.debugging.Assert(condition, [message], summarize=1))

  with tf.control_dependencies(assertions):
    return tf.nest.map_structure(tf.identity, value)


def fingerprint(x: tf.Tensor) -> tf.Tensor:
  """Returns the first 4 bytes of the FarmHash64 fingerprint of a tensor.

  Args:
    x: Scalar string, or a tensor of any other type and shape.

  Returns:
    `int64[4]`, each 0 to 255.
  """
  # `tf.fingerprint` hashes each row. Of fixed-width values all are put into one row; a string is
  # hashed by content as it is.
  row = tf.reshape(x, [1] if x.dtype == tf.string else [1, -1])
  return tf.cast(tf.fingerprint(row)[0, : SIZES['checksum']], tf.int64)


def fingerprint_of(data: bytes) -> bytes:
  """Returns the fingerprint of bytes in the form that a file has it."""
  return fingerprint(tf.constant(data)).numpy().astype(np.uint8).tobytes()


def is_intact(data: bytes, header: Header) -> bool:
  """Returns whether the checksum of a file is right.

  Args:
    data: The whole file.
    header: The header from `container.read_header`.
  """
  positions = container.positions(len(header.sections), header.parts, header.version)
  checksum = positions['checksum']
  rest = data[: checksum.start] + data[checksum.stop :]
  return fingerprint_of(rest) == data[checksum]


def pack(
  writer: Writer,
  step: int | tf.Tensor,
  height: tf.Tensor,
  width: tf.Tensor,
  sections: list[tf.Tensor],
  checks: list[tf.Tensor],
) -> tf.Tensor:
  """Packs a file.

  Args:
    writer: Identity and numbers of the codec that the file states.
    step: Quality step, an integer or a scalar, below the codec's number of steps.
    height: Height of the image in pixels, scalar integer, 1 to 65535.
    width: Width of the image in pixels, scalar integer, 1 to 65535.
    sections: Strings of the range coder, scalars.
    checks: Fingerprint of each part's table indexes, `int64[4]`.

  Returns:
    The file, a scalar string.
  """
  lengths = [_digits(tf.strings.length(section), SIZES['lengths']) for section in sections]
  digits = {
    'magic': [list(container.MAGIC)],
    'version': [[container.VERSION]],
    'identity': [list(writer.identity)],
    'flags': [[0]],
    'arithmetic': [[writer.arithmetic]],
    'step': [_digits(step, SIZES['step'])],
    'height': [_digits(height, SIZES['height'])],
    'width': [_digits(width, SIZES['width'])],
    'sections': [[len(sections)]],
    'parts': [[len(checks)]],
    'lengths': lengths,
    'checks': checks,
  }

  # The checksum comes last and is that of all the rest.
  header = []
  for field in container.FIELDS[:-1]:
    header += [tf.cast(value, tf.int64) for value in digits[field.name]]
  head = _to_string(tf.concat(header, 0))
  body = tf.strings.join(sections)
  checksum = _to_string(fingerprint(tf.strings.join([head, body])))

  return tf.strings.join([head, checksum, body])


def unpack(data: tf.Tensor, writer: Writer, sections: int, parts: int, max_pixels: int) -> Contents:
  """Checks a file and takes it apart.

  Args:
    data: The file, a scalar string.
    writer: Identity and numbers of the codec that the file must state.
    sections: Number of sections that the codec writes.
    parts: Number of parts whose table indexes the codec checks.
    max_pixels: Greatest number of pixels that the codec decodes.

  Returns:
    What the file holds; computing any of it fails with `InvalidArgumentError` unless all of the
    file's checks hold.
  """
  positions = container.positions(sections, parts)
  size = container.header_bytes(sections, parts)
  data = _verified_start(data, writer, size)
  header = _to_digits(tf.strings.substr(data, 0, size), size)

  def number(name):
    return _number(header[positions[name]])

  step, height, width = number('step'), number('height'), number('width')
  lengths = _number(tf.reshape(header[positions['lengths']], [sections, SIZES['lengths']]))
  counts = tf.stack([number('sections'), number('parts')])
  counts_match = tf.reduce_all(tf.equal(counts, [sections, parts]))
  stated = size + tf.reduce_sum(lengths)
  file_bytes = tf.cast(tf.strings.length(data), tf.int64)
  has_metadata = number('flags') > 0  # the only flag that is known
  length_fits = tf.equal(file_bytes, stated) | (has_metadata & (file_bytes > stated))

  data = verified(
    data,
    (counts_match, 'corrupt: its numbers of sections and parts are not those of this codec'),
    ((height > 0) & (width > 0), 'corrupt: a side of its image is 0'),
    (height * width <= max_pixels, pixels_message(max_pixels)),
    (step < writer.steps, f'corrupt: its quality step is not one of the {writer.steps} from 0 on'),
    (length_fits, 'truncated or corrupt: wrong length'),
  )

  checksum = positions['checksum']
  head = tf.strings.substr(data, 0, checksum.start)
  body = tf.strings.substr(data, size, tf.strings.length(data) - size)
  actual = fingerprint(tf.strings.join([head, body]))
  data, header, step, height, width = verified(
    (data, header, step, height, width),
    (tf.reduce_all(tf.equal(actual, header[checksum])), 'corrupt: wrong checksum'),
  )

  starts = size + tf.cumsum(lengths, exclusive=True)
  strings = [tf.strings.substr(data, starts[k], lengths[k]) for k in range(sections)]
  checks = tf.reshape(header[positions['checks']], [parts, SIZES['checks']])
  return Contents(step, height, width, strings, [checks[k] for k in range(parts)])


def pixels_message(max_pixels: int) -> str:
  """Returns why a picture has too many pixels.

  Args:
    max_pixels: Greatest number of pixels that the codec takes.
  """
  message = f'more than {max_pixels} pixels'
  if max_pixels < container.MAX_PIXELS:
    message += ', and the networks of this codec see a whole picture at once'
  return message


def _verified_start(data: tf.Tensor, writer: Writer, size: int) -> tf.Tensor:
  """Returns a file whose header can be read: long enough, and written by the codec.

  Each test waits for the one before, so that the message is of the first that fails.
  """
  positions = container.positions(0, 0)  # of the fields in front, the same in every file

  def field(name):
    place = positions[name]
    return tf.strings.substr(data, place.start, place.stop - place.start)

  # What is of every version comes before the length, which depends on the version.
  start = positions['identity'].stop
  data = verified(data, (tf.equal(field('magic'), container.MAGIC), 'not a tfusq file'))
  data = verified(data, (tf.strings.length(data) >= start, 'truncated: too short for a header'))

  version = tf.equal(field('version'), bytes([container.VERSION]))
  is_own = tf.equal(field('identity'), writer.identity)
  message = _version_message(field('version'), field('identity'), is_own)
  data = verified(data, (version, message))
  data = verified(data, (is_own, f'written by another codec; this is {writer.identity.hex()}'))
  data = verified(data, (tf.strings.length(data) >= size, 'truncated: too short for a header'))

  flags = _to_digits(field('flags'), 1)[0]
  unknown = tf.bitwise.bitwise_and(flags, tf.constant(255 - container.KNOWN_FLAGS, tf.int64))
  arithmetic = tf.equal(field('arithmetic'), bytes([writer.arithmetic]))
  return verified(
    data,
    (tf.equal(unknown, 0), container.UNKNOWN_FLAGS),
    (arithmetic, f'written in another arithmetic than version {writer.arithmetic}, which this has'),
  )


def _version_message(version: tf.Tensor, identity: tf.Tensor, is_own: tf.Tensor) -> tf.Tensor:
  """Returns the refusal of a file of another version, which names the codec that decodes it."""
  number = tf.strings.as_string(_to_digits(version, 1)[0])
  codec = tf.strings.reduce_join(tf.gather(_HEXADECIMAL, _to_digits(identity, SIZES['identity'])))
  of_version = tf.strings.join(['format version ', number])
  written = tf.strings.join(
    ['written in ', of_version, ' by codec ', codec, ': that one decodes it, as exported']
  )
  # A codec writes one version. Of its own files another one is damage.
  damaged = tf.strings.join(
    ['corrupt: ', of_version, f', but this codec writes version {container.VERSION}']
  )
  return tf.where(is_own, damaged, written)


def _digits(number: tf.Tensor, count: int) -> tf.Tensor:
  """Returns the `count` bytes of a scalar, least significant first, as `int64[count]`."""
  shifts = 8 * tf.range(count, dtype=tf.int64)
  shifted = tf.bitwise.right_shift(tf.cast(number, tf.int64), shifts)
  return tf.bitwise.bitwise_and(shifted, tf.constant(255, tf.int64))


def _number(digits: tf.Tensor) -> tf.Tensor:
  """Returns the numbers of which `digits[..., :]` are the bytes, least significant first."""
  weights = tf.constant([256**k for k in range(digits.shape[-1])], tf.int64)
  return tf.reduce_sum(digits * weights, -1)


def _to_string(digits: tf.Tensor) -> tf.Tensor:
  """Returns bytes, given as `int64[count]`, as a scalar string."""
  alphabet = tf.constant([bytes([value]) for value in range(256)])
  return tf.strings.reduce_join(tf.gather(alphabet, digits))


def _to_digits(string: tf.Tensor, count: int) -> tf.Tensor:
  """Returns the `count` bytes of a scalar string as `int64[count]`."""
  digits = tf.cast(tf.io.decode_raw(string, tf.uint8), tf.int64)
  return tf.ensure_shape(digits, [count])
