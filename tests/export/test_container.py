import struct

import pytest

from tfusq.export import container
from tfusq.export.container import ContainerError

SECTIONS = [b'first', b'', b'\0third\xff']


def file_of(height=300, width=400, lengths=None, parts=2, flags=0, arithmetic=2, step=7, after=b''):
  """A file as the format describes it, but for the checksum."""
  lengths = [len(section) for section in SECTIONS] if lengths is None else lengths
  start = struct.pack('<3sB8s', b'USQ', 2, b'identity')
  middle = struct.pack('<BBHHHBB', flags, arithmetic, step, height, width, len(lengths), parts)
  numbers = struct.pack(f'<{len(lengths)}I', *lengths)
  return start + middle + numbers + bytes(4 * parts) + b'sum!' + b''.join(SECTIONS) + after


def file_of_version_1(height=300, width=400):
  """A file as the first version had it."""
  fixed = struct.pack('<3sB8sHHBB', b'USQ', 1, b'identity', height, width, len(SECTIONS), 2)
  numbers = struct.pack('<3I', *map(len, SECTIONS))
  return fixed + numbers + bytes(8) + b'sum!' + b''.join(SECTIONS)


def test_a_header_is_read():
  header = container.read_header(file_of())
  assert header == (2, b'identity', 0, 2, 7, 300, 400, (5, 0, 7), 2, 0)
  assert header.bytes == container.header_bytes(3, 2) == 22 + 3 * 4 + 2 * 4 + 4


def test_a_header_of_the_first_version_is_read():
  header = container.read_header(file_of_version_1())
  assert header == (1, b'identity', 0, 1, 0, 300, 400, (5, 0, 7), 2, 0)
  assert header.bytes == container.header_bytes(3, 2, version=1) == 18 + 3 * 4 + 2 * 4 + 4
  with pytest.raises(ContainerError, match='53 bytes, but its header states 54'):
    container.read_header(file_of_version_1()[:-1])


def test_metadata_are_what_follows_the_sections_where_the_flag_says_so():
  chunk = b'ICC \3\0\0\0abc'
  data = file_of(flags=container.METADATA, after=chunk)
  header = container.read_header(data)
  assert header.metadata == len(chunk) and header.flags == container.METADATA
  assert data[header.bytes + sum(header.sections) :] == chunk
  assert container.read_header(file_of(flags=container.METADATA)).metadata == 0


def test_positions_of_the_fields():
  positions = container.positions(sections=3, parts=2)
  assert list(positions) == [field.name for field in container.FIELDS]
  assert positions['identity'] == slice(4, 12)
  assert positions['step'] == slice(14, 16)
  assert positions['lengths'] == slice(22, 34)
  assert positions['checks'] == slice(34, 42)
  assert file_of()[positions['checksum']] == b'sum!'


@pytest.mark.parametrize(
  'data, message',
  [
    (b'', 'not a tfusq file'),
    (b'RIFF' + bytes(40), 'not a tfusq file'),
    (file_of()[:9], '9 bytes do not hold a header'),
    (file_of()[:21], '21 bytes do not hold a header'),
    (file_of()[:34], '34 bytes do not hold a header'),
    (
      b'USQ\3' + file_of()[4:],
      'format version 3 by codec 6964656e74697479; this reads up to 2',
    ),
    (file_of(flags=128), 'by a later tfusq, in a way that this does not know: flags 0x80'),
    (file_of() + b'x', '59 bytes, but its header states 58'),
    (file_of(lengths=[5, 0, 8]), '58 bytes, but its header states 59'),
    (file_of(lengths=[5, 0, 8], flags=1), '58 bytes, but its header states 59'),
    (file_of(height=0), '400x0 pixels, and no side may be 0'),
    (file_of(width=0), '0x300 pixels'),
  ],
)
def test_a_defect_is_named(data, message):
  with pytest.raises(ContainerError, match=message):
    container.read_header(data)


def test_a_refusal_is_found_in_tensorflows_message():
  message = 'Graph execution error:\n\nassertion failed: [wrong; see (1)] [[node Assert]]'
  assert container.refusal(message) == 'wrong; see (1)'
  assert container.refusal('OOM when allocating tensor with shape[3,4]') is None
