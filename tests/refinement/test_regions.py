import numpy as np
import pytest
import tensorflow as tf

from tfusq.refinement import regions
from tfusq.refinement.regions import Regions


@pytest.fixture
def small(trained, monkeypatch):
  monkeypatch.setattr(regions, 'SIDE', 128)
  monkeypatch.setattr(regions, 'SURROUNDINGS', 64)
  return Regions(trained.centred_model)


def all_regions(cut, image):
  return [cut.region(image, tf.constant(number)) for number in range(int(cut.count(image)))]


def test_positions_are_counted(small):
  assert small.factors == {'y': 16, 'z': 64}


@pytest.mark.parametrize('height, width, count', [(64, 128, 1), (1, 129, 2), (300, 130, 6)])
def test_each_pixel_and_position_is_in_one_region(small, trained, height, width, count):
  image = tf.zeros([height, width, 3], tf.uint8)
  latents = trained.model.latents(tf.zeros([1, height, width, 3]))
  cut = all_regions(small, image)
  assert len(cut) == count
  assert sum(float(region.pixels) for region in cut) == height * width

  for name, y in latents.items():
    times = np.zeros(y.shape[1:3])
    for region in cut:
      seen = np.arange(times.size).reshape([1, *times.shape, 1])
      positions = small.latents({name: tf.constant(seen)}, region)[name]
      mask = small.masks(region)[name]
      assert positions.shape == mask.shape
      np.add.at(times.reshape(-1), positions.numpy().reshape(-1), mask.numpy().reshape(-1))
    np.testing.assert_array_equal(times, 1)


def test_a_region_is_seen_with_its_surroundings(small):
  rows, columns = np.meshgrid(np.arange(300), np.arange(400), indexing='ij')
  image = tf.constant(np.stack([rows % 256, columns % 256, columns // 256], -1), tf.uint8)
  region = small.region(image, tf.constant(5))  # of three rows and four columns
  # Sides of 128, and 64 pixels around each.
  seen = region.of_image(image)
  np.testing.assert_array_equal(seen, image[64:300, 64:320])
  # As long as they are seen, an image of the same size has the same latents.
  y = tf.zeros([1, 19, 25, 2])
  assert small.latents({'y': y}, region)['y'].shape == [1, 15, 16, 2]
  mask = small.masks(region)['y'][0, ..., 0]
  np.testing.assert_array_equal(mask, np.pad(np.ones([8, 8]), [[4, 3], [4, 4]]))


def test_what_is_seen_is_written_back(small):
  image = tf.zeros([300, 400, 3], tf.uint8)
  y = tf.random.stateless_normal([1, 19, 25, 2], [1, 2])
  region = small.region(image, tf.constant(5))
  seen = small.latents({'y': y}, region)
  written = small.written({'y': y}, region, {'y': seen['y'] + 1})['y'].numpy()
  expected = y.numpy()
  expected[:, 4:19, 4:20] += 1
  np.testing.assert_array_equal(written, expected)
