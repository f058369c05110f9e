from pathlib import Path

import numpy as np
import pytest

from making import QUALITIES, RATES, make_curve
from tfusq.curves import anchors
from tfusq.curves.bd_rate import compare, report
from tfusq.curves.curve import CurveError, read_curve

# Kodak, published: CompressAI's mbt2018-mean (MSE, float PSNR), its four lowest rates, ...
MBT2018_MEAN = make_curve(
  [0.12392171223958336, 0.19798109266493058, 0.3072441948784722, 0.46061197916666674],
  [27.699473000769824, 29.35881842156732, 31.128916249986656, 32.95067519149061],
  'mbt2018-mean',
)


@pytest.mark.parametrize(
  'name, published', [('kodak-bpg444-compressai', -0.46), ('kodak-bpg444-tfc', 1.46)]
)
def test_published_figures_are_reproduced(name, published):
  result = compare(pinned_curve(name), MBT2018_MEAN)
  assert set(result.percent) == {'pchip', 'akima'}
  for percent in result.percent.values():
    assert percent == pytest.approx(published, abs=0.05)
  assert result.rates == MBT2018_MEAN.results['bpp'] and not result.warnings


def pinned_curve(name):
  return read_curve(Path(anchors.__file__).parent / f'{name}.json')


@pytest.mark.parametrize('factor', [0.5, 0.97, 1.0, 1.3])
def test_a_constant_factor_of_rate_is_the_bd_rate(factor):
  anchor = make_curve(RATES, QUALITIES, 'anchor')
  for shown in (slice(None), slice(1, 5)):
    result = compare(anchor, make_curve(factor * RATES[shown], QUALITIES[shown]))
    for percent in result.percent.values():
      assert percent == pytest.approx(100 * (factor - 1), abs=1e-9 if shown == slice(None) else 0.2)


def test_it_is_the_mean_log_rate_difference_over_the_common_qualities():
  # Log rate linear in quality, which every interpolation meets: the integral has a closed form.
  anchor = make_curve(10 ** ((QUALITIES - 30) / 16), QUALITIES)
  test = make_curve(10 ** ((QUALITIES - 29) / 14), QUALITIES)
  middle = (QUALITIES[0] + QUALITIES[-1]) / 2
  expected = 100 * (10 ** ((middle - 29) / 14 - (middle - 30) / 16) - 1)
  for percent in compare(anchor, test).percent.values():
    assert percent == pytest.approx(expected, rel=1e-9)


def test_only_the_lowest_rates_are_used_if_so_asked():
  anchor = make_curve(RATES, QUALITIES, 'anchor')
  bent = RATES * np.array([1, 1, 1, 1, 2, 2])
  result = compare(anchor, make_curve(bent, QUALITIES), lowest=4)
  assert result.percent['pchip'] == pytest.approx(0, abs=0.5)
  assert (result.low, result.high) == (26.2, 34.9) and len(result.rates) == 4


@pytest.mark.parametrize(
  'bpp, psnr, warning',
  [
    ((0.2, 0.4, 0.8), (28.0, 31.0, 34.0), 'the curve has only 3 points'),
    ((0.2, 0.5, 0.4, 0.8), (28.0, 30.0, 31.0, 34.0), 'the curve is not monotone'),
    (
      (0.01, 0.02, 0.05, 0.1),
      (21.0, 22.0, 25.0, 27.0),
      'spans only 13 % of the range of the curve',
    ),
  ],
)
def test_what_makes_it_doubtful_is_said(bpp, psnr, warning):
  warnings = compare(make_curve(RATES, QUALITIES, 'anchor'), make_curve(bpp, psnr)).warnings
  assert any(warning in text for text in warnings)
  text, failures = report(make_curve(RATES, QUALITIES, 'anchor'), 'ab', [make_curve(bpp, psnr)])
  assert f'warning: ours: {warnings[0]}' in text and 'anchor, sha256 ab' in text and (not failures)


@pytest.mark.parametrize(
  'bpp, psnr, reason',
  [
    ((0.2,), (30.0,), 'single point'),
    ((0.2, 0.3), (30.0, 30.0), 'equal quality'),
    ((0.0, 0.3), (29.0, 30.0), 'not positive'),
    ((0.1, 0.2), (10.0, 20.0), 'no quality in common'),
  ],
)
def test_what_has_no_bd_rate_is_refused(bpp, psnr, reason):
  with pytest.raises(CurveError, match=reason):
    compare(make_curve(RATES, QUALITIES, 'anchor'), make_curve(bpp, psnr))


def test_a_curve_beside_itself_gives_nothing():
  anchor = make_curve(RATES, QUALITIES, 'anchor')
  assert compare(anchor, anchor).percent == {'pchip': 0.0, 'akima': 0.0}


def test_interpolations_that_differ_are_remarked():
  anchor = make_curve(RATES, QUALITIES, 'anchor')
  bent = make_curve((0.1, 0.12, 0.9, 1.0), (26.5, 30.0, 30.5, 38.0))
  result = compare(anchor, bent)
  assert np.ptp(list(result.percent.values())) > 1
  assert any('interpolations disagree' in remark for remark in result.warnings)


def test_what_does_not_compare_does_not_keep_the_others_from_it():
  anchor = make_curve(RATES, QUALITIES, 'anchor')
  text, (failure,) = report(
    anchor, 'ab', [make_curve((0.1, 0.2), (10.0, 20.0), 'far'), make_curve(0.9 * RATES, QUALITIES)]
  )
  assert 'far' in failure and 'no quality in common' in failure
  assert text.splitlines()[-2].split()[:3] == ['far', 'none', 'none']
  assert text.splitlines()[-1].split()[:2] == ['ours', '-10.000']


def test_points_that_are_left_out_are_said():
  anchor = make_curve(RATES, QUALITIES, 'anchor')
  gaps = [*QUALITIES[:4], None, None]
  result = compare(anchor, make_curve(0.9 * RATES, gaps))
  assert result.percent['pchip'] == pytest.approx(-10, abs=0.2) and len(result.rates) == 4
  (warning,) = result.warnings
  assert (
    warning.startswith('of the curve, 2 of 6 points are left out') and '1.0800 1.7100' in warning
  )
  (warning,) = compare(make_curve(RATES, gaps, 'anchor'), anchor, lowest=4).warnings
  assert warning.startswith('of the anchor, 2 of 6 points are left out')


def test_crossings_are_reported_beside_the_number():
  anchor = make_curve(RATES, QUALITIES, 'anchor')
  bent = RATES * np.array([0.8, 0.9, 0.95, 1.1, 1.2, 1.3])
  text, _ = report(anchor, 'ab', [make_curve(bent, QUALITIES)])
  (line,) = [line for line in text.splitlines() if line.startswith('crossing: ')]
  assert line.startswith('crossing: ours against anchor: fewer bits up to 3')
  assert line.endswith(', more bits above')
  text, _ = report(anchor, 'ab', [make_curve(0.9 * RATES, QUALITIES)])
  assert 'crossing' not in text
