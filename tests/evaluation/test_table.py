import csv
import io

import numpy as np
import pytest

from points import FakePoint
from tfusq.curves.anchors import AnchorError
from tfusq.evaluation import table
from tfusq.evaluation.evaluate import evaluate
from tfusq.evaluation.journal import Journal


def test_the_table_has_each_image_of_one_codec_and_the_means_of_several(folder):
  one, _ = evaluate([FakePoint('aa', 0.25)], folder, 'ours', Journal(None))
  lines = table.format_curve(one).splitlines()
  assert len(lines) == 4 and lines[1].startswith('a.png') and lines[3].startswith('mean aa!')
  assert lines[0].split() == ['bytes', 'bpp', 'PSNR', 'MS-SSIM']
  assert f'{one.images[1]["psnr-rgb"]:.2f}' in lines[2] and 'nan' not in lines[2]
  two, _ = evaluate([FakePoint('aa', 0.25), FakePoint('bb', 0.5)], folder, 'ours', Journal(None))
  assert [line.split()[:2] for line in table.format_curve(two).splitlines()[1:]] == [
    ['mean', 'aa!'],
    ['mean', 'bb!'],
  ]


def test_the_csv_has_a_line_for_each_image_and_the_means(folder):
  curve, _ = evaluate([FakePoint('aa', 0.25)], folder, 'ours', Journal(None))
  rows = list(csv.DictReader(io.StringIO(table.to_csv(curve).decode())))
  assert [row['image'] for row in rows] == ['a.png', 'b.png', 'mean']
  assert float(rows[2]['psnr-rgb']) == pytest.approx(
    np.mean([float(row['psnr-rgb']) for row in rows[:2]])
  )


def test_the_gap_is_of_strings_and_estimate():
  text = table.format_rows([('x', {'bpp': 0.6, 'coded-bpp': 0.505, 'estimated-bpp': 0.5})])
  assert text.splitlines()[0].split() == ['bpp', 'coded', 'estimate', 'gap', '%']
  assert text.splitlines()[1].split()[-1] == '1.000'


def test_points_that_lack_a_measurement_share_a_curve_with_others(folder):
  other = FakePoint('bb', 0.5)
  other._measure = lambda image: {'bytes': 1, 'bpp': 0.5, 'psnr-rgb': 30.0, 'coded-bpp': 0.4}
  curve, _ = evaluate([FakePoint('aa', 0.25), other], folder, 'ours', Journal(None))
  assert curve.results['coded-bpp'] == [None, 0.4] and curve.results['ms-ssim-rgb'] == [0.9, None]
  assert len(table.format_curve(curve).splitlines()) == 3
  assert len(table.to_csv(curve).splitlines()) == 1 + 4 + 2


def test_remarks_say_of_how_many_images_a_mean_is_and_why_one_is_infinite(folder, photograph):
  points = [FakePoint('aa', 0.25), FakePoint('bb', 0.5)]
  points[1].perfect = 64
  curve, _ = evaluate(points, folder, 'ours', Journal(None))
  small, infinite, line = table.remarks(curve)
  assert small == 'MS-SSIM: mean of 1 of 2 images; the others have a side under 161 pixels'
  assert 'psnr-of-mean-mse' in infinite
  quality = photograph[:200].mean() + 10 * np.log10(2)
  assert line == f'  bb!: {quality:.2f} dB, 1 of 2 images without error'
  assert 'inf' in table.format_curve(curve)

  (folder / 'b.png').unlink()
  whole, _ = evaluate(points[:1], folder, 'ours', Journal(None))
  assert table.remarks(whole) == []


def test_the_csv_names_what_is_left_out_and_has_escapes_for_names_that_are_no_utf8(folder):
  (folder / 'b.png').rename(folder / 'b\udcff.png')
  point = FakePoint('aa', 0.25)
  point.errors = {200: AnchorError('too large')}
  curve, _ = evaluate([point], folder, 'ours', Journal(None))
  rows = list(csv.DictReader(io.StringIO(table.to_csv(curve).decode())))
  assert [row['image'] for row in rows] == ['b\\udcff.png', 'mean', 'a.png']
  assert [row['left_out'] for row in rows] == ['', '', 'a.png at aa!: too large']
