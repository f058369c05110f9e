import csv
import io

import pytest

from making import make_curve, make_sweep
from sweep_results import (
  ANCHOR,
  CELLS,
  NO_PAPER,
  PAPER,
  factors,
  make_table,
  results_of,
  write_results,
)
from tfusq.curves.anchors import AnchorError
from tfusq.sweeps import report, tables
from tfusq.sweeps.results import ResultsFolder
from tfusq.sweeps.tables import CellResult


@pytest.fixture
def sweep():
  return make_sweep(tables=('III', 'V'))


def test_a_table_has_every_twos_order(sweep, tmp_path):
  write_results(sweep, tmp_path, factors)
  table = tables.bd_rates(results_of(sweep, tmp_path), ANCHOR, PAPER)
  text = report.format_table(sweep, table, range(4))
  assert 'spread 1.41 points; what is less than 2.83 apart is undecided' in text
  assert f'better{"":>4}{30.0:>7.2f}  MS-hyper, SUA+EP | SUA+STE, 0.11 than' in text
  assert f'undecided{"":>1}{0.0:>7.2f}' in text  # the two cells between
  rows = list(csv.DictReader(io.StringIO(report.to_csv(sweep, [table], range(4)).decode())))
  assert len(rows) == 8 and rows[0]['by_seed'] == '0:19.0000 1:21.0000'
  assert rows[0]['bound'] == '1e-6' and rows[3]['paper'] == '-1.5'


def test_what_is_not_finished_decides_nothing(sweep, tmp_path):
  def only_first_seed(run, stage):
    unfinished = run.lmbda == 0.02 and run.name.startswith(CELLS[0])
    return None if run.seed or unfinished else 1.0

  write_results(sweep, tmp_path, only_first_seed)
  table = tables.bd_rates(results_of(sweep, tmp_path), ANCHOR, NO_PAPER)
  text = report.format_table(sweep, table, range(4))
  assert '1 of 4' in text and text.count('cells can not be compared with fewer than two seeds') == 2


def test_the_best_label_of_an_axis_is_shown_alone(tmp_path):
  sweep = make_sweep(best_of='bound')

  def worse_with_small_bound(run, stage):
    return 1.1 if run.cell['bound'] == '1e-6' and stage == 'post' else 1.0

  write_results(sweep, tmp_path, worse_with_small_bound)
  table = tables.bd_rates(results_of(sweep, tmp_path), ANCHOR, NO_PAPER)
  text = report.format_table(sweep, table, tables.best_cells(sweep, [table]))
  assert '0.11' in text and '1e-6' not in text


def test_what_did_not_converge_is_a_dash(sweep, tmp_path):
  write_results(sweep, tmp_path, factors)
  for path in tmp_path.glob(f'{CELLS[0]}/*-joint-*'):
    quality = 10.0 + float(path.name[7:11])
    path.write_bytes(make_curve((0.1,), (quality,), images={'a': 'ff'}).to_json())
  table = tables.bd_rates(results_of(sweep, tmp_path), ANCHOR, PAPER)
  line = report.format_table(sweep, table, range(4)).splitlines()[1]
  assert line.split('joint')[1].split()[0] == '—' and 'post' in line


def test_what_is_unlike_is_not_ranked(sweep):
  table = make_table('kodak', joint={0: 1.0, 1: 3.0})
  table.results[0, 'joint'] = CellResult({0: 0.0, 1: 0.0}, 4, '')
  table = table._replace(zeros=frozenset({(0, 'joint')}), group=lambda cell_index: cell_index % 2)
  lines = report.format_table(sweep, table, range(4)).splitlines()
  assert sum(line.startswith('  ') for line in lines) == 2  # 0 and 2, 1 and 3


@pytest.fixture
def paper_path(tmp_path):
  path = tmp_path / 'paper_tables.csv'
  path.write_text('table,images,rates,measure,joint,post\n')
  return path


@pytest.fixture
def anchor_paths(tmp_path):
  """The anchor's curve as of other images, and as of any."""
  paths = tmp_path / 'other.json', tmp_path / 'anchor.json'
  other = make_curve(ANCHOR.results['bpp'], ANCHOR.results['psnr-rgb'], images={'a': '00'})
  for path, curve in zip(paths, (other, ANCHOR)):
    path.write_bytes(curve.to_json())
  return [str(path) for path in paths]


def test_a_report_takes_the_first_anchor_of_the_same_images(
  sweep, tmp_path, paper_path, anchor_paths
):
  write_results(sweep, tmp_path / 'results', factors)
  folder = ResultsFolder(tmp_path / 'results')
  made = report.make_report(sweep, folder, ['kodak', 'tecnick'], anchor_paths, paper_path)
  lines = made.text.splitlines()
  assert lines[0].startswith('kodak: anchor anchor, sha256 ')
  assert lines[1] == 'tecnick: no cell has all its rates yet'
  assert lines[2].startswith('kodak: BD-rate, % (pchip); mean over seeds')
  (picture,) = made.pictures
  assert picture.images == 'kodak' and picture.anchor.name == 'anchor'
  assert len(picture.curves) == 4 and made.table_csv.count(b'\n') == 9
  with pytest.raises(AnchorError, match='no anchor is of these images; evaluate a live one'):
    report.make_report(sweep, folder, ['kodak'], anchor_paths[:1], paper_path)


def test_a_report_is_the_same_from_runs_csv_alone(sweep, tmp_path, paper_path, anchor_paths):
  write_results(sweep, tmp_path / 'results', factors)
  folder = ResultsFolder(tmp_path / 'results')
  before = report.make_report(sweep, folder, ['kodak'], anchor_paths, paper_path)
  folder.gather()
  for path in folder.path.glob('*/*.json'):
    path.unlink()
  folder = ResultsFolder(folder.path)
  after = report.make_report(sweep, folder, ['kodak'], anchor_paths, paper_path)
  assert (after.text, after.table_csv) == (before.text, before.table_csv)


def test_nothing_finished_makes_no_table(sweep, tmp_path, paper_path):
  made = report.make_report(sweep, ResultsFolder(tmp_path), ['kodak'], [], paper_path)
  assert made.text == 'kodak: no cell has all its rates yet'
  assert made.table_csv is None and made.pictures == []
