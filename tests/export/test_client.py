import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfusq.export import client
from tfusq.export.container import ContainerError


class Failing:
  """A function of a codec, which fails."""

  def __init__(self, error):
    self._error = error

  def __call__(self, image):
    raise self._error

  def get_concrete_function(self, spec):
    """Does nothing."""


def test_another_failure_of_tensorflow_is_one_error(exported_codec, monkeypatch):
  fails = Failing(tf.errors.ResourceExhaustedError(None, None, 'OOM when allocating'))
  monkeypatch.setattr(exported_codec._codec, 'compress', fails)
  with pytest.raises(client.CodecError, match='ResourceExhaustedError: OOM'):
    exported_codec.compress(np.zeros([8, 8, 3], np.uint8))


def test_codecs_are_found_by_identity(exported_path, tmp_path):
  for name in ('a', 'b'):
    (tmp_path / name).mkdir()
    (tmp_path / name / 'codec.json').write_text(json.dumps({'identity': name * 16}))
  (tmp_path / 'cut').mkdir()
  (tmp_path / 'cut' / 'codec.json').write_text('{')  # costs none of the others
  assert client.find(exported_path).path == exported_path
  found = client.find_all(tmp_path)
  assert found.keys() == {'a' * 16, 'b' * 16} and found['b' * 16].path == tmp_path / 'b'
  with pytest.raises(client.CodecError, match='several codecs'):
    client.find(tmp_path)
  with pytest.raises(client.CodecError, match='no exported codec'):
    client.find(tmp_path / 'absent')


@pytest.mark.parametrize(
  'damage',
  [
    ('codec.json', lambda data: b'{}'),
    ('codec.json', lambda data: b'[]'),
    ('codec.json', lambda data: data[:9]),
    ('saved_model.pb', lambda data: data[:1000]),
    ('saved_model.pb', lambda data: b''),
    ('variables/variables.data-00000-of-00001', lambda data: data[:1000]),
    ('variables/variables.data-00000-of-00001', lambda data: b'x' * len(data)),
  ],
)
def test_a_damaged_codec_is_one_error(damage, exported_path, tmp_path):
  name, change = damage
  copy = tmp_path / 'codec'
  shutil.copytree(exported_path, copy)
  (copy / name).write_bytes(change((copy / name).read_bytes()))
  with pytest.raises(client.CodecError, match='damaged'):
    client.ExportedCodec(client.find(copy))


def test_a_description_is_read_once(exported_path, photograph, monkeypatch):
  folder = client.find(exported_path)
  monkeypatch.setattr(client, 'read_folder', lambda path: pytest.fail('read again'))
  codec = client.ExportedCodec(folder)
  assert codec.description == folder.description == json.loads(folder.description_json)
  assert codec.decompress(codec.compress(photograph[:9, :8])).shape == (9, 8, 3)


def test_what_the_graph_refuses_is_a_container_error(exported_codec, photograph):
  data = exported_codec.compress(photograph[:20, :20])
  for changed, reason in (
    (b'PNG', 'not a tfusq file'),
    (data[:20], 'truncated: too short for a header'),
    (data[:4] + b'OTHERONE' + data[12:], 'written by another codec; this is [0-9a-f]{16}$'),
    (data + b'x', 'truncated or corrupt: wrong length'),
  ):
    with pytest.raises(ContainerError, match=f'^{reason}'):
      exported_codec.decompress(changed)


def test_a_long_message_of_tensorflow_is_cut(exported_codec, monkeypatch):
  fails = Failing(tf.errors.InternalError(None, None, 'graph\n' * 1000))
  monkeypatch.setattr(exported_codec._codec, 'compress', fails)
  with pytest.raises(client.CodecError) as error:
    exported_codec.compress(np.zeros([8, 8, 3], np.uint8))
  assert len(str(error.value)) < 250 and '\n' not in str(error.value)


def test_clients_are_found_without_tensorflow():
  code = (
    'import sys; from tfusq.export import client, container, folders; '
    'sys.exit("tensorflow" in sys.modules)'
  )
  subprocess.run([sys.executable, '-c', code], check=True)


@pytest.mark.parametrize(
  'description',
  [
    b'[]',
    b'3',
    b'null',
    b'"abc"',
    b'',
    b'\0' * 99,
    b'[' * 100_000,
    b'{"identity": ' + b'9' * 5000 + b'}',
    b'{"identity": 5}',
    b'{"identity": ["0123456789abcdef"]}',
    b'{"identity": "0123"}',
    b'{"identity": "../../../../etc/"}',
    b'{"identity": "\xff"}',
  ],
)
def test_a_description_of_another_form_is_one_line(description, tmp_path):
  (tmp_path / 'codec.json').write_bytes(description)
  for read in (client.read_folder, client.find):
    with pytest.raises(client.CodecError, match='damaged') as error:
      read(tmp_path)
    assert str(tmp_path) in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16'])
def test_a_description_saved_by_another_editor_is_read(encoding, tmp_path):
  (tmp_path / 'codec.json').write_text('{"identity": "0123456789abcdef"}', encoding)
  assert client.find(tmp_path).identity == '0123456789abcdef'


@pytest.mark.parametrize('name', ['saved_model.pb', 'variables/variables.index', 'variables'])
def test_a_codec_that_lacks_a_file_is_one_line(name, exported_path, tmp_path):
  copy = shutil.copytree(exported_path, tmp_path / 'codec')
  (copy / name).rename(tmp_path / 'elsewhere')
  with pytest.raises(client.CodecError, match='codec is damaged') as error:
    client.ExportedCodec(copy)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize('name', ['c[1]', 'c*', os.fsdecode(b'-\xff\n')])
def test_a_codec_is_loaded_from_a_folder_of_any_name(
  name, exported_path, exported_codec, photograph, tmp_path
):
  # A pattern would find these too, and one of them would be loaded in place of the codec.
  shutil.copytree(exported_path, tmp_path / 'c1')
  (tmp_path / 'c1' / 'variables' / 'variables.data-00000-of-00001').write_bytes(b'x')
  copy = shutil.copytree(exported_path, tmp_path / name / name)

  folder = client.find(tmp_path / name)
  assert folder.path == copy
  image = photograph[:20, :30]
  assert client.ExportedCodec(folder).compress(image) == exported_codec.compress(image)


@pytest.mark.parametrize(
  'change, reason',
  [
    (lambda image: image / 255, 'float64'),
    (lambda image: image.astype(np.float32), 'float32'),
    (lambda image: image.astype(int), 'int64'),
    (lambda image: image > 9, 'bool'),
    (lambda image: image[..., 0], '20x30'),
    (lambda image: image[None], '1x20x30x3'),
    (lambda image: image.repeat(2, 2), '20x30x6'),
    (lambda image: image.tolist(), 'int64'),
    (lambda image: 'photo.png', '<U9'),
    (lambda image: None, 'object'),
  ],
)
def test_what_is_no_image_is_refused(change, reason, exported_codec, photograph):
  wrong = change(photograph[:20, :30])
  for function in (exported_codec.compress, exported_codec.evaluate):
    with pytest.raises(ContainerError, match=reason) as error:
      function(wrong)
    assert '\n' not in str(error.value)


def test_what_is_no_file_is_refused(exported_codec, photograph):
  data = exported_codec.compress(photograph[:9, :8])
  for wrong in ('text', 3, None, [data]):
    with pytest.raises(ContainerError, match=f'a file is bytes; this is {type(wrong).__name__}'):
      exported_codec.decompress(wrong)
  for right in (data, bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
    assert exported_codec.decompress(right).shape == (9, 8, 3)


def test_a_codec_exported_earlier_refuses_what_is_no_image(
  exported_path, exported_codec, photograph, tmp_path
):
  """Its functions have input signatures, to which TensorFlow casts arrays."""
  exported = tf.saved_model.load(str(exported_path))
  image = tf.TensorSpec([None, None, 3], tf.uint8, 'image')
  earlier = tf.Module()
  earlier.codec = exported
  earlier.compress = tf.function(lambda image: exported.compress(image), [image])
  earlier.evaluate = earlier.compress
  earlier.decompress = tf.function(
    lambda data: exported.decompress(data), [tf.TensorSpec([], tf.string, 'data')]
  )
  tf.saved_model.save(earlier, str(tmp_path))
  shutil.copy(exported_path / 'codec.json', tmp_path)

  codec = client.ExportedCodec(tmp_path)
  data = codec.compress(photograph[:20, :30])
  assert data == exported_codec.compress(photograph[:20, :30])
  assert codec.decompress(data).shape == (20, 30, 3)
  with pytest.raises(ContainerError, match='float64'):
    codec.compress(photograph[:20, :30] / 255)
