import numpy as np
import pytest
import tensorflow as tf

import tfusq
from making import make_codec, make_variable_codec
from tfusq.export import bitstream, container, saved_model
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


@pytest.mark.parametrize('model', [tfusq.MSContext, tfusq.Cheng])
def test_a_serial_context_decodes_symbols_beyond_what_it_reads_at_the_highest_quality(
  model, photograph
):
  """Its exact arithmetic clips what it reads to +-511, in encoder and decoder alike."""
  codec = make_variable_codec((0.02, 99.0), model=model, zero_centre=False, filters=4)
  coding = bitstream.make_coding(codec.centred_model)
  image = tf.constant(photograph[100:149, 100:170])
  top = coding.qualities.steps - 1
  encoded = bitstream.encode(coding, image, top)
  symbols = encoded.y_hat / coding.qualities.at(top).gains.inverse_gain
  assert np.count_nonzero(np.abs(symbols) > 511) > 10
  assert container.read_header(encoded.data.numpy()).step == top

  y_hat, height, width = bitstream.decode(coding, encoded.data)
  np.testing.assert_array_equal(y_hat, encoded.y_hat)
  assert (height, width) == (49, 70)


def test_an_image_without_pixels_is_refused(exported_codec):
  with pytest.raises(ContainerError, match='1 to 65535 rows and columns'):
    exported_codec.compress(np.zeros([0, 5, 3], np.uint8))
