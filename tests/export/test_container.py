import struct

import pytest

from tfusq.export import container
from tfusq.export.container import ContainerError

SECTIONS = [b'first', b'', b'\0third\xff']


def file_of(height=300, width=400, lengths=None, parts=2):
  """A file as the format describes it, but for the checksum."""
  lengths = [len(section) for section in SECTIONS] if lengths is None else lengths
  fixed = struct.pack('<3sB8sHHBB', b'USQ', 1, b'identity', height, width, len(lengths), parts)
  numbers = struct.pack(f'<{len(lengths)}I', *lengths)
  return fixed + numbers + bytes(4 * parts) + b'sum!' + b''.join(SECTIONS)


def test_a_header_is_read():
  header = container.read_header(file_of())
  assert header == (1, b'identity', 300, 400, (5, 0, 7), 2)
  assert header.bytes == container.header_bytes(3, 2) == 18 + 3 * 4 + 2 * 4 + 4


def test_positions_of_the_fields():
  positions = container.positions(sections=3, parts=2)
  assert list(positions) == [field.name for field in container.FIELDS]
  assert positions['identity'] == slice(4, 12)
  assert positions['lengths'] == slice(18, 30)
  assert positions['checks'] == slice(30, 38)
  assert file_of()[positions['checksum']] == b'sum!'


@pytest.mark.parametrize(
  'data, message',
  [
    (b'', 'not a tfusq file'),
    (b'RIFF' + bytes(40), 'not a tfusq file'),
    (file_of()[:17], '17 bytes do not hold a header'),
    (file_of()[:30], '30 bytes do not hold a header'),
    (b'USQ\2' + file_of()[4:], 'format version 2; this reads version 1'),
    (file_of() + b'x', '55 bytes, but its header states 54'),
    (file_of(lengths=[5, 0, 8]), '54 bytes, but its header states 55'),
    (file_of(height=0), 'an image of 400x0 pixels'),
    (file_of(width=0), 'an image of 0x300 pixels'),
  ],
)
def test_a_defect_is_named(data, message):
  with pytest.raises(ContainerError, match=message):
    container.read_header(data)


def test_a_refusal_is_found_in_tensorflows_message():
  message = 'Graph execution error:\n\nassertion failed: [wrong; see (1)] [[node Assert]]'
  assert container.refusal(message) == 'wrong; see (1)'
  assert container.refusal('OOM when allocating tensor with shape[3,4]') is None
