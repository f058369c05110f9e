import numpy as np
import pytest
import tensorflow as tf

import tfusq
from making import make_codec
from tfusq.export import bitstream, saved_model
from tfusq.export.container import ContainerError
from tfusq.transforms import exact


def test_an_entropy_model_without_a_bitstream_is_refused_with_the_reason(tmp_path):
  class Silent(tfusq.Gaussian):
    def coder(self, zero_centre):
      return tfusq.EntropyModel.coder(self, zero_centre)

  with pytest.raises(saved_model.ExportError, match='Silent has no bitstream'):
    saved_model.export(make_codec(entropy_model=Silent()).centred_model, tmp_path / 'codec', {})
  assert not list(tmp_path.iterdir())


def test_where_products_are_rounded_nothing_is_exported_or_coded(tmp_path, monkeypatch):
  codec = make_codec()
  image = tf.fill([20, 20, 3], tf.constant(200, tf.uint8))
  coding = bitstream.make_coding(codec.centred_model)
  data = bitstream.encode(coding, image).data

  monkeypatch.setattr(exact, 'holds', lambda size: size < 0)
  with pytest.raises(saved_model.ExportError, match='this machine rounds matrix products'):
    saved_model.export(codec.centred_model, tmp_path / 'codec', {})
  for function, argument in ((bitstream.encode, image), (bitstream.decode, data)):
    with pytest.raises(tf.errors.InvalidArgumentError, match='this machine rounds'):
      function(coding, argument)


def test_an_image_without_pixels_is_refused(exported_codec):
  with pytest.raises(ContainerError, match='1 to 65535 rows and columns'):
    exported_codec.compress(np.zeros([0, 5, 3], np.uint8))
