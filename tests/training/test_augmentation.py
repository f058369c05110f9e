import numpy as np
import pytest
from PIL import Image

from making import IMAGES
from tfusq import image_files
from tfusq.training import augmentation
from tfusq.training.augmentation import Scaling
from tfusq.training.decoding import Box
from tfusq.training.patches import Patches

SCALES = (0.75, 0.95)


def random(seed):
  return np.random.default_rng(seed)


def test_factors_are_uniform_between_the_bounds():
  factors = []
  for seed in range(2000):
    scaling = augmentation.draw_scaling(random(seed), 3000, 4000, 256, SCALES)
    factors.append(scaling.new_height / scaling.height)
    assert abs(scaling.new_width / 4000 - factors[-1]) < 1e-3
  assert min(factors) < 0.751 and max(factors) > 0.949
  assert np.mean(factors) == pytest.approx(0.85, abs=0.01)
  assert np.std(factors) == pytest.approx(0.2 / 12**0.5, abs=0.005)


@pytest.mark.parametrize(
  'size, new_size',
  [
    ((256, 256), (256, 256)),
    ((100, 900), (100, 900)),
    ((256, 900), (256, 900)),
    ((257, 2000), (256, 1992)),
  ],
)
def test_no_side_becomes_less_than_a_patch(size, new_size):
  scaling = augmentation.draw_scaling(random(0), *size, 256, (0.1, 0.1))
  assert scaling[2:] == new_size


def test_a_part_is_scaled_as_the_whole_photograph_is(photograph):
  """But for roundings, whichever part; without the filter's margin the edges would differ much."""
  height, width = photograph.shape[:2]
  for number in range(30):
    scaling = augmentation.draw_scaling(random(number), height, width, 64, (0.3, 1.0))
    size = (scaling.new_width, scaling.new_height)
    whole = Image.fromarray(photograph).resize(size, Image.Resampling.BICUBIC)
    generator = random([1, number])
    box = Box(
      int(generator.integers(scaling.new_height - 63)),
      int(generator.integers(scaling.new_width - 63)),
      64,
      64,
    )
    source = augmentation.source_of(scaling, box)
    part = augmentation.scale(source.of(photograph), source, scaling, box)
    assert np.abs(part.astype(int) - box.of(np.asarray(whole))).max() <= 1


def test_only_a_part_of_the_photograph_is_needed():
  source = augmentation.source_of(Scaling(3000, 4000, 1500, 2000), Box(700, 800, 256, 256))
  assert source == Box(1395, 1595, 522, 522)


def changed(**options):
  """Four patches without and with a change, decoded anew and from memory."""
  plain = Patches(str(IMAGES / 'train'), 64, 2)
  cold = Patches(str(IMAGES / 'train'), 64, 2, cache_bytes=0, **options)
  warm = Patches(str(IMAGES / 'train'), 64, 2, **options)
  for index in range(12):
    patch = cold.patch(index)
    np.testing.assert_array_equal(patch, warm.patch(index))
    assert patch.shape == (64, 64, 3) and patch.flags.c_contiguous
    yield plain.patch(index), patch


def test_patches_are_flipped_in_both_directions():
  seen = set()
  for plain, patch in changed(flip=True):
    ways = {
      (rows, columns)
      for rows in (1, -1)
      for columns in (1, -1)
      if (plain[::rows, ::columns] == patch).all()
    }
    assert len(ways) == 1
    seen |= ways
  assert len(seen) == 4


def test_patches_are_transposed():
  is_transposed = []
  for plain, patch in changed(transpose=True):
    is_transposed.append((plain.swapaxes(0, 1) == patch).all())
    assert is_transposed[-1] or (plain == patch).all()
  assert set(is_transposed) == {True, False}


def test_scaled_patches_are_those_of_a_scaled_photograph():
  patches = Patches(str(IMAGES / 'train'), 64, 2, scales=(0.5, 0.5), cache_bytes=0)
  for index in range(4):
    path = patches.files[patches._order(0)[index]]
    whole = Image.fromarray(image_files.read_image(path))
    size = (round(whole.width / 2), round(whole.height / 2))
    half = np.asarray(whole.resize(size, Image.Resampling.BICUBIC))
    box = patches._draw_crop(index, *half.shape[:2])
    assert np.abs(patches.patch(index).astype(int) - box.of(half)).max() <= 1


def test_one_change_leaves_the_random_numbers_of_the_others():
  flipped = Patches(str(IMAGES / 'train'), 64, 2, flip=True)
  both = Patches(str(IMAGES / 'train'), 64, 2, flip=True, transpose=True)
  for index in range(8):
    patch = both.patch(index)
    equal = [(flipped.patch(index) == other).all() for other in (patch, patch.swapaxes(0, 1))]
    assert any(equal)


def test_a_photograph_smaller_than_the_patch_is_not_scaled(tmp_path):
  image = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
  (tmp_path / 'small.png').write_bytes(image_files.encode(image, 'png'))
  patch = Patches(str(tmp_path), 16, 1, scales=SCALES).patch(0)
  np.testing.assert_array_equal(patch[:5, :7], image)


@pytest.mark.parametrize('scales', [(0.0, 1.0), (0.9, 0.8), (0.5, 1.5), 0.5, ('a', 'b'), (0.5,)])
def test_bounds_that_are_none_are_refused(scales):
  with pytest.raises(ValueError, match=r'Patches\.scales must'):
    Patches(str(IMAGES / 'train'), 64, 2, scales=scales)
