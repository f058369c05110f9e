"""The bootstrap of paired differences, on data whose distribution is known."""

import numpy as np
import pytest

from tfusq.sweeps.paired import CONFIDENCE, difference

TRIALS = 300


def draw(random, deviations, forks=6, images=24, mean=0.0):
  """Differences with effects of forks, of images and of both together."""
  of_fork, of_image, of_both = deviations
  values = of_fork * random.standard_normal([forks, 1])
  values = values + of_image * random.standard_normal([1, images])
  return mean + values + of_both * random.standard_normal([forks, images])


def coverage(deviations, **sizes):
  """How often the interval holds the mean of the distribution, which is not 0."""
  random = np.random.default_rng(7)
  hits = 0
  for _ in range(TRIALS):
    found = difference(draw(random, deviations, mean=0.3, **sizes))
    hits += abs(found.mean - 0.3) <= found.half_width
  return hits / TRIALS


@pytest.mark.long
@pytest.mark.parametrize(
  'deviations', [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 3), (1, 3, 3), (0.5, 1, 1)]
)
def test_the_interval_holds_the_mean_as_often_as_it_says(deviations):
  """Six forks and 24 images; four standard errors of 300 trials are 5 %."""
  error = np.sqrt(CONFIDENCE * (1 - CONFIDENCE) / TRIALS)
  assert abs(coverage(deviations) - CONFIDENCE) < 4 * error


def test_plain_resampling_of_six_forks_would_hold_it_too_seldom():
  """What the studentized interval is there for: the percentile interval, written anew."""
  random = np.random.default_rng(7)
  hits = plain_hits = 0
  for _ in range(100):
    values = draw(random, (1, 0, 0), images=8)
    found = difference(values)
    hits += abs(found.mean) <= found.half_width
    resampled = values[random.integers(6, size=[500, 6])].mean((1, 2))
    low, high = np.quantile(resampled, [0.025, 0.975])
    plain_hits += low <= 0 <= high
  assert hits >= 91 and plain_hits < hits - 4


def test_pairing_removes_what_images_and_forks_have_in_common():
  """Costs that vary by 50 from image to image and by 5 from fork to fork differ by 0.5."""
  random = np.random.default_rng(1)
  common = draw(random, (5, 50, 0))
  one = common + 0.1 * random.standard_normal(common.shape)
  other = common + 0.5 + 0.1 * random.standard_normal(common.shape)
  found = difference(other - one)
  # Of sqrt(2) * 0.1 in each of 144 pairs.
  assert abs(found.mean - 0.5) < 0.06 and found.half_width < 0.06 and found.is_decided

  unpaired = difference(other - one[::-1, ::-1])
  assert unpaired.half_width > 20 * found.half_width and not unpaired.is_decided


def test_the_width_is_that_of_students_t_where_forks_alone_vary():
  """Half-widths of six normal forks: 2.57 standard errors, and the bootstrap's within a quarter."""
  random = np.random.default_rng(3)
  ratios = []
  for _ in range(60):
    values = draw(random, (1, 0, 0), images=5)
    error = values.mean(1).std(ddof=1) / np.sqrt(6)
    ratios.append(difference(values).half_width / error)
  assert np.median(ratios) == pytest.approx(2.571, rel=0.25)


def test_a_report_is_the_same_each_time():
  values = draw(np.random.default_rng(2), (1, 1, 1))
  assert difference(values) == difference(values)


def test_the_interval_scales_with_the_unit():
  values = draw(np.random.default_rng(2), (1, 1, 1))
  one, other = difference(values), difference(1000 * values)
  assert other.mean == pytest.approx(1000 * one.mean)
  assert other.half_width == pytest.approx(1000 * one.half_width)


def test_verdicts():
  found = difference(draw(np.random.default_rng(2), (0.01, 0.01, 0.01), mean=1.0))
  assert found.is_decided and found.is_within(1.2) and not found.is_within(1.0)
  assert (found.forks, found.images) == (6, 24)


@pytest.mark.parametrize('shape', [(1, 5), (5, 1)])
def test_one_fork_or_one_image_has_no_interval(shape):
  found = difference(np.ones(shape))
  assert found.mean == 1 and np.isnan(found.half_width) and not found.is_decided


def test_equal_differences_are_certain():
  assert difference(np.full([3, 4], 2.0)).is_decided


@pytest.mark.parametrize('values', [np.ones(3), np.ones([0, 3]), np.array([[1, np.nan]])])
def test_what_is_no_table_of_numbers_is_refused(values):
  with pytest.raises(ValueError, match='finite numbers of forks and images'):
    difference(values)
