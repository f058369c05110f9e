import numpy as np
import pytest
import tensorflow as tf

import tfusq
from making import make_codec
from tfusq.export import bitstream, container, container_ops, saved_model
from tfusq.export.container import ContainerError
from tfusq.transforms import exact


def forged(data, place, value):
  """Changes a byte and makes the checksum right again."""
  header = container.read_header(data)
  changed = bytearray(data)
  changed[place] = value
  content = bytes(changed[: header.bytes - 4] + changed[header.bytes :])
  changed[header.bytes - 4 : header.bytes] = bytes(
    container_ops.fingerprint(tf.constant(content)).numpy().tolist()
  )
  assert container_ops.is_intact(bytes(changed), header)
  return bytes(changed)


def test_other_table_indexes_than_the_encoders_are_noticed(exported_codec, photograph):
  data = exported_codec.compress(photograph[:64, :64])
  check = container.header_bytes(2, 1) - 8
  with pytest.raises(ContainerError, match='cannot be decoded here'):
    exported_codec.decompress(forged(data, check, data[check] ^ 1))
  # A hyperlatent that decodes to something else leads to other indexes.
  first = container.read_header(data).bytes
  with pytest.raises(ContainerError, match='cannot be decoded here'):
    exported_codec.decompress(forged(data, first, data[first] ^ 255))


def test_an_entropy_model_without_a_bitstream_is_refused_with_the_reason(tmp_path):
  class Silent(tfusq.Gaussian):
    def coder(self, zero_centre):
      return tfusq.EntropyModel.coder(self, zero_centre)

  with pytest.raises(saved_model.ExportError, match='Silent has no bitstream'):
    saved_model.export(make_codec(entropy_model=Silent()).centred_model, tmp_path / 'codec', {})
  assert not list(tmp_path.iterdir())


def test_what_is_not_finite_is_an_error():
  codec = make_codec()
  codec.model.analysis.layers[-1].bias.assign([3e38] * 12)
  codec.model.analysis.layers[-1].kernel.assign(tf.fill([5, 5, 8, 12], 3e38))
  codec.model.hyper_analysis.layers[0].kernel.assign(tf.zeros([3, 3, 12, 8]))
  module = saved_model.CodecModule(codec.centred_model)
  with pytest.raises(tf.errors.InvalidArgumentError, match='is not finite'):
    module.compress(tf.fill([20, 20, 3], tf.constant(200, tf.uint8)))
  codec.model.hyper_synthesis.layers[0].bias.assign([np.nan] * 12)
  with pytest.raises(saved_model.ExportError, match='not finite'):
    saved_model.CodecModule(codec.centred_model)


def test_where_products_are_rounded_nothing_is_exported_or_coded(tmp_path, monkeypatch):
  codec = make_codec()
  coders = bitstream.make_coders(codec.centred_model)
  image = tf.fill([20, 20, 3], tf.constant(200, tf.uint8))
  arguments = codec.centred_model, coders, bytes(8)
  data = bitstream.encode(*arguments, image).data

  monkeypatch.setattr(exact, 'holds', lambda size: size < 0)
  with pytest.raises(saved_model.ExportError, match='this machine rounds matrix products'):
    saved_model.export(codec.centred_model, tmp_path / 'codec', {})
  for function, argument in ((bitstream.encode, image), (bitstream.decode, data)):
    with pytest.raises(tf.errors.InvalidArgumentError, match='this machine rounds') as caught:
      function(*arguments, argument)
    assert container.refusal(str(caught.value)) == bitstream.INEXACT


def test_an_image_without_pixels_is_refused(exported_codec):
  with pytest.raises(ContainerError, match='1 to 65535 rows and columns'):
    exported_codec.compress(np.zeros([0, 5, 3], np.uint8))
