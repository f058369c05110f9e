"""Bjontegaard-delta rate: how many percent more bits a codec takes at equal quality.

It is the mean difference of log rate over the qualities that both curves reach [1]:

    BD-rate = 100 (exp(mean over quality of (log R_test - log R_anchor)) - 1)

Between their points the curves are interpolated by the `bjontegaard` package [2] with its two
piecewise methods. A cubic through all points, as in [1], is left out: it is made for four points
and misses curves of more by percents.

#### References
[1] G. Bjontegaard. "Calculation of average PSNR differences between RD-curves." VCEG-M33, 2001.
[2] C. Herglotz et al. "The Bjontegaard Bible: why your way of comparing video codecs may be wrong."
    IEEE Transactions on Image Processing, 2024. https://github.com/FAU-LMS/bjontegaard
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfusq.curves import crossings
from tfusq.curves.curve import Curve, CurveError

METHODS = ('pchip', 'akima')
MIN_POINTS = 4
MIN_OVERLAP = 0.75
MAX_DIFFERENCE = 1.0  # percentage points between the interpolations


class BDRate(NamedTuple):
  """A comparison of two curves.

  Attributes:
    percent: Rate of the tested curve relative to the anchor's at equal quality, in percent above
      it, for each of `METHODS`; negative if it needs less.
    rates: Rates of the tested curve's points that were used, ascending.
    anchor_points: Number of the anchor's points that were used.
    low: Lowest quality that both reach, dB.
    high: Highest quality that both reach, dB.
    overlap: Share of the tested curve's range of qualities that both reach, 0 to 1.
    crossings: Where the curves cross within these qualities.
    warnings: Reasons to doubt the comparison.
  """

  percent: dict[str, float]
  rates: list[float]
  anchor_points: int
  low: float
  high: float
  overlap: float
  crossings: list[crossings.Crossing]
  warnings: list[str]


def compare(
  anchor: Curve,
  test: Curve,
  rate: str = 'bpp',
  quality: str = 'psnr-rgb',
  lowest: int | None = None,
) -> BDRate:
  """Compares a curve with an anchor.

  Args:
    anchor: Anchor's curve; all its points are used.
    test: Curve to compare.
    rate: Key of the rate in both curves' results.
    quality: Key of the quality in both curves' results; MS-SSIM is taken in dB.
    lowest: Number of points of the tested curve to use, those of the lowest rates; by default all.

  Raises:
    CurveError: if a curve has less than two points, two of equal quality, or no such results, or
      if the curves' qualities do not overlap.
  """
  rates, qualities = test.points(rate, quality)
  if lowest is not None:
    kept = np.sort(np.argsort(rates)[:lowest])
    rates, qualities = rates[kept], qualities[kept]
  anchor_rates, anchor_qualities = anchor.anchor_points(rate, quality)

  remarks = _check(anchor, 'the anchor', anchor_rates, anchor_qualities)
  remarks += _check(test, 'the curve', rates, qualities)
  remarks += _left_out(anchor, 'the anchor', *anchor.anchor_axes(rate, quality))
  remarks += _left_out(test, 'the curve', rate, quality)
  low = max(anchor_qualities[0], qualities[0])
  high = min(anchor_qualities[-1], qualities[-1])
  if low >= high:
    raise CurveError(
      f'{anchor.name} ({_range(anchor_qualities)}) and {test.name} ({_range(qualities)}) have no '
      'quality in common'
    )
  overlap = (high - low) / (qualities[-1] - qualities[0])
  if overlap < MIN_OVERLAP:
    remarks.append(f'the anchor spans only {100 * overlap:.0f} % of the range of the curve')

  percent = _interpolate(anchor_rates, anchor_qualities, rates, qualities)
  if np.ptp(list(percent.values())) > MAX_DIFFERENCE:
    remarks.append('the interpolations disagree; more points would give a reliable number')
  return BDRate(
    percent=percent,
    rates=sorted(rates.tolist()),
    anchor_points=len(anchor_rates),
    low=float(low),
    high=float(high),
    overlap=float(overlap),
    crossings=crossings.find(anchor_rates, anchor_qualities, rates, qualities),
    warnings=remarks,
  )


def _interpolate(anchor_rates, anchor_qualities, rates, qualities):
  """Returns the BD-rate in percent by each method."""
  import bjontegaard

  percent = {}
  with warnings.catch_warnings():
    # The package warns of little overlap relative to both ranges together; `compare` of little
    # overlap relative to the tested curve, whose part outside the anchor's range does not count.
    warnings.simplefilter('ignore')
    for method in METHODS:
      value = bjontegaard.bd_rate(
        anchor_rates, anchor_qualities, rates, qualities, method, require_matching_points=False
      )
      percent[method] = float(value)
  return percent


def _check(curve, role, rates, qualities):
  """Refuses points without a BD-rate; returns reasons to doubt one. Qualities ascend."""
  if len(rates) < 2:
    raise CurveError(f'{curve.name} has a single point; a curve needs two')
  if not (rates > 0).all():
    raise CurveError(f'{curve.name} has a rate that is not positive')
  if not (np.diff(qualities) > 0).all():
    raise CurveError(f'{curve.name} has two points of equal quality')
  remarks = []
  if len(rates) < MIN_POINTS:
    remarks.append(f'{role} has only {len(rates)} points; {MIN_POINTS} are usual')
  if not (np.diff(rates) > 0).all():
    remarks.append(f'{role} is not monotone: more bits for less quality')
  return remarks


def _left_out(curve, role, rate, quality):
  """Returns which points of a curve are left out, if any, as a list."""
  left_out = curve.left_out(rate, quality)
  return [f'of {role}, {left_out}'] if left_out else []


def _range(qualities):
  return f'{qualities[0]:.2f} to {qualities[-1]:.2f} dB'


def report(
  anchor: Curve,
  digest: str,
  curves: Sequence[Curve],
  rate: str = 'bpp',
  quality: str = 'psnr-rgb',
  lowest: int | None = None,
) -> tuple[str, list[str]]:
  """Returns comparisons with an anchor as text, with what they rest on.

  A curve that cannot be compared does not keep the others from it.

  Args:
    anchor: Anchor's curve.
    digest: SHA-256 of the anchor's file, hexadecimal.
    curves: Curves to compare.
    rate: Key of the rate in all curves' results.
    quality: Key of the quality in all curves' results.
    lowest: Number of points of each curve to use, those of the lowest rates; by default all.

  Returns:
    The text, and the reason for each curve that has no BD-rate.

  Raises:
    CurveError: if the anchor lacks these results.
  """
  rates, qualities = anchor.anchor_points(rate, quality)
  methods = ''.join(f'{method:>9}' for method in METHODS)
  lines = [
    f'anchor  {anchor.name}, sha256 {digest}',
    f'        {len(rates)} points, {rate} {rates.min():.4f} to {rates.max():.4f}, '
    f'{quality} {_range(qualities)}',
    f'{"BD-rate, %":<31}{methods}{"overlap, dB":>17}{"share":>7}  {rate} of the points',
  ]
  remarks = []
  failures = []
  for curve in curves:
    try:
      comparison = compare(anchor, curve, rate, quality, lowest)
    except CurveError as error:
      lines.append(f'{curve.name:<30} ' + f'{"none":>9}' * len(METHODS))
      failures.append(str(error))
      continue
    lines.append(_line(curve.name, comparison))
    crossing = crossings.describe(comparison.crossings, rate)
    if crossing:
      remarks.append(f'crossing: {curve.name} against {anchor.name}: {crossing}')
    remarks += [f'warning: {curve.name}: {remark}' for remark in comparison.warnings]
  return '\n'.join([*lines, *remarks]), failures


def _line(name, comparison):
  percent = ''.join(f'{comparison.percent[method]:>9.3f}' for method in METHODS)
  qualities = f'{comparison.low:.2f} to {comparison.high:.2f}'
  rates = ' '.join(f'{rate:.4f}' for rate in comparison.rates)
  return f'{name:<30} {percent}{qualities:>17}{100 * comparison.overlap:>5.0f} %  {rates}'
