"""What an exported codec of variable rate can do, from files alone."""

import numpy as np
import pytest
import tensorflow as tf

from fuzz import sealed, split
from making import make_codec
from tfusq.export import bitstream, container, saved_model
from tfusq.export.container import ContainerError
from tfusq.export.functions import Functions
from tfusq.transforms import exact

REFUSED = tf.errors.InvalidArgumentError


def with_step(data, step):
  """A file with another quality step, and the right checksum."""
  header, sections = split(data)
  place = container.positions(2, 1)['step']
  header = header[: place.start] + step.to_bytes(2, 'little') + header[place.stop :]
  return sealed(header, b''.join(sections))


def test_every_quality_is_decoded_bit_for_bit_by_another_client(all_files, variable_codec):
  for step, (encoded, data) in enumerate((each, each['data'].numpy()) for each in all_files):
    assert container.read_header(data).step == step
    np.testing.assert_array_equal(variable_codec.decompress(data), encoded['reconstruction'])
  assert len({each['data'].numpy() for each in all_files}) == len(all_files)


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


@pytest.mark.parametrize('quality', np.array([0, 0.99, 2.01, 3, -1, np.nan, np.inf]))
def test_another_quality_is_refused_with_those_that_there_are(quality, codec, image):
  for function in (codec.compress, codec.evaluate):
    with pytest.raises(REFUSED, match='this codec has the qualities from 1 to 2'):
      function(image, quality)


def test_what_is_no_image_is_refused_at_a_quality_too(codec, image):
  floats = tf.cast(image, tf.float32)
  for function in (codec.compress, codec.compress_to_bytes, codec.compress_to_psnr):
    with pytest.raises(REFUSED, match='this has the type float32'):
      function(floats, 2)


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
  with pytest.raises(ContainerError, match='its quality step is not one of the 33 from 0 on'):
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
