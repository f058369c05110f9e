"""Models code large pictures in pieces; here the pieces are small, and so are the pictures."""

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from making import (
  build_small,
  code_in_small_pieces,
  last_convolution,
  make_codec,
  make_variable_codec,
)
from tfusq.export import arguments, bitstream, saved_model
from tfusq.export.container import MAX_PIXELS, MAX_PIXELS_AT_ONCE
from tfusq.models import in_tiles
from tfusq.transforms import Network
from tfusq.transforms.pixels import from_uint8, to_uint8

# A parallel walk and a serial one; those of the slow tests have more parts, or other transforms.
WALKS = ('ms_hyper_zero', 'ms_context')
SLOW = (
  'charm',
  'elic_sm_zero',
  'ms_hyper',
  'charm_zero',
  'cheng_anchor',
  'cheng_attn',
  'elic_zero',
)
MODELS = (*WALKS, *SLOW)


@pytest.fixture
def in_small_pieces(monkeypatch):
  code_in_small_pieces(monkeypatch)


def differences(pixels, others):
  """Returns the absolute differences of two pictures' values."""
  # Both in int: what has one `uint8` tensor in it is subtracted in `uint8`, where 0 - 1 is 255.
  return np.abs(pixels.numpy().astype(int) - others.numpy().astype(int))


def lively(codec):
  """Scales the latents up to several symbols; returns the codec."""
  last = last_convolution(codec.model.analysis)
  last.kernel.assign(30 * last.kernel)
  return codec


@pytest.mark.parametrize(
  'name', [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in MODELS]
)
def test_a_picture_in_pieces_is_the_picture_as_a_whole(name, photograph, monkeypatch):
  centred_model = lively(build_small(name, 'Codec.lmbda = 1.0')).centred_model
  model, coding = centred_model.model, bitstream.make_coding(centred_model)
  image = tf.constant(photograph[:149, :230])
  quality = coding.qualities.at(0)

  def analyze(image):
    return in_tiles.latents(model, image)

  def encode(latents, height, width):
    encoded = bitstream.encode_latents(coding, latents, quality, height, width)
    return encoded.data, encoded.y_hat

  def decode(data):
    return bitstream.decode(coding, data)[0]

  def reconstruct(y_hat, height, width):
    return in_tiles.reconstruct(model, y_hat, height, width)

  def in_graph(function, *signature):
    return tf.function(function, list(signature) or None, autograph=False)

  # The whole, whose size is known, and small.
  latents = analyze(image)
  whole_data, whole_y_hat = encode(latents, 149, 230)
  whole = reconstruct(whole_y_hat, 149, 230)

  code_in_small_pieces(monkeypatch)
  height, width = tf.constant(149), tf.constant(230)
  for latent, y in in_graph(analyze, arguments.IMAGE)(image).items():
    np.testing.assert_allclose(y, latents[latent], atol=1e-5 * np.abs(y).max())

  # From the same latents, since one close to the middle between two integers may be rounded
  # otherwise, and from random weights all slices after it are then other ones.
  data, y_hat = in_graph(encode)(latents, height, width)
  np.testing.assert_array_equal(in_graph(decode, arguments.DATA)(data), y_hat)
  # Each tile of exact arithmetic has steps of its own, of some nine bits.
  np.testing.assert_allclose(y_hat, whole_y_hat, atol=np.abs(y_hat).max() / 2**9)
  # The file is another one, since a string has escapes after each piece.
  assert abs(len(data.numpy()) - len(whole_data.numpy())) < 0.01 * len(data.numpy())

  difference = differences(in_graph(reconstruct)(whole_y_hat, height, width), whole)
  assert difference.max() <= 1 and np.count_nonzero(difference) < 0.001 * difference.size


@pytest.mark.parametrize('step', [0, 64])
def test_a_quality_in_pieces_is_the_quality_as_a_whole(step, photograph, monkeypatch):
  codec = make_variable_codec((0.02, 0.1, 0.5))
  coding = bitstream.make_coding(codec.centred_model)
  image = tf.constant(photograph[:149, :230])

  def encode(image):
    encoded = bitstream.encode(coding, image, step)
    return encoded.data, in_tiles.reconstruct(codec.model, encoded.y_hat, 149, 230)

  whole_data, whole = encode(image)
  code_in_small_pieces(monkeypatch)
  data, pieces = tf.function(encode, [arguments.IMAGE], autograph=False)(image)
  decoded = in_tiles.reconstruct(codec.model, *bitstream.decode(coding, data))
  np.testing.assert_array_equal(decoded, pieces)
  assert differences(pieces, whole).max() <= 1
  assert abs(len(data.numpy()) - len(whole_data.numpy())) < 0.01 * len(data.numpy())


def test_latents_and_pixels_of_tiles_are_those_of_the_whole(photograph, in_small_pieces):
  codec = lively(make_codec())
  model, image = codec.model, photograph[:149, :230]
  tiles = tf.function(
    lambda x: in_tiles.latents(model, x), [tf.TensorSpec([None, None, 3], tf.uint8)]
  )(image)
  whole = model.latents(from_uint8(image)[None])
  assert tiles.keys() == whole.keys()
  for latent, y in whole.items():
    assert tiles[latent].shape == y.shape
    np.testing.assert_allclose(tiles[latent], y, atol=1e-5 * np.abs(y).max())

  y_hat = tf.round(whole['y'])
  pixels = in_tiles.reconstruct(model, y_hat, tf.constant(149), tf.constant(230))
  expected = to_uint8(model.reconstruct(y_hat, 149, 230)[0])
  assert differences(pixels, expected).max() <= 1


def test_a_model_of_somebody_elses_is_tiled_as_a_whole(photograph, in_small_pieces):
  """One that says nothing of its stages: `latents` is run in tiles at once."""

  class Whole(tfusq.MSHyper):
    def analysis_stages(self):
      return tfusq.Model.analysis_stages(self)

  codec = lively(make_codec(model=Whole))
  image = photograph[:149, :230]
  tiles = in_tiles.latents(codec.model, image)
  for latent, y in codec.model.latents(from_uint8(image)[None]).items():
    np.testing.assert_allclose(tiles[latent], y, atol=1e-5 * np.abs(y).max())


class Centre(tf.keras.layers.Layer):
  """Subtracts the mean of the picture."""

  def call(self, inputs):
    return inputs - tf.reduce_mean(inputs, [1, 2], keepdims=True)


class Pooled(tfusq.Convolutional):
  """Transforms whose analysis sees the whole picture."""

  def analysis(self, filters, latent_channels):
    return Network([Centre(), super().analysis(filters, latent_channels)], name='analysis')


class Bounded(tfusq.MSHyper):
  """A model that branches in Python on a tensor, as it may where it is trained."""

  def reconstruct(self, y_hat, height, width):
    if tf.reduce_max(tf.abs(y_hat)) > 1e4:
      y_hat = tf.zeros_like(y_hat)
    return super().reconstruct(y_hat, height, width)


@pytest.mark.long
def test_what_sees_the_whole_picture_is_not_tiled_and_takes_fewer_pixels(
  photograph, in_small_pieces, monkeypatch
):
  def model(*arguments):
    return Bounded(*arguments, analysis=Pooled())

  codec = make_codec(model=model)
  assert not in_tiles.are_possible(codec.model)
  assert in_tiles.are_possible(make_codec().model) and MAX_PIXELS > MAX_PIXELS_AT_ONCE
  image = photograph[:70, :90]
  x = from_uint8(image)[None]
  np.testing.assert_array_equal(
    in_tiles.latents(codec.model, image)['y'], codec.model.latents(x)['y']
  )

  monkeypatch.setattr('tfusq.export.container.MAX_PIXELS_AT_ONCE', 6000)
  module = saved_model.CodecModule(codec.centred_model, decoder_only=False)
  with pytest.raises(
    tf.errors.InvalidArgumentError, match='more than 6000 pixels, and the networks'
  ):
    module.compress(image)
  assert module.decompress(module.compress(image[:60])).shape == (60, 90, 3)
