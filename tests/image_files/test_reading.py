import hashlib

import numpy as np
import pytest
from PIL import Image

import pngs
from tfusq import image_files
from tfusq.image_files import ImageError, image_hash, read_image


@pytest.mark.parametrize(
  'mode, pixel, expected',
  [
    ('L', 100, [100] * 3),
    ('I;16', 25700, [100] * 3),
    ('1', 1, [255] * 3),
    ('RGBA', (10, 20, 30, 0), [255] * 3),
    ('RGBA', (10, 20, 30, 255), [10, 20, 30]),
    ('LA', (50, 255), [50] * 3),
    ('RGB', (1, 2, 3), [1, 2, 3]),
  ],
)
def test_every_kind_of_pixel_becomes_rgb(mode, pixel, expected, tmp_path):
  path = tmp_path / 'image.png'
  Image.new(mode, (4, 3), pixel).save(path)
  image = read_image(path)
  assert image.shape == (3, 4, 3) and image.dtype == np.uint8
  assert image[0, 0].tolist() == expected


# Two pixels each, of which the first has the colour of the key.
@pytest.mark.parametrize(
  'depth, colour, pixels, key, expected',
  [
    (1, pngs.GREY, b'\x40', b'\0\0', [255, 255]),
    (2, pngs.GREY, b'\x60', b'\0\1', [255, 170]),
    (4, pngs.GREY, b'\x5a', b'\0\5', [255, 170]),
    (8, pngs.GREY, b'\x05\xaa', b'\0\5', [255, 170]),
    # Only at 16 bits are these two different.
    (16, pngs.GREY, b'\x12\x34\x12\x35', b'\x12\x34', [255, 18]),
    (16, pngs.RGB, 3 * b'\x12\x34' + 3 * b'\x12\x35', 3 * b'\x12\x34', [255, 18]),
    (16, pngs.RGB, 3 * b'\0\5' + 3 * b'\5\0', 3 * b'\0\5', [255, 5]),
    (8, pngs.RGB, b'\1\2\3\4\4\4', b'\0\1\0\2\0\3', [255, 4]),
  ],
)
def test_the_colour_key_of_a_png_is_transparent_at_its_own_depth(
  depth, colour, pixels, key, expected, tmp_path
):
  path = tmp_path / 'image.png'
  path.write_bytes(pngs.png(2, 1, depth, colour, pixels, key))
  assert read_image(path).tolist() == [[[level] * 3 for level in expected]]


def test_a_colour_key_that_no_pixel_has_changes_nothing(tmp_path):
  path = tmp_path / 'image.png'
  path.write_bytes(pngs.png(2, 1, 16, pngs.GREY, b'\x12\x34\x12\x35', b'\x12\x36'))
  assert read_image(path)[0, :, 0].tolist() == [18, 18]


def test_16_bit_grey_is_rounded_and_of_16_bit_colours_the_high_byte_is_taken(tmp_path):
  path = tmp_path / 'image.png'
  path.write_bytes(pngs.png(2, 1, 16, pngs.GREY, b'\x00\xff\x12\x34'))
  assert read_image(path)[0, :, 0].tolist() == [1, 18]
  path.write_bytes(pngs.png(1, 1, 16, pngs.RGB, b'\x00\xff\x12\x34\xff\xff'))
  assert read_image(path)[0, 0].tolist() == [0, 18, 255]


def test_floating_point_pixels_are_refused(tmp_path):
  Image.new('F', (4, 3), 0.5).save(tmp_path / 'image.tif')
  with pytest.raises(ImageError, match='image.tif.*floating-point'):
    read_image(tmp_path / 'image.tif')


def test_orientation_is_applied(tmp_path):
  image = Image.new('RGB', (6, 2))
  exif = image.getexif()
  exif[0x0112] = 6  # a quarter turn
  image.save(tmp_path / 'turned.jpg', exif=exif)
  assert read_image(tmp_path / 'turned.jpg').shape == (6, 2, 3)


def test_orientation_is_applied_to_a_colour_key_too(tmp_path):
  grey = Image.fromarray(np.array([[7, 8, 9]], np.uint16))
  exif = grey.getexif()
  exif[0x0112] = 3  # half a turn
  grey.save(tmp_path / 'turned.png', exif=exif, transparency=7)
  assert read_image(tmp_path / 'turned.png')[0, :, 0].tolist() == [0, 0, 255]


def test_image_hash_is_of_size_and_pixels_alone(photograph, tmp_path):
  assert (
    image_hash(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    == hashlib.sha256(b'1x2\1\2\3\4\5\6').hexdigest()
  )
  (tmp_path / 'other.png').write_bytes(image_files.encode(photograph, 'png'))
  value = image_hash(photograph)
  assert image_hash(read_image(tmp_path / 'other.png')) == value
  assert image_hash(np.asfortranarray(photograph)) == value
  changed = photograph.copy()
  changed[-1, -1, -1] ^= 1
  height, width = photograph.shape[:2]
  turned = photograph.reshape(width, height, 3)
  assert len({value, image_hash(changed), image_hash(turned)}) == 3


@pytest.mark.parametrize(
  'image',
  [np.zeros([2, 2, 3], np.float32), np.zeros([2, 2], np.uint8), np.zeros([2, 2, 4], np.uint8)],
)
def test_image_hash_refuses_what_is_no_rgb_image(image):
  with pytest.raises(ValueError, match='uint8'):
    image_hash(image)


def test_what_is_encoded_is_decoded(photograph):
  data = image_files.encode(photograph, 'png')
  np.testing.assert_array_equal(image_files.decode(data), photograph)
  small = image_files.encode(photograph, 'jpeg', quality=10)
  assert len(small) < len(image_files.encode(photograph, 'jpeg', quality=90))


def test_plain_images_are_those_whose_pixels_are_read_as_they_are():
  for mode in ('L', 'RGB'):
    assert image_files.is_plain(Image.new(mode, (2, 2)))
  for mode in ('1', 'P', 'LA', 'RGBA', 'CMYK', 'LAB', 'I;16', 'F'):
    assert not image_files.is_plain(Image.new(mode, (2, 2)))
  keyed = Image.new('RGB', (2, 2))
  keyed.info['transparency'] = (1, 2, 3)
  assert not image_files.is_plain(keyed)


def test_what_was_read_already_is_decoded(photograph):
  data = image_files.encode(photograph, 'png')
  np.testing.assert_array_equal(read_image('nowhere', data=data), photograph)
  with pytest.raises(ImageError, match='cannot read image nowhere: '):
    read_image('nowhere', data=data[:100])
