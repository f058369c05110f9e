import csv
import io

import pytest

from making import make_curve
from tfusq.curves.curve import Curve
from tfusq.sweeps import runs_file
from tfusq.sweeps.runs_file import ResultKey
from tfusq.sweeps.sweep import SweepError

HEADER = 'cell,lmbda,seed,stage,images,label,image,sha256,bytes,bpp\n'
IMAGE = 'mbt,0.01,0,joint,kodak,ab,a.png,ff,7,0.25\n'
MEANS = 'mbt,0.01,0,joint,kodak,ab,mean,,7.0,0.25\n'


def key(seed=0, stage='joint', images='kodak'):
  return ResultKey('mbt', '0.01', str(seed), stage, images)


def result(hashes, rate=1 / 3, **measurements):
  """A curve of a single point, such as an evaluation makes."""
  rows = [
    {'image': name, 'point': 'p', 'bytes': 12, 'bpp': rate, **measurements} for name in hashes
  ]
  codecs = [{'point': 'p', 'label': 'ab12', 'lmbda': 0.01, 'recipe': 'long'}]
  results = {'bytes': [12.0], 'bpp': [rate], 'psnr-rgb': [None]}
  return Curve('ours', '', {'images': hashes, 'codecs': codecs}, results, rows)


def test_results_survive_their_file(tmp_path):
  curves = {
    key(1): result({'a.png': 'aa', 'b.png': 'bb'}, 1e-7),
    key(0): result({'a.png': 'aa', 'b.png': 'bb'}, **{'psnr-rgb': None}),
    key(0, images='tecnick'): result({'a.png': 'cc'}),
  }
  path = tmp_path / 'runs.csv'
  path.write_bytes(runs_file.to_csv(curves))
  back = runs_file.read(path)
  assert list(back) == [key(0), key(0, images='tecnick'), key(1)]  # sorted
  for result_key, curve in curves.items():
    other = back[result_key]
    assert other.results == curve.results and other.hashes == curve.hashes
    codec = {'point': result_key.codec, 'label': 'ab12', 'lmbda': 0.01}
    assert other.meta['codecs'] == [codec]
    assert other.images == [{**row, 'point': result_key.codec} for row in curve.images]
  assert runs_file.to_csv(back) == path.read_bytes()


def test_branches_have_a_column_for_their_fork_and_other_runs_none(tmp_path):
  scratch, branch = key(0), key(0)._replace(fork='2')
  curves = {scratch: result({'a.png': 'aa'}), branch: result({'a.png': 'aa'}, 0.5)}
  path = tmp_path / 'runs.csv'
  path.write_bytes(runs_file.to_csv(curves))
  lines = path.read_text().splitlines()
  assert lines[0].startswith('cell,lmbda,seed,stage,images,fork,label,image,sha256,')
  assert lines[1].startswith('mbt,0.01,0,joint,kodak,,ab12,')
  assert lines[3].startswith('mbt,0.01,0,joint,kodak,2,ab12,')
  back = runs_file.read(path)
  assert list(back) == [scratch, branch] and back[branch].results['bpp'] == [0.5]
  assert back[branch].meta['codecs'][0]['point'] == 'mbt/lambda_0.01-seed_0-fork_2/joint'
  path.write_text(path.read_text().replace('kodak,2,', 'kodak,x,'))
  with pytest.raises(SweepError, match='fork must be an integer, not x'):
    runs_file.read(path)


def test_there_is_a_line_for_each_image_and_for_the_means():
  data = runs_file.to_csv({key(seed): result({'a.png': 'aa', 'b.png': 'bb'}) for seed in (0, 1)})
  rows = list(csv.DictReader(io.StringIO(data.decode())))
  assert [row['image'] for row in rows] == ['a.png', 'b.png', 'mean'] * 2
  assert [row['sha256'] for row in rows] == ['aa', 'bb', '', '', '', '']
  assert rows[0]['bpp'] == repr(1 / 3) and rows[0]['psnr-rgb'] == ''
  assert rows[2]['psnr-rgb'] == 'null' and rows[2]['label'] == 'ab12'


@pytest.mark.parametrize('others', [{'a.png': 'bb'}, {}])
def test_hashes_that_differ_are_all_written(others, tmp_path):
  curves = {key(0): result({'a.png': 'aa'}), key(1): result({'a.png': 'aa'})}
  curves[key(1)].meta['images'] = others
  path = tmp_path / 'runs.csv'
  path.write_bytes(runs_file.to_csv(curves))
  back = runs_file.read(path)
  assert back[key(0)].hashes == {'a.png': 'aa'} and back[key(1)].hashes == others


def test_images_that_have_only_a_hash_are_kept(tmp_path):
  curve = make_curve((0.2,), (30.0,), images={'a.png': 'aa'})
  path = tmp_path / 'runs.csv'
  path.write_bytes(runs_file.to_csv({key(): curve}))
  back = runs_file.read(path)[key()]
  assert back.hashes == {'a.png': 'aa'} and back.images == []


def test_a_result_of_several_points_is_refused():
  with pytest.raises(SweepError, match='mbt/lambda_0.01-seed_0-joint-kodak.json holds 3 points'):
    runs_file.to_csv({key(): make_curve()})


@pytest.mark.parametrize(
  'content, number, reason',
  [
    ('', 1, 'must name each column once'),
    ('run,bpp\n', 1, 'must name each column once, first cell, lmbda'),
    (HEADER.replace('bytes', 'bpp'), 1, 'each column once'),
    (HEADER + IMAGE + 'mbt,0.01\n', 3, '2 fields, where the first line has 10'),
    (HEADER + IMAGE.replace('0.25', 'x') + MEANS, 2, 'bpp must be a finite number, not x'),
    (HEADER + IMAGE.replace('0.25', 'nan') + MEANS, 2, 'bpp must be a finite number, not nan'),
    (HEADER + IMAGE.replace('0.01', 'low') + MEANS, 2, 'lmbda must be a finite number, not low'),
    (HEADER + IMAGE.replace(',0,', ',first,') + MEANS, 2, 'seed must be an integer, not first'),
    (HEADER + IMAGE.replace('joint', 'both') + MEANS, 2, 'stage must be joint or post, not both'),
    (HEADER + IMAGE.replace('kodak', '') + MEANS, 2, 'images is empty'),
    (HEADER + IMAGE + IMAGE + MEANS, 3, 'the result has a.png twice'),
    (HEADER + IMAGE + MEANS + MEANS, 4, 'its means twice'),
    (HEADER + IMAGE, 2, 'no line whose image is mean'),
    (HEADER + IMAGE + MEANS.replace('0.25', ''), 3, 'the means have no bpp'),
    (HEADER + IMAGE.replace('ff', '') + MEANS, 2, 'sha256 is empty'),
    (HEADER + IMAGE + '"mbt', 3, 'unexpected end of data'),
  ],
)
def test_a_file_edited_by_hand_is_refused_with_its_line(content, number, reason, tmp_path):
  path = tmp_path / 'runs.csv'
  path.write_text(content)
  with pytest.raises(SweepError) as error:
    runs_file.read(path)
  message = str(error.value)
  assert message.startswith(f'{path}, line {number}: ') and reason in message
  assert '\n' not in message


def test_bytes_that_are_no_text_are_refused(tmp_path):
  path = tmp_path / 'runs.csv'
  path.write_bytes(b'\xff\xfe')
  with pytest.raises(SweepError, match='runs.csv, line 1: '):
    runs_file.read(path)
