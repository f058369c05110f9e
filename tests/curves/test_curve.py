import json
import math

import numpy as np
import pytest

from making import make_curve
from tfusq.curves.curve import CurveError, from_dict, read_curve


def test_a_curve_survives_its_file_sorted_by_rate(tmp_path):
  curve = make_curve((0.4, 0.2), (31.0, 28.0), images={'a.png': 'ff'})
  (tmp_path / 'c.json').write_bytes(curve.to_json())
  back = read_curve(tmp_path / 'c.json')
  assert back.results == {'bpp': [0.2, 0.4], 'psnr-rgb': [28.0, 31.0]}
  assert (back.name, back.meta) == ('ours', {'images': {'a.png': 'ff'}})


def test_what_is_not_finite_becomes_null_and_is_no_point(tmp_path):
  curve = make_curve((0.2, 0.4, 0.8), (28.0, math.nan, math.inf))
  assert json.loads(curve.to_json())['results']['psnr-rgb'] == [28.0, None, None]
  (tmp_path / 'c.json').write_bytes(curve.to_json())
  rates, qualities = read_curve(tmp_path / 'c.json').points('bpp', 'psnr-rgb')
  np.testing.assert_array_equal((rates, qualities), ([0.2], [28.0]))


def test_ms_ssim_is_compared_in_decibels():
  curve = from_dict({'results': {'bpp': [0.1, 0.2], 'ms-ssim-rgb': [0.9, 0.99]}}, 'c')
  np.testing.assert_allclose(curve.points('bpp', 'ms-ssim-rgb')[1], [10, 20])
  perfect = from_dict({'results': {'bpp': [0.1, 0.2], 'ms-ssim-rgb': [0.9, 1.0]}}, 'c')
  np.testing.assert_allclose(perfect.points('bpp', 'ms-ssim-rgb')[1], [10])
  with pytest.raises(CurveError, match='must be 0 to 1, not in dB'):
    from_dict({'results': {'bpp': [0.1], 'ms-ssim-rgb': [12.0]}}, 'c').points('bpp', 'ms-ssim-rgb')


@pytest.mark.parametrize(
  'content, reason',
  [
    ('{', 'is no JSON'),
    ('[]', 'no "results"'),
    ('{"results": {}}', 'bpp'),
    ('{"results": {"bpp": ["a"]}}', 'bpp is no list of numbers'),
    ('{"results": {"bpp": 3}}', 'bpp is no list of numbers'),
    ('{"results": {"bpp": [null]}}', 'bpp'),
    ('{"results": {"bpp": []}}', 'bpp'),
    ('{"results": {"bpp": [1], "psnr-rgb": [1, 2]}}', 'bpp'),
  ],
)
def test_a_file_without_a_curve_is_named(content, reason, tmp_path):
  (tmp_path / 'c.json').write_text(content)
  with pytest.raises(CurveError, match=f'(?s)c.json.*{reason}'):
    read_curve(tmp_path / 'c.json')


def test_a_figure_that_is_not_there_is_refused():
  with pytest.raises(CurveError, match='ours has no ms-ssim-rgb; it has bpp, psnr-rgb'):
    make_curve().points('bpp', 'ms-ssim-rgb')
