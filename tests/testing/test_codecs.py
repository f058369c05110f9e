from types import SimpleNamespace

import numpy as np
import pytest
from tensorflow.core.protobuf import saved_model_pb2

from tfusq import testing
from tfusq.testing import NonConformance, codecs


class Changed:
  """A codec of which a test replaces something."""

  def __init__(self, codec, **replaced):
    self._codec = codec
    self.__dict__.update(replaced)

  def __getattr__(self, name):
    return getattr(self._codec, name)


def test_an_exported_codec_keeps_its_contract(exported_codec, monkeypatch):
  monkeypatch.setattr(codecs, '_SIZES', ((1, 1), (17, 23)))  # others are other tests'
  checks = testing.checks_of(exported_codec)
  assert [check.check.__name__ for check in checks] == [
    'decodes_its_files',
    'decodes_every_quality',
    'names_itself_in_files',
    'has_usual_operations',
  ]
  assert [check() for check in checks] == ['', 'it has one quality', '', '']


def test_another_pixel_is_found(exported_codec):
  def decompress(data):
    decoded = exported_codec.decompress(data)
    return np.where(decoded.shape[0] == 17, decoded ^ 1, decoded)

  with pytest.raises(NonConformance, match='at 17x23, 1173 of 1173 values'):
    codecs.decodes_its_files(Changed(exported_codec, decompress=decompress))


def test_a_file_or_a_size_of_its_own_is_found(exported_codec):
  with pytest.raises(NonConformance, match='at 1x1, `compress` and `evaluate`'):
    codecs.decodes_its_files(Changed(exported_codec, compress=lambda image: b''))
  with pytest.raises(NonConformance, match=r'image of 1x1 comes back with the shape \(3,\)'):
    codecs.decodes_its_files(Changed(exported_codec, decompress=lambda data: np.zeros(3)))


def test_another_identity_is_found(exported_codec):
  changed = Changed(exported_codec, description={'identity': 'f' * 16})
  with pytest.raises(NonConformance, match='name the codec [0-9a-f]{16}, and codec.json ffff'):
    codecs.names_itself_in_files(changed)


@pytest.mark.parametrize('operation', ['EagerPyFunc', 'RunLengthEncode', 'MyOwnOperation'])
def test_operations_that_others_do_not_have_are_found(operation, exported_path, tmp_path):
  content = saved_model_pb2.SavedModel.FromString((exported_path / 'saved_model.pb').read_bytes())
  function = content.meta_graphs[0].graph_def.library.function[0]
  function.node_def.add(name='added', op=operation)
  (tmp_path / 'saved_model.pb').write_bytes(content.SerializeToString())
  with pytest.raises(NonConformance, match=f"1 operations are neither .*'{operation}'"):
    codecs.has_usual_operations(SimpleNamespace(path=tmp_path))


def test_what_a_decoder_alone_does_not_do_is_no_failure(exported_path):
  decoder = SimpleNamespace(path=exported_path, description={'decoder_only': True})
  for check in (codecs.decodes_its_files, codecs.names_itself_in_files):
    with pytest.raises(testing.NotApplicable, match='it decompresses only'):
      check(decoder)
  codecs.has_usual_operations(decoder)
