"""How an exported codec of variable rate keeps to a size or a distortion, from files alone.

Apart from other functions, since a loaded codec holds what each kind of number was traced for.
"""

import re

import numpy as np
import pytest
import tensorflow as tf

REFUSED = tf.errors.InvalidArgumentError


def psnr(image, reconstruction):
  difference = image.numpy().astype(float) - reconstruction.numpy()
  return 10 * np.log10(255**2 / np.mean(difference**2))


def test_a_number_of_bytes_is_kept_by_the_best_quality_that_fits(codec, image, all_files):
  files = [each['data'].numpy() for each in all_files]
  sizes = np.array([len(file) for file in files])
  assert np.all(np.diff(sizes) > 0)  # else bisection may miss the best
  some = sizes[::4]  # the lowest and the highest among them
  for limit in [*some, *(some[1:] - 1), *(some + 1), np.int64(2**40), *np.array([1e300, np.inf])]:
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
