import hashlib

import numpy as np
import pytest
from PIL import Image

from tfusq import image_files
from tfusq.image_files import ImageError, image_hash, list_images, read_image


def test_a_folder_without_images_is_named(tmp_path):
  with pytest.raises(ImageError, match='no images'):
    list_images(tmp_path)
  with pytest.raises(ImageError, match='no folder'):
    list_images(tmp_path / 'absent')


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


def test_images_are_listed_in_order_with_those_of_sub_folders(tmp_path):
  (tmp_path / 'sub').mkdir()
  names = ['a.PNG', 'b.jpeg', 'sub/c.webp', 'z.jpg']
  for name in [*reversed(names), 'notes.txt']:
    (tmp_path / name).touch()
  assert list_images(tmp_path) == [tmp_path / name for name in names]


def test_what_is_encoded_is_decoded(photograph):
  data = image_files.encode(photograph, 'png')
  np.testing.assert_array_equal(image_files.decode(data), photograph)
  small = image_files.encode(photograph, 'jpeg', quality=10)
  assert len(small) < len(image_files.encode(photograph, 'jpeg', quality=90))


def test_any_failure_while_an_image_is_open_names_the_file(tmp_path, photograph):
  path = tmp_path / 'image.png'
  path.write_bytes(image_files.encode(photograph, 'png'))
  with pytest.raises(ImageError, match='cannot read image .*image.png: broken'):  # noqa: SIM117
    with image_files.opened(path):
      raise RuntimeError('broken')
