"""Decoding a part of a photograph gives the pixels of `read_image`, whoever decodes it."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, PngImagePlugin

import profiles
from tfusq import image_files
from tfusq.image_files import ImageError
from tfusq.training import decoding
from tfusq.training.decoding import Box

SIZE = (77, 101)


@pytest.fixture(scope='module')
def picture():
  """A photograph with noise, of an odd size, as Pillow has it."""
  generator = np.random.default_rng(0)
  smooth = Image.fromarray(generator.integers(0, 256, [9, 12, 3], np.uint8))
  image = np.asarray(smooth.resize((SIZE[1], SIZE[0]), Image.Resampling.BICUBIC)).astype(int)
  image = image + generator.integers(-9, 10, image.shape)
  return Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))


def encode(image, format, **options):
  buffer = io.BytesIO()
  image.save(buffer, format, **options)
  return buffer.getvalue()


def boxes(height, width, count=20, seed=0):
  """The whole picture, its corners, and random parts."""
  yield Box(0, 0, height, width)
  for top in (0, height - 1):
    for left in (0, width - 1):
      yield Box(top, left, 1, 1)
  generator = np.random.default_rng(seed)
  for _ in range(count):
    size = [int(generator.integers(1, side + 1)) for side in (height, width)]
    place = [int(generator.integers(side - n + 1)) for side, n in zip((height, width), size)]
    yield Box(*place, *size)


def kind(data):
  """The kind that TensorFlow decodes, after all parts were found to be right."""
  form = decoding.read_form('p', data)
  expected = image_files.read_image('p', data=data)
  assert expected.shape == (form.height, form.width, 3)
  for box in boxes(form.height, form.width):
    part = decoding.decode('p', data, form, box)
    np.testing.assert_array_equal(part, box.of(expected), err_msg=str(box))
  return form.kind


@pytest.fixture
def only_tensorflow(monkeypatch):
  """Fails where Pillow decodes, once the tests have what they expect."""
  read = image_files.read_image

  def refuse(path, data):
    raise AssertionError(f'Pillow decodes {path}')

  monkeypatch.setattr(decoding.image_files, 'read_image', refuse)
  return lambda data: read('p', data=data)


@pytest.mark.parametrize('subsampling', [0, 1, 2, 'grey'])
@pytest.mark.parametrize('progressive', [False, True])
@pytest.mark.parametrize(
  'options',
  [
    {'quality': 1},
    {'quality': 75, 'optimize': True},
    {'quality': 95, 'restart_marker_blocks': 3},
    {'quality': 100},
  ],
)
def test_tensorflow_decodes_parts_of_a_jpeg_as_pillow_does(
  picture, subsampling, progressive, options, only_tensorflow
):
  for size in ((101, 77), (16, 16), (17, 8), (1, 1), (2, 33)):
    image = picture.crop((0, 0, *size))
    chosen = {'subsampling': subsampling}
    if subsampling == 'grey':
      image, chosen = image.convert('L'), {}
    data = encode(image, 'JPEG', progressive=progressive, **options, **chosen)
    expected = only_tensorflow(data)
    form = decoding.read_form('p', data)
    for box in boxes(*expected.shape[:2]):
      part = decoding.decode('p', data, form, box)
      np.testing.assert_array_equal(part, box.of(expected), err_msg=f'{size} {box}')


@pytest.mark.parametrize('mode', ['RGB', 'L'])
def test_tensorflow_decodes_parts_of_a_png_as_pillow_does(picture, mode, only_tensorflow):
  gamma = PngImagePlugin.PngInfo()
  gamma.add(b'gAMA', struct.pack('>I', 100000))
  gamma.add_text('Software', 'a program')
  for options in ({}, {'pnginfo': gamma}, {'icc_profile': profiles.srgb()}):
    if mode == 'L' and 'icc_profile' in options:
      continue
    data = encode(picture.convert(mode), 'PNG', **options)
    expected = only_tensorflow(data)
    form = decoding.read_form('p', data)
    for box in boxes(*SIZE):
      np.testing.assert_array_equal(decoding.decode('p', data, form, box), box.of(expected))


def test_pictures_that_are_more_than_their_pixels_are_pillows(picture):
  turned = Image.Exif()
  turned[0x0112] = 6
  upright = Image.Exif()
  upright[0x0112] = 1
  assert kind(encode(picture, 'JPEG', exif=upright, subsampling=2)) == 'JPEG 2'
  assert kind(encode(picture, 'JPEG', exif=turned)) == ''
  assert kind(encode(picture, 'JPEG', icc_profile=profiles.srgb(), subsampling=0)) == 'JPEG 0'
  assert kind(encode(picture, 'JPEG', icc_profile=profiles.display_p3())) == ''
  assert kind(encode(picture.convert('L'), 'JPEG', icc_profile=profiles.grey(1.8))) == ''
  assert kind(encode(picture.convert('CMYK'), 'JPEG')) == ''
  assert kind(encode(picture, 'PNG', exif=turned)) == ''
  assert kind(encode(picture, 'PNG', icc_profile=profiles.adobe_rgb())) == ''
  for mode in ('RGBA', 'LA', 'P', '1', 'I;16'):
    assert kind(encode(picture.convert('L' if mode == 'I;16' else mode).convert(mode), 'PNG')) == ''
  assert kind(encode(picture, 'PNG', transparency=(9, 9, 9))) == ''
  for format in ('WebP', 'TIFF', 'BMP', 'GIF'):
    assert kind(encode(picture, format)) == ''


def test_an_orientation_behind_the_pixels_of_a_png_counts(picture):
  turned = Image.Exif()
  turned[0x0112] = 8
  content = turned.tobytes().removeprefix(b'Exif\x00\x00')
  chunk = b'eXIf' + content
  chunk = struct.pack('>I', len(content)) + chunk + struct.pack('>I', zlib.crc32(chunk))
  whole = encode(picture, 'PNG')
  data = whole[:-12] + chunk + whole[-12:]
  assert decoding.read_form('p', data)[:2] == SIZE[::-1]
  assert kind(data) == ''


def test_a_jpeg_of_rgb_without_a_transform_is_decoded_alike(picture):
  data = encode(picture, 'JPEG', keep_rgb=True)
  assert kind(data) == 'JPEG 0'


@pytest.mark.parametrize('format', ['JPEG', 'PNG'])
def test_what_is_wrong_with_a_file_is_said_wherever_it_was_cut(picture, format):
  whole = encode(picture, format)
  form = decoding.read_form('p', whole)
  for length in (len(whole) - 1000, len(whole) // 2, len(whole) - 200):
    with pytest.raises(ImageError, match='cannot read image folder/p: '):
      decoding.decode('folder/p', whole[:length], form, Box(0, 0, 8, 8))


def test_bytes_behind_a_jpeg_do_not_matter(picture):
  assert kind(encode(picture, 'JPEG', subsampling=1) + b'notes') == 'JPEG 1'


def test_a_damage_that_pillow_reads_past_is_read_past(picture):
  whole = bytearray(encode(picture, 'JPEG', quality=90, restart_marker_rows=1))
  whole[len(whole) // 2 :][:9] = bytes(9)
  assert kind(bytes(whole[:-2]) + b'\xff\xd9') == 'JPEG 2'


def test_pillow_decodes_what_tensorflow_refuses(picture, monkeypatch):
  def refuse(*args, **options):
    raise tf.errors.InvalidArgumentError(None, None, 'no')

  data = encode(picture, 'PNG')
  assert decoding._is_exact('PNG')
  monkeypatch.setattr(tf.io, 'decode_png', refuse)
  assert kind(data) == 'PNG'


def test_pillow_decodes_where_another_tensorflow_has_other_pixels(picture, monkeypatch, caplog):
  decode = tf.io.decode_and_crop_jpeg
  data = encode(picture, 'JPEG', subsampling=2)

  def fast(*args, dct_method, **options):
    return decode(*args, dct_method='INTEGER_FAST', **options)

  monkeypatch.setattr(tf.io, 'decode_and_crop_jpeg', fast)
  decoding._is_exact.cache_clear()
  try:
    assert kind(data) == 'JPEG 2'
    assert not decoding._is_exact('JPEG 2')
  finally:
    decoding._is_exact.cache_clear()


def test_a_file_that_became_another_is_named(picture):
  form = decoding.read_form('p', encode(picture, 'WebP'))
  other = encode(picture.resize((30, 40)), 'WebP')
  with pytest.raises(ImageError, match='folder/p: it was changed while it was used'):
    decoding.decode('folder/p', other, form, Box(0, 0, 8, 8))
