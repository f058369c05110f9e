import pytest
import tensorflow as tf

from tfusq.export import container, container_ops
from tfusq.export.container import ContainerError

WRITER = container_ops.Writer(b'\1\2\3\4\5\6\7\xff', arithmetic=2, steps=6)
SECTIONS = [b'first', b'', b'\0third\xff']
CHECKS = [[1, 2, 3, 4], [255, 0, 255, 0]]
MAX_PIXELS = 2**27


def packed(height=300, width=65535, step=5):
  return container_ops.pack(
    WRITER,
    tf.constant(step),
    tf.constant(height),
    tf.constant(width),
    [tf.constant(section) for section in SECTIONS],
    [tf.constant(check, tf.int64) for check in CHECKS],
  ).numpy()


def sealed(data):
  """The file with the right checksum."""
  header = container.read_header(data)
  checksum = container.positions(len(header.sections), header.parts)['checksum']
  rest = data[: checksum.start] + data[checksum.stop :]
  return data[: checksum.start] + container_ops.fingerprint_of(rest) + data[checksum.stop :]


def unpack(data, max_pixels=MAX_PIXELS):
  return container_ops.unpack(data, WRITER, len(SECTIONS), len(CHECKS), max_pixels)


def unpacked(data, mode=tf.function):
  contents = mode(unpack)(tf.constant(data))
  return (
    int(contents.step),
    int(contents.height),
    int(contents.width),
    [section.numpy() for section in contents.sections],
    [check.numpy().tolist() for check in contents.checks],
  )


def test_what_is_packed_is_unpacked(mode):
  assert unpacked(packed(), mode) == (5, 300, 65535, SECTIONS, CHECKS)


def test_header_reads_the_same_without_tensorflow():
  data = packed()
  header = container.read_header(data)
  assert header == (2, WRITER.identity, 0, 2, 5, 300, 65535, tuple(map(len, SECTIONS)), 2, 0)
  assert len(data) == header.bytes + sum(map(len, SECTIONS))
  assert container_ops.is_intact(data, header)


@pytest.mark.parametrize(
  'mutate, python, graph',
  [
    (lambda d: b'', 'not a tfusq file', 'not a tfusq file'),
    (lambda d: b'\x89PNG\r\n', 'not a tfusq file', 'not a tfusq file'),
    (lambda d: d[:9], 'truncated', 'truncated'),
    (lambda d: d[:30], 'truncated', 'truncated'),
    (lambda d: d[:-1], 'truncated', 'wrong length'),
    (lambda d: d + b'x', 'truncated or corrupt', 'wrong length'),
    (
      lambda d: d[:3] + b'\1\x0a' + d[5:],
      None,
      'format version 1 by codec 0a020304050607ff: that one decodes it, as exported',
    ),
    (lambda d: d[:3] + b'\3\x0a' + d[5:], 'version 3', 'format version 3 by codec 0a02'),
    # Its own file, which is of the version that it writes.
    (
      lambda d: d[:3] + b'\x82' + d[4:],
      'version 130',
      'corrupt: format version 130, but this codec writes version 2',
    ),
    (lambda d: d[:12] + b'\4' + d[13:], 'a later tfusq', 'a later tfusq'),
    (lambda d: d[:13] + b'\3' + d[14:], None, 'another arithmetic than version 2'),
    (lambda d: d[:14] + b'\6' + d[15:], None, 'not one of the 6 from 0 on'),
    (lambda d: d[:16] + b'\0\0' + d[18:], 'no side may be 0', 'a side of its image is 0'),
    (lambda d: d[:20] + b'\4' + d[21:], 'truncated|corrupt', 'numbers of sections and parts'),
    (lambda d: d[:4] + b'other id' + d[12:], None, 'another codec; this is 01020304050607ff'),
    (lambda d: d[:-2] + bytes([d[-2] ^ 1]) + d[-1:], None, 'wrong checksum'),
    (lambda d: d[:35] + bytes([d[35] ^ 128]) + d[36:], None, 'wrong checksum'),
  ],
)
def test_each_defect_is_named(mutate, python, graph):
  data = mutate(packed())
  if python is not None:
    with pytest.raises(ContainerError, match=python):
      container.read_header(data)
  with pytest.raises(tf.errors.InvalidArgumentError, match=graph):
    unpacked(data)


def test_every_flipped_bit_is_noticed():
  data = packed()
  check = tf.function(unpack, input_signature=[tf.TensorSpec([], tf.string)])
  for position in range(8 * len(data)):
    flipped = bytearray(data)
    flipped[position // 8] ^= 1 << position % 8
    with pytest.raises(tf.errors.InvalidArgumentError):
      check(tf.constant(bytes(flipped)))


def test_metadata_are_skipped():
  data = packed()
  with_flag = data[:12] + bytes([container.METADATA]) + data[13:]
  for metadata in (b'', b'ICC \2\0\0\0ab'):
    file = sealed(with_flag + metadata)
    assert container_ops.is_intact(file, container.read_header(file))
    assert unpacked(file) == unpacked(data)
  with pytest.raises(tf.errors.InvalidArgumentError, match='wrong checksum'):
    unpacked(sealed(with_flag + b'ab') + b'c')


def test_more_pixels_than_a_codec_takes_are_refused_with_the_reason():
  data = packed(height=2**13, width=2**12 + 1)
  assert unpack(data).height == 2**13
  with pytest.raises(tf.errors.InvalidArgumentError, match='networks of this codec see a whole'):
    unpack(data, container.MAX_PIXELS_AT_ONCE)
  with pytest.raises(tf.errors.InvalidArgumentError, match='more than 134217728 pixels'):
    unpack(packed(height=65535, width=65535))


def test_a_value_is_computed_only_if_its_requirements_hold():
  @tf.function
  def double(x):
    return 2 * container_ops.verified(x, (x > 0, 'not positive'), (x < 9, 'nine; or more'))

  assert double(tf.constant(4)) == 8
  for x, message in ((-1, 'not positive'), (9, 'nine; or more')):
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
      double(tf.constant(x))
    assert container.refusal(error.value.message) == message
