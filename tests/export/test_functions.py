"""What an exported codec of variable rate can do, from files alone."""

import re

import numpy as np
import pytest
import tensorflow as tf

from fuzz import sealed, split
from making import make_codec
from tfusq.coding import range_coder
from tfusq.export import bitstream, container, saved_model
from tfusq.export.container import ContainerError
from tfusq.export.functions import Functions
from tfusq.transforms import exact

STEPS = 33
REFUSED = tf.errors.InvalidArgumentError


@pytest.fixture(scope='module')
def image(photograph):
  return tf.constant(photograph[100:180, 100:196])


@pytest.fixture(scope='module')
def codec(variable_path):
  """The exported codec, loaded as clients do that have no tfusq."""
  range_coder.operations()
  return tf.saved_model.load(str(variable_path))


@pytest.fixture(scope='module')
def all_files(codec, image):
  """What `evaluate` gives at each step."""
  # Python's numbers would be traced, each by itself.
  return [codec.evaluate(image, np.float32(1 + step / 32)) for step in range(STEPS)]


def with_step(data, step):
  """A file with another quality step, and the right checksum."""
  header, sections = split(data)
  place = container.positions(2, 1)['step']
  header = header[: place.start] + step.to_bytes(2, 'little') + header[place.stop :]
  return sealed(header, b''.join(sections))


def psnr(image, reconstruction):
  difference = image.numpy().astype(float) - reconstruction.numpy()
  return 10 * np.log10(255**2 / np.mean(difference**2))


def test_every_quality_is_decoded_bit_for_bit_by_another_client(all_files, variable_codec):
  for step, (encoded, data) in enumerate((each, each['data'].numpy()) for each in all_files):
    assert container.read_header(data).step == step
    np.testing.assert_array_equal(variable_codec.decompress(data), encoded['reconstruction'])
  assert len({each['data'].numpy() for each in all_files}) == STEPS


def test_bits_are_those_of_the_quality(all_files):
  for each in all_files[::8]:
    sections = container.read_header(each['data'].numpy()).sections
    coded = 8 * np.array(sections)
    assert np.all(np.abs(coded - each['bits']) < 0.005 * each['bits'] + 32)


def test_without_a_quality_it_is_the_middle_level(codec, image, all_files, variable_codec):
  data = codec.compress(image).numpy()
  assert data == all_files[0]['data'].numpy() == codec.evaluate(image)['data'].numpy()
  assert data == variable_codec.compress(image.numpy())
  assert data == codec.signatures['compress'](image=image)['data_bytes'].numpy()


@pytest.mark.parametrize(
  'quality, step',
  [
    (2, 32),
    (1.5, 16),
    (np.float64(1), 0),
    (np.float64(1 + 9.4 / 32), 9),
    (np.float64(1 + 9.6 / 32), 10),
    (np.float32(1.25), 8),
    (np.int64(2), 32),
    (np.int32(2), 32),
    (np.array(1.25), 8),
    (tf.constant(2), 32),
    (tf.constant(2, tf.int64), 32),
    (tf.constant(1.25, tf.float64), 8),
  ],
  ids=repr,
)
def test_a_quality_is_any_number(quality, step, codec, image, all_files):
  assert codec.compress(image, quality).numpy() == all_files[step]['data'].numpy()
  assert codec.compress(image, quality=quality).numpy() == all_files[step]['data'].numpy()


@pytest.mark.parametrize('quality', [0, *np.array([0.99, 2.01, 3, -1, np.nan, np.inf])])
def test_another_quality_is_refused_with_those_that_there_are(quality, codec, image):
  for function in (codec.compress, codec.evaluate):
    with pytest.raises(REFUSED, match='this codec has the qualities from 1 to 2'):
      function(image, quality)


def test_what_is_no_image_is_refused_at_a_quality_too(codec, image):
  floats = tf.cast(image, tf.float32)
  for function in (codec.compress, codec.compress_to_bytes, codec.compress_to_psnr):
    with pytest.raises(REFUSED, match='this has the type float32'):
      function(floats, 2)


def test_a_number_of_bytes_is_kept_by_the_best_quality_that_fits(codec, image, all_files):
  files = [each['data'].numpy() for each in all_files]
  sizes = np.array([len(file) for file in files])
  assert np.all(np.diff(sizes) > 0)  # else bisection may miss the best
  some = sizes[::4]  # the lowest and the highest among them
  for limit in [*some, *(some[1:] - 1), *(some + 1), np.int64(2**40), np.float64(1e300), np.inf]:
    expected = files[np.flatnonzero(sizes <= limit)[-1]]
    assert codec.compress_to_bytes(image, limit).numpy() == expected, limit
  assert codec.compress_to_bytes(image, sizes[3] + 0.9).numpy() == files[3]
  by_signature = codec.signatures['compress_to_bytes']
  limit = tf.constant(sizes[20], tf.int64)
  assert by_signature(image=image, limit=limit)['data_bytes'].numpy() == files[20]


@pytest.mark.parametrize('missing', np.array([1, 10**6]))
def test_where_nothing_fits_it_says_what_the_lowest_takes(missing, codec, image, all_files):
  size = len(all_files[0]['data'].numpy())
  message = f'no quality fits into {size - missing} bytes: the lowest takes {size}'
  with pytest.raises(REFUSED, match=re.escape(message)):
    codec.compress_to_bytes(image, size - missing)


def test_a_psnr_is_reached_by_the_lowest_quality_that_does(codec, image, all_files):
  reached = np.array([psnr(image, each['reconstruction']) for each in all_files])
  assert np.all(np.diff(reached) > 0.001)
  some = reached[::4]
  for limit in np.array([*(some - 1e-4), *(some[:-1] + 1e-4), 0, -np.inf]):
    expected = all_files[np.flatnonzero(reached >= limit)[0]]['data'].numpy()
    assert codec.compress_to_psnr(image, limit).numpy() == expected, limit


@pytest.mark.parametrize('limit', np.array([40, 100.5]))
def test_where_none_reaches_it_it_says_what_the_highest_has(limit, codec, image, all_files):
  highest = psnr(image, all_files[-1]['reconstruction'])
  message = f'no quality reaches {limit:.2f} dB: the highest has {highest:.2f}'
  with pytest.raises(REFUSED, match=re.escape(message)):
    codec.compress_to_psnr(image, limit)


def test_no_psnr_is_reached_that_is_no_number(codec, image):
  with pytest.raises(REFUSED, match='no quality reaches nan dB'):
    codec.compress_to_psnr(image, np.float64(np.nan))


@pytest.mark.parametrize(
  'number', [1000, np.float64(1000), np.int32(1000), np.int64(1000), tf.constant(1000)], ids=repr
)
def test_limits_are_numbers_of_any_type(number, codec, image):
  expected = codec.compress_to_bytes(image, np.int64(1000)).numpy()
  assert codec.compress_to_bytes(image, number).numpy() == expected
  number = number / 40
  expected = codec.compress_to_psnr(image, np.float64(25)).numpy()
  assert codec.compress_to_psnr(image, number).numpy() == expected


def test_a_decoder_goes_by_the_step_that_a_file_states(all_files, variable_codec):
  """Others have other tables, so that it notices a forged one."""
  data = all_files[20]['data'].numpy()
  assert with_step(data, 20) == data
  for step in (0, 32):
    with pytest.raises(ContainerError, match='cannot be decoded here'):
      variable_codec.decompress(with_step(data, step))


@pytest.mark.parametrize('step', [33, 256, 65535])
def test_a_step_that_the_codec_does_not_have_is_refused(step, all_files, variable_codec):
  data = with_step(all_files[32]['data'].numpy(), step)
  with pytest.raises(ContainerError, match='corrupt: this codec has 33 quality steps'):
    variable_codec.decompress(data)


def test_all_functions_are_signatures(codec):
  assert set(codec.signatures) == {
    'decompress',
    'compress',
    'evaluate',
    'compress_at',
    'evaluate_at',
    'compress_to_bytes',
    'compress_to_psnr',
    'serving_default',
  }


def test_a_decoder_has_one_function_and_no_gains_that_only_compressing_needs(
  variable, variable_codec, all_files
):
  module = saved_model.CodecModule(variable.centred_model, decoder_only=True)
  assert module.identity.hex() == variable_codec.description['identity']
  assert set(module.served) == {'decompress', 'serving_default'}
  for name in ('compress', 'evaluate', 'compress_to_bytes', 'compress_to_psnr'):
    assert not hasattr(module, name)

  module.trace()
  tables = [each for each in module.variables_in_order if each.name.startswith('quality')]
  inverse_gain = np.exp(variable.variable_rate.all_of(variable.variable_rate.inverse_gain))
  assert len(tables) == 2
  np.testing.assert_allclose(tables[0], inverse_gain, rtol=1e-6)
  for each in all_files[::16]:
    np.testing.assert_array_equal(module.decompress(each['data']), each['reconstruction'])


def test_a_codec_of_fixed_rate_has_no_functions_of_a_quality():
  coding = bitstream.make_coding(make_codec(4, 6).centred_model)
  functions = Functions(coding, exact.Store())
  names = {'compress', 'decompress', 'evaluate'}
  assert set(functions.served()) == names | {'serving_default'}
