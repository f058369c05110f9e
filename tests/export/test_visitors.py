import numpy as np
import pytest
import tensorflow as tf

from making import make_codec
from tfusq.export import container, container_ops, saved_model
from tfusq.export.container import ContainerError


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
