"""Bjontegaard-delta rate: how many percent more bits a codec takes at equal quality.

The mean difference of log rate over the qualities that both curves reach [1], interpolated by the
`bjontegaard` package [2] with its two piecewise methods. A cubic through all points, as in [1], is
left out: it is made for four points and misses curves of more by percents.

#### References
[1] G. Bjontegaard. "Calculation of average PSNR differences between RD-curves." VCEG-M33, 2001.
[2] C. Herglotz et al. "The Bjontegaard Bible: why your way of comparing video codecs may be wrong."
    IEEE Transactions on Image Processing, 2024. https://github.com/FAU-LMS/bjontegaard
"""

import warnings
from typing import NamedTuple

import numpy as np

from tfusq.curves.curve import Curve, CurveError

METHODS = ('pchip', 'akima')
MIN_POINTS = 4
MIN_OVERLAP = 0.75
MAX_DIFFERENCE = 1.0  # percentage points between the interpolations


class BDRate(NamedTuple):
  """A comparison of two curves.

  Attributes:
    percent: Rate of the test beyond the anchor's at equal quality, for each of `METHODS`; negative
      if it needs less.
    rates: Of the test's points that were used.
    anchor_points: How many points of the anchor were used.
    low: Lowest quality that both reach, dB.
    high: Highest such quality, dB.
    overlap: What part of the test's range of qualities that is, 0 to 1.
    warnings: Why not to trust it.
  """

  percent: dict[str, float]
  rates: list[float]
  anchor_points: int
  low: float
  high: float
  overlap: float
  warnings: list[str]


def bd_rate(
  anchor: Curve,
  test: Curve,
  rate: str = 'bpp',
  quality: str = 'psnr-rgb',
  lowest: int | None = None,
) -> BDRate:
  """Compares two curves.

  Args:
    anchor: What to compare with; all its points are used.
    test: What is compared.
    rate: Key of both curves' results.
    quality: Another; MS-SSIM is taken in dB.
    lowest: How many of the test's points to use, those of the lowest rates; by default all.

  Raises:
    CurveError: if a curve has less than two points, two of equal quality, or not these figures, or
      if the curves' qualities do not overlap.
  """
  import bjontegaard

  rates, qualities = test.points(rate, quality)
  if lowest is not None:
    kept = np.sort(np.argsort(rates)[:lowest])
    rates, qualities = rates[kept], qualities[kept]
  anchor_rates, anchor_qualities = anchor.anchor_points(rate, quality)
  remarks = []
  for curve, what, r, q in (
    (anchor, 'the anchor', anchor_rates, anchor_qualities),
    (test, 'the curve', rates, qualities),
  ):
    _check(curve, r, q)
    if len(r) < MIN_POINTS:
      remarks.append(f'{what} has only {len(r)} points; {MIN_POINTS} are usual')
    if not (np.diff(r) > 0).all():
      remarks.append(f'{what} is not monotone: more bits for less quality')
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
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # of overlap relative to both ranges together
    percent = {
      method: float(
        bjontegaard.bd_rate(
          anchor_rates, anchor_qualities, rates, qualities, method, require_matching_points=False
        )
      )
      for method in METHODS
    }
  if np.ptp(list(percent.values())) > MAX_DIFFERENCE:
    remarks.append('the interpolations differ; more points would tell')
  return BDRate(
    percent,
    sorted(map(float, rates)),
    len(anchor_rates),
    float(low),
    float(high),
    float(overlap),
    remarks,
  )


def _check(curve, rates, qualities):
  if len(rates) < 2:
    raise CurveError(f'{curve.name} has a single point; a curve needs two')
  if not (rates > 0).all():
    raise CurveError(f'{curve.name} has a rate that is not positive')
  if not (np.diff(qualities) > 0).all():
    raise CurveError(f'{curve.name} has two points of equal quality')


def _range(qualities):
  return f'{qualities[0]:.2f} to {qualities[-1]:.2f} dB'


def report(
  anchor: Curve,
  content_hash: str,
  curves: list[Curve],
  rate: str = 'bpp',
  quality: str = 'psnr-rgb',
  lowest: int | None = None,
) -> tuple[str, list[str]]:
  """Returns comparisons with an anchor as text, with what they rest on.

  What can't be compared does not keep the others from it.

  Args:
    anchor: What to compare with.
    content_hash: SHA-256 of the anchor's file, hexadecimal.
    curves: What is compared.
    rate: Key of all curves' results.
    quality: Another.
    lowest: How many points of each curve to use, those of the lowest rates; by default all.

  Returns:
    The text, and why there is no figure for each curve that has none.

  Raises:
    CurveError: if the anchor lacks these figures.
  """
  rates, qualities = anchor.anchor_points(rate, quality)
  lines = [
    f'anchor  {anchor.name}, sha256 {content_hash}',
    f'        {len(rates)} points, {rate} {rates.min():.4f} to {rates.max():.4f}, '
    f'{quality} {_range(qualities)}',
    f'{"BD-rate, %":<31}'
    + ''.join(f'{method:>9}' for method in METHODS)
    + f'{"overlap, dB":>17}{"of it":>7}  {rate} of the points',
  ]
  remarks, failures = [], []
  for curve in curves:
    try:
      result = bd_rate(anchor, curve, rate, quality, lowest)
    except CurveError as error:
      lines.append(f'{curve.name:<30} ' + ''.join(f'{"none":>9}' for _ in METHODS))
      failures.append(str(error))
      continue
    lines.append(
      f'{curve.name:<30} '
      + ''.join(f'{result.percent[method]:>9.3f}' for method in METHODS)
      + f'{f"{result.low:.2f} to {result.high:.2f}":>17}{100 * result.overlap:>5.0f} %  '
      + ' '.join(f'{value:.4f}' for value in result.rates)
    )
    remarks += [f'{curve.name}: {remark}' for remark in result.warnings]
  return '\n'.join([*lines, *(f'warning: {remark}' for remark in remarks)]), failures
