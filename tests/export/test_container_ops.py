import pytest
import tensorflow as tf

from tfusq.export import container, container_ops
from tfusq.export.container import ContainerError

IDENTITY = b'\1\2\3\4\5\6\7\xff'
SECTIONS = [b'first', b'', b'\0third\xff']
CHECKS = [[1, 2, 3, 4], [255, 0, 255, 0]]


def packed(height=300, width=65535):
  return container_ops.pack(
    IDENTITY,
    tf.constant(height),
    tf.constant(width),
    [tf.constant(section) for section in SECTIONS],
    [tf.constant(check, tf.int64) for check in CHECKS],
  ).numpy()


def unpacked(data, mode=tf.function):
  height, width, sections, checks = mode(
    lambda data: container_ops.unpack(data, IDENTITY, len(SECTIONS), len(CHECKS))
  )(tf.constant(data))
  return (
    int(height),
    int(width),
    [section.numpy() for section in sections],
    [check.numpy().tolist() for check in checks],
  )


def test_what_is_packed_is_unpacked(mode):
  assert unpacked(packed(), mode) == (300, 65535, SECTIONS, CHECKS)


def test_header_reads_the_same_without_tensorflow():
  data = packed()
  header = container.read_header(data)
  assert header == (1, IDENTITY, 300, 65535, tuple(map(len, SECTIONS)), len(CHECKS))
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
    (lambda d: d[:3] + b'\2' + d[4:], 'version 2', 'another format version'),
    (lambda d: d[:12] + b'\0\0' + d[14:], 'corrupt', 'impossible header'),
    (lambda d: d[:16] + b'\4' + d[17:], 'truncated|corrupt', 'impossible header'),
    (lambda d: d[:4] + b'other id' + d[12:], None, 'another codec; this is 01020304050607ff'),
    (lambda d: d[:-2] + bytes([d[-2] ^ 1]) + d[-1:], None, 'wrong checksum'),
    (lambda d: d[:31] + bytes([d[31] ^ 128]) + d[32:], None, 'wrong checksum'),
  ],
)
def test_each_defect_is_named(mutate, python, graph):
  data = mutate(packed())
  if python is None:
    header = container.read_header(data)
    if b'other' not in data:
      assert not container_ops.is_intact(data, header)
  else:
    with pytest.raises(ContainerError, match=python):
      container.read_header(data)
  with pytest.raises(tf.errors.InvalidArgumentError, match=graph):
    unpacked(data)


def test_every_flipped_bit_is_noticed():
  data = packed()
  check = tf.function(
    lambda data: container_ops.unpack(data, IDENTITY, 3, 2),
    input_signature=[tf.TensorSpec([], tf.string)],
  )
  for position in range(8 * len(data)):
    flipped = bytearray(data)
    flipped[position // 8] ^= 1 << position % 8
    with pytest.raises(tf.errors.InvalidArgumentError):
      check(tf.constant(bytes(flipped)))


def test_a_value_is_computed_only_if_its_requirements_hold():
  @tf.function
  def double(x):
    return 2 * container_ops.verified(x, (x > 0, 'not positive'), (x < 9, 'nine; or more'))

  assert double(tf.constant(4)) == 8
  for x, message in ((-1, 'not positive'), (9, 'nine; or more')):
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
      double(tf.constant(x))
    assert container.refusal(error.value.message) == message
