import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfusq.export import client
from tfusq.export.container import ContainerError


def test_another_failure_of_tensorflow_is_one_error(exported_codec, monkeypatch):
  def fails(image):
    raise tf.errors.ResourceExhaustedError(None, None, 'OOM when allocating')

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
  assert client.find(tmp_path, 'b' * 16).path == tmp_path / 'b'
  with pytest.raises(client.CodecError, match='several codecs'):
    client.find(tmp_path)
  with pytest.raises(client.CodecError, match='written by codec cc'):
    client.find(tmp_path, 'c' * 16)
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
  def fails(image):
    raise tf.errors.InternalError(None, None, 'graph\n' * 1000)

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
