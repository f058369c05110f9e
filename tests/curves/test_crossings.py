import numpy as np
import pytest

from making import QUALITIES, RATES
from tfusq.curves import crossings


def test_lines_cross_where_they_are_equal():
  qualities = np.array([26.0, 30.0, 34.0, 38.0])
  # Logarithms of rates that are linear in quality, which pchip meets.
  anchor = np.exp((qualities - 30) / 6)
  test = np.exp((qualities - 31) / 4)
  (crossing,) = crossings.find(anchor, qualities, test, qualities)
  assert crossing.quality == pytest.approx(33)
  assert crossing.rate == pytest.approx(np.exp(0.5))
  assert crossing.better_below
  (crossing,) = crossings.find(test, qualities, anchor, qualities)
  assert not crossing.better_below


def test_every_crossing_is_found_within_the_common_range_alone():
  factors = np.array([0.8, 0.8, 1.2, 1.2, 0.8, 1.2])
  found = crossings.find(RATES, QUALITIES, factors * RATES, QUALITIES)
  assert [crossing.better_below for crossing in found] == [True, False, True]
  assert [crossing.quality for crossing in found] == sorted(crossing.quality for crossing in found)
  bounds = zip(QUALITIES[[1, 3, 4]], QUALITIES[[2, 4, 5]])
  for crossing, (low, high) in zip(found, bounds):
    assert low < crossing.quality < high

  shown = slice(0, 4)
  (inside,) = crossings.find(RATES[shown], QUALITIES[shown], factors * RATES, QUALITIES)
  assert inside.quality == pytest.approx(found[0].quality, abs=0.05)


def test_curves_that_touch_or_coincide_do_not_cross():
  assert not crossings.find(RATES, QUALITIES, RATES, QUALITIES)
  assert not crossings.find(RATES, QUALITIES, 0.9 * RATES, QUALITIES)
  touching = RATES * np.array([1.0, 1.1, 1.1, 1.1, 1.1, 1.0])
  assert not crossings.find(RATES, QUALITIES, touching, QUALITIES)


def test_a_crossing_at_a_point_is_found():
  factors = np.array([0.8, 0.9, 1.0, 1.1, 1.2, 1.2])
  (crossing,) = crossings.find(RATES, QUALITIES, factors * RATES, QUALITIES)
  assert (crossing.quality, crossing.rate) == pytest.approx((31.6, 0.35))


def test_words_say_which_is_better_on_each_side():
  first = crossings.Crossing(30.0, 0.25, True)
  second = crossings.Crossing(33.0, 0.5, False)
  assert not crossings.describe([], 'bpp')
  assert crossings.describe([first], 'bpp') == (
    'fewer bits up to 30.00 dB (bpp 0.2500), more bits above'
  )
  assert crossings.describe([first, second], 'bpp').split(', ') == [
    'fewer bits up to 30.00 dB (bpp 0.2500)',
    'more bits up to 33.00 dB (bpp 0.5000)',
    'fewer bits above',
  ]
