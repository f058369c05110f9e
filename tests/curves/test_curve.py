import dataclasses
import gzip
import json
import math

import numpy as np
import pytest

from making import make_curve
from tfusq.curves.curve import Curve, CurveError, from_dict, read_curve


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
    ('', 'is empty'),
    ('[' * 100_000, 'is no JSON'),
    ('{"results": {"bpp": [NaN]}}', 'a bpp is no finite number'),
    ('{"results": {"bpp": [1e999]}}', 'a bpp is no finite number'),
    ('{"results": {"bpp": [true]}}', 'bpp is no list of numbers'),
    ('{"results": {"bpp": [1], "codec": ["a"]}}', 'codec is no list of numbers'),
    ('{"results": [1]}', 'no "results"'),
  ],
)
def test_a_file_without_a_curve_is_named(content, reason, tmp_path):
  (tmp_path / 'c.json').write_text(content)
  with pytest.raises(CurveError, match=f'(?s)c.json.*{reason}'):
    read_curve(tmp_path / 'c.json')


def test_a_figure_that_is_not_there_is_refused():
  with pytest.raises(CurveError, match='ours has no ms-ssim-rgb; it has bpp, psnr-rgb'):
    make_curve().points('bpp', 'ms-ssim-rgb')


@pytest.mark.parametrize(
  'parts',
  [
    {'meta': 5},
    {'meta': {'codecs': 5, 'images': [1]}},
    {'meta': {'codecs': [1, 2], 'images': {'a.png': [1]}}},
    {'meta': {'codecs': None, 'images': None, 'left_out': 3}},
    {'images': 24},
    {'images': ['a.png']},
    {'name': None, 'description': None},
    {'name': ['a'], 'description': 3},
    {'name': ''},
  ],
)
def test_odd_optional_parts_do_not_keep_a_curve_from_being_read(parts, tmp_path):
  results = {'bpp': [0.4, 0.2], 'psnr-rgb': [31, 28]}
  (tmp_path / 'c.json').write_text(json.dumps({'results': results, **parts}))
  curve = read_curve(tmp_path / 'c.json')
  assert (curve.name, curve.description) == ('c', '') and curve.images == []
  assert curve.hashes == {} and curve.results['bpp'] == [0.2, 0.4]
  assert curve.rows_by_point() == []


def test_a_name_is_one_line(tmp_path):
  content = {'name': 'ours\n and more', 'results': {'bpp': [1]}}
  (tmp_path / 'c.json').write_bytes(b'\xef\xbb\xbf' + json.dumps(content).encode())  # with a BOM
  assert read_curve(tmp_path / 'c.json').name == 'ours and more'


def test_a_number_beyond_those_of_computers_has_no_value():
  content = '{"results": {"bpp": [1, 2, 3], "psnr-rgb": [NaN, -Infinity, 1' + 400 * '0' + ']}}'
  assert from_dict(json.loads(content), 'c').results['psnr-rgb'] == [None] * 3


def test_a_compressed_or_huge_file_is_named(tmp_path, monkeypatch):
  (tmp_path / 'c.json').write_bytes(gzip.compress(b'{}'))
  with pytest.raises(CurveError, match='c.json is compressed by gzip'):
    read_curve(tmp_path / 'c.json')
  monkeypatch.setattr('tfusq.curves.curve._MOST_BYTES', 20)
  with pytest.raises(CurveError, match='c.json is larger than any curve'):
    read_curve(tmp_path / 'c.json')
  with pytest.raises(IsADirectoryError):
    read_curve(tmp_path)


def test_points_without_a_finite_mean_are_named_and_have_an_alternative():
  rows = []
  for point, qualities in (('low', [28, 30]), ('high', [33, None])):
    for image, quality in zip('ab', qualities):
      rows.append({'image': image, 'point': point, 'bpp': 0.2, 'psnr-rgb': quality})
  meta = {'codecs': [{'point': 'low'}, {'point': 'high'}]}
  results = {'bpp': [0.2, 0.4], 'psnr-rgb': [29.0, None], 'ms-ssim-rgb': [0.9, 1.0]}
  curve = Curve('ours', '', meta, results, rows)

  text = curve.left_out('bpp', 'psnr-rgb')
  assert text.startswith('1 of 2 points are left out, whose bpp or psnr-rgb is not finite (bpp 0.4')
  assert text.endswith('compare by --quality psnr-of-mean-mse')
  assert curve.left_out('bpp', 'ms-ssim-rgb').endswith('is not finite (bpp 0.4000)')
  assert not curve.left_out('bpp', 'psnr-of-mean-mse')

  # A file that was made before has it in its images.
  _, qualities = curve.points('bpp', 'psnr-of-mean-mse')
  expected = -10 * np.log10([(10**-2.8 + 10**-3) / 2, 10**-3.3 / 2])
  np.testing.assert_allclose(qualities, expected)
  written = dataclasses.replace(curve, results={**results, 'psnr-of-mean-mse': [29.5, 36.5]})
  np.testing.assert_array_equal(written.points('bpp', 'psnr-of-mean-mse')[1], [29.5, 36.5])


def test_without_any_finite_mean_there_is_nothing_to_compare():
  curve = make_curve((0.2,), (None,))
  with pytest.raises(CurveError, match='ours has no bpp with psnr-rgb$'):
    curve.points('bpp', 'psnr-rgb')
  with pytest.raises(CurveError, match='ours has no psnr-of-mean-mse'):
    curve.points('bpp', 'psnr-of-mean-mse')
