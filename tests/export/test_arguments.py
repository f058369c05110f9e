"""The functions of an exported codec in a client that has TensorFlow alone."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from tfusq.export import arguments, bitstream, container

IMAGE = np.arange(2 * 5 * 3, dtype=np.uint8).reshape(2, 5, 3)
FLOATS = IMAGE / np.float64(255)


class Sums(tf.Module):
  """Functions of the form of a codec's, without networks."""

  def __init__(self):
    super().__init__()
    self.image_sum = arguments.image_function(
      lambda image: tf.strings.as_string(tf.reduce_sum(tf.cast(image, tf.int32)))
    )
    self.data_length = arguments.data_function(tf.strings.length)


@pytest.fixture(scope='module')
def loaded(tmp_path_factory):
  folder = tmp_path_factory.mktemp('sums')
  tf.saved_model.save(Sums(), str(folder))
  return tf.saved_model.load(str(folder))


@pytest.fixture(scope='module')
def codec(exported_path):
  return tf.saved_model.load(str(exported_path))


def refusal(function, argument):
  with pytest.raises(tf.errors.InvalidArgumentError) as error:
    function(argument)
  return container.refusal(error.value.message)


@pytest.mark.parametrize(
  'image',
  [
    IMAGE,
    tf.constant(IMAGE),
    tf.Variable(IMAGE),
    np.asfortranarray(IMAGE),
    IMAGE[::-1, ::-1],
    np.concatenate([IMAGE, np.zeros([4, 5, 3], np.uint8)]),
  ],
)
def test_an_image_is_taken_in_any_form_and_size(image, loaded):
  assert int(loaded.image_sum(image)) == IMAGE.sum()


@pytest.mark.parametrize(
  'image, type_name',
  [
    (FLOATS, 'float64'),
    (255 * FLOATS, 'float64'),
    (FLOATS.astype(np.float32), 'float32'),
    (FLOATS.astype(np.float16), 'float16'),
    (FLOATS.astype(ml_dtypes.bfloat16), 'bfloat16'),
    (tf.constant(FLOATS), 'float64'),
    (tf.constant(FLOATS, tf.float32), 'float32'),
    (IMAGE.astype(np.int64), 'int64'),
    (IMAGE.astype(np.int32), 'int32'),
    (IMAGE.astype(np.int16), 'int16'),
    (IMAGE.astype(np.int8), 'int8'),
    (IMAGE.astype(np.uint16), 'uint16'),
    (IMAGE.astype(np.uint32), 'uint32'),
    (IMAGE.astype(np.uint64), 'uint64'),
    (IMAGE > 9, 'bool'),
    (FLOATS[..., 0], 'float64'),
    (FLOATS.tolist(), 'float32'),
    (IMAGE.tolist(), 'int32'),
    ([[[300, -1, 0]]], 'int32'),
    ([[[True, False, True]]], 'bool'),
    ('photo.png', 'string'),
    (b'\x89PNG', 'string'),
  ],
)
def test_another_type_is_refused_by_name(image, type_name, loaded):
  assert refusal(loaded.image_sum, image) == f'{container.IMAGE}; this has the type {type_name}'
  assert 'uint8' in container.IMAGE and '0 to 255' in container.IMAGE


@pytest.mark.parametrize(
  'shape, text',
  [
    ((20, 24), '20x24'),
    ((20, 24, 1), '20x24x1'),
    ((20, 24, 4), '20x24x4'),
    ((1, 20, 24, 3), '1x20x24x3'),
    ((3, 20, 24), '3x20x24'),
    ((20, 24, 0), '20x24x0'),
    ((60,), '60'),
  ],
)
def test_another_shape_is_refused_with_its_sides(shape, text, loaded):
  for image in (np.zeros(shape, np.uint8), tf.zeros(shape, tf.uint8)):
    message = refusal(loaded.image_sum, image)
    assert message == f'{container.IMAGE}; this has the shape {text}'


def test_what_is_no_tensor_is_refused(loaded):
  for image in (None, {'image': IMAGE}):
    with pytest.raises(ValueError, match='Could not find matching'):
      loaded.image_sum(image)


def test_one_trace_is_enough_for_all_sizes(loaded):
  loaded.image_sum.get_concrete_function(arguments.IMAGE)
  count = loaded.image_sum.experimental_get_tracing_count()
  for height in range(10, 14):
    assert loaded.image_sum(np.ones([height, 2, 3], np.uint8)) == str(6 * height)
  assert loaded.image_sum.experimental_get_tracing_count() == count
  assert 'float64' in refusal(loaded.image_sum, FLOATS)


def test_an_image_of_unknown_size_is_taken_in_a_graph(loaded):
  @tf.function(input_signature=[tf.TensorSpec(None, tf.uint8)], autograph=False)
  def from_graph(image):
    return loaded.image_sum(image)

  assert int(from_graph(IMAGE)) == IMAGE.sum()


def test_a_file_is_one_string(loaded):
  for data in (b'\0\xffab', np.array(b'\0\xffab'), tf.constant(b'\0\xffab'), '\0öab'[:3]):
    assert loaded.data_length(data) == 4
  for data, text in (
    ([b'ab'], '1'),
    ([b'ab', b'cd'], '2'),
    (np.array([[b'ab']], object), '1x1'),
    (tf.constant([b'ab']), '1'),
  ):
    message = refusal(loaded.data_length, data)
    assert message == f'a file is one string; this has the shape {text}'
  for data in (3, None, np.frombuffer(b'ab', np.uint8), tf.constant(1.0), IMAGE):
    with pytest.raises(TypeError):
      loaded.data_length(data)


@pytest.mark.parametrize('name', ['compress', 'evaluate'])
def test_a_codec_refuses_what_is_no_image(name, codec, photograph):
  image = photograph[:32, :48]
  function = getattr(codec, name)
  for wrong, text in (
    (image / 255, 'float64'),
    (image.astype(int), 'int64'),
    (image[None], '1x32'),
  ):
    assert text in refusal(function, wrong)


def test_the_networks_are_the_same_for_each_size(codec, exported_codec, photograph):
  """A trace of one size computes what the trace of all sizes does, to the bit."""
  image = photograph[:33, :47]
  assert codec.compress(image).numpy() == exported_codec.compress(image)


@pytest.mark.parametrize('height, width', [(0, 5), (5, 0), (0, 0), (65536, 1), (1, 65536)])
def test_a_codec_refuses_sizes_that_no_file_has(height, width, codec):
  image = np.zeros([height, width, 3], np.uint8)
  codec.compress.get_concrete_function(arguments.IMAGE)
  assert refusal(codec.compress, image) == container.IMAGE_LIMITS


def test_more_pixels_than_a_file_has_are_refused(trained, monkeypatch):
  """An exported codec has the limit itself, as its refusal of a forged size says."""
  monkeypatch.setattr(container, 'MAX_PIXELS', 6000)
  coding = bitstream.make_coding(trained.centred_model)
  assert bitstream.encode(coding, tf.zeros([60, 100, 3], tf.uint8)).data.dtype == tf.string
  with pytest.raises(tf.errors.InvalidArgumentError, match='more than 6000 pixels'):
    bitstream.encode(coding, tf.zeros([60, 101, 3], tf.uint8))


def test_a_size_is_refused_though_the_trace_knows_it(codec):
  assert refusal(codec.compress, np.zeros([0, 7, 3], np.uint8)) == container.IMAGE_LIMITS
