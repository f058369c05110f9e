import numpy as np
import pytest
import tensorflow as tf

from making import IMAGES, make_patches
from tfusq import image_files
from tfusq.image_files import ImageError
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
  assert all(sorted(epoch) == patches.files for epoch in epochs)
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


@pytest.mark.parametrize('name', ['patch_size', 'batch_size', 'seed', 'cache_bytes'])
@pytest.mark.parametrize('value', [-1, 2.5, '8', None])
def test_a_number_that_is_none_is_named(name, value):
  with pytest.raises(ValueError, match=f'Patches.{name} must be an integer of at least'):
    Patches(str(IMAGES / 'train'), **{name: value})


def test_what_was_read_before_the_run_is_not_read_again(monkeypatch):
  patches = make_patches()
  patches.survey([])
  monkeypatch.setattr(image_files, 'read_image', None)
  assert patches.patch(0).shape == (64, 64, 3)


@pytest.mark.parametrize('suffix', ['png', 'webp', 'jpg'])
def test_formats_are_found_in_sub_folders(suffix, tmp_path):
  (tmp_path / 'sub').mkdir()
  kind = 'jpeg' if suffix == 'jpg' else suffix
  (tmp_path / 'sub' / f'A.{suffix.upper()}').write_bytes(
    image_files.encode(np.zeros([20, 20, 3], np.uint8), kind)
  )
  assert Patches(str(tmp_path), 16, 1).patch(0).shape == (16, 16, 3)
