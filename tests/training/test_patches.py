import hashlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from making import IMAGES, make_patches
from tfusq import image_files
from tfusq.image_files import ImageError, image_hash, list_images, read_image
from tfusq.training.patches import Patches


def test_batches_are_a_function_of_seed_and_number():
  first = [batch for batch, _ in zip(make_patches().dataset(), range(5))]
  later = next(iter(make_patches().dataset(start=3)))
  np.testing.assert_array_equal(first[3]['image'], later['image'])
  np.testing.assert_array_equal(later['index'], [6, 7])
  other = next(iter(make_patches(seed=1).dataset(start=3)))
  assert (other['image'].numpy() != later['image'].numpy()).any()


def test_replicas_share_a_batch():
  """Two workers with two replicas each: the second batch from number 3 on."""
  whole = [batch for batch, _ in zip(make_patches(batch_size=8).dataset(3), range(2))][1]
  shares = [
    batch
    for worker in range(2)
    for batch, _ in zip(
      make_patches(batch_size=8).dataset(3, tf.distribute.InputContext(2, worker, 4)), range(4)
    )
  ]
  for name in ('image', 'index'):
    np.testing.assert_array_equal(
      np.concatenate([shares[k][name] for k in (2, 3, 6, 7)]), whole[name]
    )


def test_an_epoch_visits_each_photograph_once():
  patches = make_patches(patch_size=32)
  count, visited, read = len(patches.files), [], patches._read
  patches._read = lambda file: visited.append(file) or read(file)
  for index in range(3 * count):
    patches.patch(index)
  epochs = [visited[k : k + count] for k in range(0, len(visited), count)]
  assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
  assert epochs[0] != epochs[1] or epochs[1] != epochs[2]


def test_crops_are_the_same_whatever_the_cache_holds():
  cold = Patches(str(IMAGES / 'train'), 64, 2, cache_bytes=0)
  warm = make_patches()
  for index in (0, 9, 3, 9):
    np.testing.assert_array_equal(cold.patch(index), warm.patch(index))


def test_small_photographs_are_mirrored_up_to_the_patch(tmp_path):
  image = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
  (tmp_path / 'small.png').write_bytes(image_files.encode(image, 'png'))
  patch = Patches(str(tmp_path), 16, 1).patch(0)
  assert patch.shape == (16, 16, 3)
  np.testing.assert_array_equal(patch[:5, :7], image)
  np.testing.assert_array_equal(patch[5:10, :7], image[::-1])


def test_an_unreadable_file_is_named(tmp_path):
  good = image_files.encode(np.zeros([40, 40, 3], np.uint8), 'png')
  (tmp_path / 'a.png').write_bytes(good)
  (tmp_path / 'not_an_image.jpg').write_bytes(b'text')
  with pytest.raises(ImageError, match='not_an_image.jpg'):
    Patches(str(tmp_path), 16, 1)
  (tmp_path / 'not_an_image.jpg').unlink()
  (tmp_path / 'cut.png').write_bytes(good[:60])
  patches = Patches(str(tmp_path), 16, 1)
  with pytest.raises(ImageError, match='cut.png'):
    for index in range(2):
      patches.patch(index)


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


@pytest.mark.parametrize('suffix', ['png', 'webp', 'jpg'])
def test_formats_are_found_in_sub_folders(suffix, tmp_path):
  (tmp_path / 'sub').mkdir()
  kind = 'jpeg' if suffix == 'jpg' else suffix
  (tmp_path / 'sub' / f'A.{suffix.upper()}').write_bytes(
    image_files.encode(np.zeros([20, 20, 3], np.uint8), kind)
  )
  assert Patches(str(tmp_path), 16, 1).patch(0).shape == (16, 16, 3)


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
