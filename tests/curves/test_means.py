import math

import pytest

from tfusq.curves.means import counts, mean


def test_an_image_without_a_value_is_left_out_and_counted():
  rows = [{'bpp': 1.0, 'ms-ssim-rgb': math.nan}, {'bpp': 2.0, 'ms-ssim-rgb': 0.9}]
  keys = ('bpp', 'psnr-rgb', 'ms-ssim-rgb')
  assert mean(rows, keys) == {'bpp': 1.5, 'ms-ssim-rgb': 0.9}
  assert counts(rows, keys) == {'ms-ssim-rgb': 1}
  rows = [{'ms-ssim-rgb': None}]  # as in a file
  assert math.isnan(mean(rows, keys)['ms-ssim-rgb']) and counts(rows, keys) == {'ms-ssim-rgb': 0}


@pytest.mark.parametrize('perfect', [math.inf, None])
def test_the_psnr_of_the_mean_error_is_finite_beside_an_image_without_error(perfect):
  rows = [{'psnr-rgb': perfect}, {'psnr-rgb': 30.0}, {'psnr-rgb': 40.0}]
  means = mean(rows, ('psnr-rgb', 'psnr-of-mean-mse'))
  assert means['psnr-rgb'] == math.inf
  assert means['psnr-of-mean-mse'] == pytest.approx(-10 * math.log10((1e-3 + 1e-4) / 3))
  assert not counts(rows, ['psnr-rgb'])


def test_it_is_infinite_where_no_image_has_an_error():
  assert mean([{'psnr-rgb': math.inf}], ['psnr-of-mean-mse']) == {'psnr-of-mean-mse': math.inf}
  assert mean([{'bpp': 1.0}], ['psnr-of-mean-mse']) == {}
