import pytest

from making import make_curve, make_sweep
from tfusq.curves.curve import CurveError
from tfusq.sweeps import results as results_module
from tfusq.sweeps.results import Results, ResultsFolder
from tfusq.sweeps.sweep import SweepError


def write(folder, run, stage='joint', rate=0.2, images='kodak'):
  path = run.result(folder, stage, images)
  path.parent.mkdir(parents=True, exist_ok=True)
  curve = make_curve((rate,), (30.0,), images={'a.png': 'ff'}, codecs=[{'lmbda': run.lmbda}])
  path.write_bytes(curve.to_json())
  return path


@pytest.fixture
def sweep():
  return make_sweep()


def test_gathered_results_need_no_files(sweep, tmp_path):
  run, other, *_ = sweep.runs()
  write(tmp_path, run).with_suffix('.csv').write_text('of the evaluation')
  write(tmp_path, run, images='tecnick')
  folder = ResultsFolder(tmp_path)
  folder.gather()
  for path in tmp_path.glob('*/*.json'):
    path.unlink()
  folder = ResultsFolder(tmp_path)
  assert folder.has(run, 'joint', 'kodak') and folder.has(run, 'joint', 'tecnick')
  assert not folder.has(run, 'post', 'kodak') and not folder.has(other, 'joint', 'kodak')
  assert folder.read(run, 'joint', 'kodak').results == {'bpp': [0.2], 'psnr-rgb': [30.0]}
  with pytest.raises(SweepError, match='neither .*post-kodak.json nor runs.csv has the result'):
    folder.read(run, 'post', 'kodak')


def test_a_file_is_taken_before_what_was_gathered_and_gathered_again(sweep, tmp_path):
  run, other, *_ = sweep.runs()
  write(tmp_path, run)
  write(tmp_path, other)
  ResultsFolder(tmp_path).gather()
  for path in tmp_path.glob('*/*.json'):
    path.unlink()
  write(tmp_path, run, rate=0.4)
  folder = ResultsFolder(tmp_path)
  for _ in range(2):
    assert folder.read(run, 'joint', 'kodak').results['bpp'] == [0.4]
    assert folder.read(other, 'joint', 'kodak').results['bpp'] == [0.2]
    folder.gather()
  assert b',0.4,' in (tmp_path / 'runs.csv').read_bytes()


def test_gathering_keeps_what_another_process_gathered_meanwhile(sweep, tmp_path):
  run, other, *_ = sweep.runs()
  folder = ResultsFolder(tmp_path)
  assert not folder.has(run, 'joint', 'kodak')  # runs.csv is read, and is not there
  path = write(tmp_path, other)
  ResultsFolder(tmp_path).gather()
  path.unlink()
  write(tmp_path, run)
  folder.gather()
  folder = ResultsFolder(tmp_path)
  assert folder.has(run, 'joint', 'kodak') and folder.has(other, 'joint', 'kodak')


def test_a_killed_gathering_loses_nothing(sweep, tmp_path, monkeypatch):
  run, other, *_ = sweep.runs()
  write(tmp_path, run)
  folder = ResultsFolder(tmp_path)
  folder.gather()
  before = (tmp_path / 'runs.csv').read_bytes()
  write(tmp_path, other)

  def killed(*_):
    raise KeyboardInterrupt

  monkeypatch.setattr('os.replace', killed)
  with pytest.raises(KeyboardInterrupt):
    folder.gather()
  assert (tmp_path / 'runs.csv').read_bytes() == before
  assert len(list(tmp_path.glob('*/*.json'))) == 2
  assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {'runs.csv'}


def test_nothing_is_written_without_need(sweep, tmp_path, monkeypatch):
  folder = ResultsFolder(tmp_path)
  folder.gather()
  assert not list(tmp_path.iterdir())
  (tmp_path / 'other').mkdir()
  (tmp_path / 'other' / 'notes.json').write_text('of something else')
  write(tmp_path, sweep.runs()[0])
  folder.gather()
  monkeypatch.setattr(results_module.files, 'write', None)
  folder.gather()


def test_a_result_that_is_no_curve_is_named(sweep, tmp_path):
  path = write(tmp_path, sweep.runs()[0])
  path.write_text('{}')
  with pytest.raises(CurveError, match=path.name):
    ResultsFolder(tmp_path).gather()


def test_a_curve_has_the_results_at_all_lambdas_of_a_seed(sweep, tmp_path):
  first, second = sweep.runs_of(0, seed=0)
  write(tmp_path, second, rate=0.8)
  results = Results(sweep, ResultsFolder(tmp_path), 'kodak')
  assert results.curves(0, 'joint') == {} and results.count(0, 'joint') == 1
  write(tmp_path, first)
  (curve,) = results.curves(0, 'joint').values()
  assert curve.name == 'MS-hyper, AUN+PGE | AUN+PGE, 1e-6, joint'
  assert curve.results['bpp'] == [0.2, 0.8]
  assert [codec['lmbda'] for codec in curve.meta['codecs']] == [0.01, 0.02]
  assert results.count(0, 'joint') == 2 and results.count(0, 'post') == 0
  assert [curve.name for curve in results.first_curves(range(4), 'joint')] == [curve.name]
