import json
import math

import pytest

from points import FakePoint
from tfusq import image_files, versions
from tfusq.curves.anchors import AnchorError
from tfusq.curves.curve import read_curve
from tfusq.evaluation.evaluate import evaluate
from tfusq.evaluation.failures import EvaluationError
from tfusq.evaluation.journal import Journal
from tfusq.evaluation.operating_points import Mismatch
from tfusq.export.client import CodecError
from tfusq.export.container import ContainerError
from tfusq.image_files import ImageError, image_hash


def test_results_are_means_over_images_sorted_by_rate(folder, photograph, tmp_path):
  curve, problems = evaluate(
    [FakePoint('bb', 0.5), FakePoint('aa', 0.25)], folder, 'ours', Journal(None)
  )
  assert not problems
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
  curve, problems = evaluate([FakePoint('aa', 0.1)], folder, 'ours', Journal(None))
  assert problems.startswith('1 image is left out of all means:\n  broken.png: cannot read image')
  assert len(curve.images) == 2 and curve.meta['left_out']['broken.png']['sha256'] is None
  for name in 'ab':
    (folder / f'{name}.png').unlink()
  with pytest.raises(ImageError, match='broken.png'):
    evaluate([FakePoint('aa', 0.1)], folder, 'ours', Journal(None))


def test_the_file_has_the_parts_that_compressais_plots_read(folder):
  curve, _ = evaluate([FakePoint('bb', 0.5), FakePoint('aa', 0.25)], folder, 'ours', Journal(None))
  content = json.loads(curve.to_json())
  assert {'name': 'ours', 'description': curve.description}.items() <= content.items()
  assert set(content['results']) == {
    'bytes',
    'bpp',
    'psnr-rgb',
    'ms-ssim-rgb',
    'psnr-of-mean-mse',
  }
  assert all(len(values) == 2 for values in content['results'].values())


@pytest.mark.parametrize(
  'error, text',
  [
    (CodecError('TensorFlow: ResourceExhaustedError: OOM'), 'TensorFlow: ResourceExhausted'),
    (ContainerError('more pixels than\na file holds'), 'more pixels than a file holds'),
    (AnchorError('webp cannot code it'), 'webp cannot code it'),
    (Mismatch('the decoder differs'), 'the decoder differs'),
    (ImageError('it has gone'), 'it has gone'),
    (MemoryError('Unable to allocate 9 GiB'), 'out of memory: Unable to allocate 9 GiB'),
    (MemoryError(), 'out of memory'),
  ],
)
def test_an_image_that_fails_at_one_point_is_left_out_of_all_means(folder, photograph, error, text):
  first, second = FakePoint('aa', 0.25), FakePoint('bb', 0.5)
  second.errors = {200: error}
  curve, problems = evaluate([first, second], folder, 'ours', Journal(None))
  assert (first.measured, second.measured) == (2, 2)
  assert curve.results['psnr-rgb'] == pytest.approx([photograph[:64].mean()] * 2)
  assert [row['image'] for row in curve.images] == ['b.png'] * 2
  assert curve.meta['images'] == {'b.png': image_hash(photograph[:64])}
  entry = curve.meta['left_out']['a.png']
  assert entry['sha256'] == image_hash(photograph[:200]) and text in entry['reason']
  head, line = problems.split('\n  ')
  assert head == '1 image is left out of all means:'
  assert line.startswith('a.png at bb!: ') and text in line and '\n' not in line


def test_a_point_that_evaluates_nothing_is_left_out_and_keeps_no_image_from_the_others(folder):
  points = [FakePoint('aa', 0.25), FakePoint('bb', 0.5), FakePoint('cc', 0.75)]
  points[0].errors = {200: AnchorError('too large'), 64: AnchorError('too small')}
  points[1].opening_error = CodecError('bb is damaged')
  curve, problems = evaluate(points, folder, 'ours', Journal(None))
  assert curve.results['bpp'] == [0.75] and len(curve.images) == 2
  assert curve.meta['left_out_points'] == ['aa!', 'bb!'] and 'left_out' not in curve.meta
  assert problems.split('\n  ') == [
    '2 operating points are left out of the curve:',
    'a.png at aa!: too large (and 1 more)',
    'bb!: bb is damaged',
  ]


def test_where_nothing_is_left_there_is_no_curve(folder):
  points = [FakePoint('aa', 0.25), FakePoint('bb', 0.5)]
  points[0].errors = {200: AnchorError('too large')}
  points[1].errors = {64: AnchorError('too small')}
  with pytest.raises(EvaluationError, match='(?s)no image.*a.png at aa!: too large.*b.png at bb!'):
    evaluate(points, folder, 'ours', Journal(None))


def test_what_is_no_error_of_an_image_ends_the_evaluation(folder):
  point = FakePoint('aa', 0.25)
  point.errors = {200: ZeroDivisionError('a bug')}
  with pytest.raises(ZeroDivisionError):
    evaluate([point], folder, 'ours', Journal(None))


def test_an_image_that_kills_the_process_comes_last_and_is_then_left_out(
  folder, photograph, tmp_path, caplog
):
  path = tmp_path / 'journal'
  killed = json.dumps(['aa', image_hash(photograph[:200]), None]) + '\n'
  path.write_text(killed)
  point = FakePoint('aa', 0.25)
  evaluate([point], folder, 'ours', Journal(path))
  assert point.heights == [64, 200]
  assert 'a.png: the process ended while it was coded, now it comes last' in caplog.text

  path.write_text(2 * killed)
  points = [FakePoint('aa', 0.25), FakePoint('bb', 0.5)]
  curve, problems = evaluate(points, folder, 'ours', Journal(path))
  assert [point.heights for point in points] == [[64], [64]]
  assert list(curve.meta['images']) == ['b.png']
  assert 'a.png at aa!: the process ended 2 times' in problems and '(and 1 more)' in problems


def test_an_interruption_is_no_kill(folder, photograph, tmp_path):
  digest = image_hash(photograph[:200])
  for _ in range(3):
    point = FakePoint('aa', 0.25)
    point.fails_at = 1
    with pytest.raises(KeyboardInterrupt):
      evaluate([point], folder, 'ours', Journal(tmp_path / 'journal'))
  assert Journal(tmp_path / 'journal').kills(digest) == 0


def test_an_image_without_error_leaves_the_psnr_of_the_mean_error_finite(folder, photograph):
  points = [FakePoint('aa', 0.25), FakePoint('bb', 0.5)]
  points[1].perfect = 64
  curve, _ = evaluate(points, folder, 'ours', Journal(None))
  quality = photograph[:200].mean()
  assert curve.results['psnr-rgb'][1] == math.inf
  # Half of the images have the error of that quality, half of them none.
  assert curve.results['psnr-of-mean-mse'][1] == pytest.approx(quality + 10 * math.log10(2))
  assert curve.meta['codecs'][1]['means_over'] == {'ms-ssim-rgb': 1}
  assert json.loads(curve.to_json())['results']['psnr-rgb'][1] is None


def test_names_that_are_no_utf8_are_written_and_read(folder, tmp_path):
  (folder / 'a.png').rename(folder / 'caf\udce9,\n.png')
  curve, _ = evaluate([FakePoint('aa', 0.25)], folder, 'ours', Journal(tmp_path / 'journal'))
  (tmp_path / 'c.json').write_bytes(curve.to_json())
  assert read_curve(tmp_path / 'c.json').meta['images'] == curve.meta['images']
  assert 'caf\udce9,\n.png' in curve.meta['images']
