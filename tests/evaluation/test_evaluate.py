import contextlib
import csv
import io
import json
import math

import numpy as np
import pytest

from tfusq import image_files
from tfusq.curves.curve import read_curve
from tfusq.evaluation import evaluate
from tfusq.evaluation.evaluate import Journal
from tfusq.image_files import ImageError, image_hash


class FakePoint:
  """A codec whose figures are made up from the image's mean; counts what it measures."""

  def __init__(self, key, rate):
    self.key, self.label, self.description, self.rate = key, f'{key}!', {'lmbda': rate}, rate
    self.opened, self.measured = 0, 0

  @contextlib.contextmanager
  def open(self):
    self.opened += 1
    yield self._measure

  def _measure(self, image):
    self.measured += 1
    if getattr(self, 'fails_at', None) == self.measured:
      raise KeyboardInterrupt
    small = image.shape[0] < 161
    return {
      'bytes': 10,
      'bpp': self.rate,
      'psnr-rgb': float(image.mean()),
      'ms-ssim-rgb': math.nan if small else 0.9,
    }


@pytest.fixture
def folder(tmp_path, photograph):
  folder = tmp_path / 'images'
  folder.mkdir()
  for name, height in (('b.png', 64), ('a.png', 200)):
    (folder / name).write_bytes(image_files.encode(photograph[:height], 'png'))
  return folder


def test_results_are_means_over_images_sorted_by_rate(folder, photograph, tmp_path):
  curve, errors = evaluate.evaluate(
    [FakePoint('bb', 0.5), FakePoint('aa', 0.25)], folder, 'ours', Journal(None)
  )
  assert not errors
  expected = (photograph[:64].mean() + photograph[:200].mean()) / 2
  assert curve.results['bpp'] == [0.25, 0.5]
  assert curve.results['psnr-rgb'] == pytest.approx([expected] * 2)
  assert curve.results['ms-ssim-rgb'] == [0.9, 0.9]  # the small image has none
  assert [codec['label'] for codec in curve.meta['codecs']] == ['aa!', 'bb!']
  assert curve.meta['images'] == {
    'a.png': image_hash(photograph[:200]),
    'b.png': image_hash(photograph[:64]),
  }
  assert [(row['point'], row['image']) for row in curve.images] == [
    ('aa', 'a.png'),
    ('aa', 'b.png'),
    ('bb', 'a.png'),
    ('bb', 'b.png'),
  ]
  assert {'tfusq', 'tensorflow', 'tensorflow-compression'} <= set(curve.meta['versions'])
  (tmp_path / 'c.json').write_bytes(curve.to_json())
  assert read_curve(tmp_path / 'c.json').images[1]['ms-ssim-rgb'] is None


def test_an_interrupted_evaluation_goes_on(folder, tmp_path):
  path = tmp_path / 'deep' / 'c.json.partial'
  first, second = FakePoint('aa', 0.25), FakePoint('bb', 0.5)
  second.fails_at = 2
  with pytest.raises(KeyboardInterrupt):
    evaluate.evaluate([first, second], folder, 'ours', Journal(path))
  with path.open('a') as file:
    file.write('["bb", "cut o')  # as a kill leaves it
  first, second = FakePoint('aa', 0.25), FakePoint('bb', 0.5)
  journal = Journal(path)
  curve, _ = evaluate.evaluate([first, second], folder, 'ours', journal)
  assert (first.opened, first.measured, second.measured) == (0, 0, 1)
  whole, _ = evaluate.evaluate(
    [FakePoint('aa', 0.25), FakePoint('bb', 0.5)], folder, 'ours', Journal(None)
  )
  assert curve.to_json() == whole.to_json()
  again, _ = evaluate.evaluate([first, second], folder, 'ours', Journal(path))
  assert again.to_json() == whole.to_json() and second.measured == 1
  journal.remove()
  assert not path.exists()


def test_what_changed_meanwhile_is_measured_again(folder, photograph, tmp_path):
  path = tmp_path / 'journal'
  evaluate.evaluate([FakePoint('aa', 0.25)], folder, 'ours', Journal(path))
  (folder / 'a.png').write_bytes(image_files.encode(photograph[:100], 'png'))
  point = FakePoint('aa', 0.25)
  evaluate.evaluate([point], folder, 'ours', Journal(path))
  assert point.measured == 1


def test_what_is_no_journal_is_named(tmp_path):
  (tmp_path / 'journal').write_text('garbage\n')
  with pytest.raises(evaluate.JournalError, match='journal is not what an interrupted'):
    Journal(tmp_path / 'journal')


def test_points_that_lack_a_figure_share_a_curve_with_others(folder):
  other = FakePoint('bb', 0.5)
  other._measure = lambda image: {'bytes': 1, 'bpp': 0.5, 'psnr-rgb': 30.0, 'coded-bpp': 0.4}
  curve, _ = evaluate.evaluate([FakePoint('aa', 0.25), other], folder, 'ours', Journal(None))
  assert curve.results['coded-bpp'] == [None, 0.4] and curve.results['ms-ssim-rgb'] == [0.9, None]
  assert len(evaluate.table(curve).splitlines()) == 3
  assert len(evaluate.to_csv(curve).splitlines()) == 1 + 4 + 2


def test_broken_images_are_left_out_and_named(folder):
  (folder / 'broken.png').write_bytes(b'no image')
  curve, (error,) = evaluate.evaluate([FakePoint('aa', 0.1)], folder, 'ours', Journal(None))
  assert 'broken.png' in str(error) and len(curve.images) == 2
  for name in 'ab':
    (folder / f'{name}.png').unlink()
  with pytest.raises(ImageError, match='broken.png'):
    evaluate.evaluate([FakePoint('aa', 0.1)], folder, 'ours', Journal(None))


def test_the_table_has_each_image_of_one_codec_and_the_means_of_several(folder):
  one, _ = evaluate.evaluate([FakePoint('aa', 0.25)], folder, 'ours', Journal(None))
  lines = evaluate.table(one).splitlines()
  assert len(lines) == 4 and lines[1].startswith('a.png') and lines[3].startswith('mean aa!')
  assert lines[0].split() == ['bytes', 'bpp', 'PSNR', 'MS-SSIM']
  assert f'{one.images[1]["psnr-rgb"]:.2f}' in lines[2] and 'nan' not in lines[2]
  two, _ = evaluate.evaluate(
    [FakePoint('aa', 0.25), FakePoint('bb', 0.5)], folder, 'ours', Journal(None)
  )
  assert [line.split()[:2] for line in evaluate.table(two).splitlines()[1:]] == [
    ['mean', 'aa!'],
    ['mean', 'bb!'],
  ]


def test_the_csv_has_a_line_for_each_image_and_the_means(folder):
  curve, _ = evaluate.evaluate([FakePoint('aa', 0.25)], folder, 'ours', Journal(None))
  rows = list(csv.DictReader(io.StringIO(evaluate.to_csv(curve).decode())))
  assert [row['image'] for row in rows] == ['a.png', 'b.png', 'mean']
  assert float(rows[2]['psnr-rgb']) == pytest.approx(
    np.mean([float(row['psnr-rgb']) for row in rows[:2]])
  )


def test_the_gap_is_of_strings_and_estimate():
  text = evaluate.format_rows([('x', {'bpp': 0.6, 'coded-bpp': 0.505, 'estimated-bpp': 0.5})])
  assert text.splitlines()[0].split() == ['bpp', 'coded', 'estimate', 'gap', '%']
  assert text.splitlines()[1].split()[-1] == '1.000'


def test_the_file_has_the_parts_that_compressais_plots_read(folder):
  curve, _ = evaluate.evaluate(
    [FakePoint('bb', 0.5), FakePoint('aa', 0.25)], folder, 'ours', Journal(None)
  )
  content = json.loads(curve.to_json())
  assert {'name': 'ours', 'description': curve.description}.items() <= content.items()
  assert set(content['results']) == {'bytes', 'bpp', 'psnr-rgb', 'ms-ssim-rgb'}
  assert all(len(values) == 2 for values in content['results'].values())
