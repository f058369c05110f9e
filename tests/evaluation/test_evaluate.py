import json

import pytest

from points import FakePoint
from tfusq import image_files, versions
from tfusq.curves.curve import read_curve
from tfusq.evaluation.evaluate import evaluate
from tfusq.evaluation.journal import Journal
from tfusq.image_files import ImageError, image_hash


def test_results_are_means_over_images_sorted_by_rate(folder, photograph, tmp_path):
  curve, errors = evaluate(
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
  assert curve.meta['versions'] == versions.installed('numpy', 'Pillow')
  (tmp_path / 'c.json').write_bytes(curve.to_json())
  assert read_curve(tmp_path / 'c.json').images[1]['ms-ssim-rgb'] is None


def test_an_interrupted_evaluation_is_resumed(folder, tmp_path):
  path = tmp_path / 'deep' / 'c.json.partial'
  first, second = FakePoint('aa', 0.25), FakePoint('bb', 0.5)
  second.fails_at = 2
  with pytest.raises(KeyboardInterrupt):
    evaluate([first, second], folder, 'ours', Journal(path))
  with path.open('a') as file:
    file.write('["bb", "cut o')  # as a kill leaves it
  first, second = FakePoint('aa', 0.25), FakePoint('bb', 0.5)
  journal = Journal(path)
  curve, _ = evaluate([first, second], folder, 'ours', journal)
  assert (first.opened, first.measured, second.measured) == (0, 0, 1)
  whole, _ = evaluate([FakePoint('aa', 0.25), FakePoint('bb', 0.5)], folder, 'ours', Journal(None))
  assert curve.to_json() == whole.to_json()
  again, _ = evaluate([first, second], folder, 'ours', Journal(path))
  assert again.to_json() == whole.to_json() and second.measured == 1
  journal.remove()
  assert not path.exists()


def test_what_changed_meanwhile_is_measured_again(folder, photograph, tmp_path):
  path = tmp_path / 'journal'
  evaluate([FakePoint('aa', 0.25)], folder, 'ours', Journal(path))
  (folder / 'a.png').write_bytes(image_files.encode(photograph[:100], 'png'))
  point = FakePoint('aa', 0.25)
  evaluate([point], folder, 'ours', Journal(path))
  assert point.measured == 1


def test_broken_images_are_left_out_and_named(folder):
  (folder / 'broken.png').write_bytes(b'no image')
  curve, (error,) = evaluate([FakePoint('aa', 0.1)], folder, 'ours', Journal(None))
  assert 'broken.png' in str(error) and len(curve.images) == 2
  for name in 'ab':
    (folder / f'{name}.png').unlink()
  with pytest.raises(ImageError, match='broken.png'):
    evaluate([FakePoint('aa', 0.1)], folder, 'ours', Journal(None))


def test_the_file_has_the_parts_that_compressais_plots_read(folder):
  curve, _ = evaluate([FakePoint('bb', 0.5), FakePoint('aa', 0.25)], folder, 'ours', Journal(None))
  content = json.loads(curve.to_json())
  assert {'name': 'ours', 'description': curve.description}.items() <= content.items()
  assert set(content['results']) == {'bytes', 'bpp', 'psnr-rgb', 'ms-ssim-rgb'}
  assert all(len(values) == 2 for values in content['results'].values())
