"""The paper's tables as data and as sweeps: complete, consistent, and each run parses."""

import csv
import re
from pathlib import Path

import gin
import pytest

from readme import CHECKOUT
from tfusq import config
from tfusq.sweeps.report import make_report
from tfusq.sweeps.results import ResultsFolder

# The checkout's files: an installed package carries the gin files alone, not the studies' results.
PAPER = CHECKOUT / 'gin' / 'paper'
# Of sweeps, none by themselves.
PARTS = {'recipe', 'section_4', 'section_6', 'joint', 'post', 'trunk', 'branch', 'scratch'}
PARTS |= {'ms_hyper_zero_trunk', 'attention_recipe'}
SWEEPS = sorted(
  str(path.relative_to(PAPER)) for path in PAPER.rglob('*.gin') if path.stem not in PARTS
)
TABLES = [name for name in SWEEPS if name.startswith('table_')]
ROWS = {'III': 9, 'IV': 32, 'V': 12, 'VI': 8, 'VII': 72, 'VIII': 21, 'IX': 42, 'X': 42, 'XI': 24}
RATES = {
  'III': {'low'},
  'IV': {'lower', 'higher'},
  'V': {'low'},
  'VI': {'low'},
  'VII': {'low'},
  'VIII': {'all'},
  'IX': {'all'},
  'X': {'all'},
  'XI': {'all'},
}
AXES = (
  'model',
  'rate | distortion',
  'alpha_max',
  'bound',
  'sg',
  'entropy_model',
  'analysis',
  'synthesis',
)


def rows(**coordinates):
  """The paper's figures at some coordinates."""
  with (PAPER / 'paper_tables.csv').open(encoding='utf-8', newline='') as file:
    return [
      row
      for row in csv.DictReader(file, strict=True)
      if all(row[name] == value for name, value in coordinates.items())
    ]


def read(name):
  config.parse([f'paper/{name}'], ["Trunk.images = 'heldout'"], [])
  return config.build_configurable('Sweep')


def matches(row, labels, free=()):
  """Whether a row is of a cell: the same coordinates, but for the axes in `free`."""
  return all(row[axis] == labels.get(axis, '') for axis in AXES if axis not in free)


def test_every_table_has_a_sweep():
  assert {f'table_{table.lower()}.gin' for table in ROWS} == set(TABLES)


def test_every_table_has_its_rows_once():
  assert {table: len(rows(table=table)) for table in ROWS} == ROWS
  assert len(rows()) == sum(ROWS.values())
  places = [tuple(row.values())[:-2] for row in rows()]
  assert len(set(places)) == len(places)


def test_every_figure_is_a_number_with_two_decimals_or_no_convergence():
  for row in rows():
    figures = [row['joint'], row['post']]
    if row['measure'] == 'surrogate':
      assert figures.pop() == ''
    assert all(re.fullmatch(r'-?\d+\.\d\d|—', figure) for figure in figures), row
  diverged = [row for row in rows() if '—' in (row['joint'], row['post'])]
  assert len(diverged) == 6
  assert {(row['table'], row['rate | distortion']) for row in diverged} == {
    ('IX', 'SUA+EP | SUA+STE')
  }


def test_measures_and_rates_are_those_of_each_table():
  for table in ROWS:
    wanted = {'cost', 'surrogate'} if table == 'IV' else {'rate-distortion'}
    assert {row['measure'] for row in rows(table=table)} == wanted
    assert {row['rates'] for row in rows(table=table)} == RATES[table]


def test_the_average_is_that_of_kodak_and_tecnick():
  averages = rows(images='Avg')
  assert len(averages) == (7 + 2 * 7 + 2 * 7 + 2 * 4)
  for row in averages:
    kodak, tecnick = (
      rows(**{**{name: row[name] for name in ('table', *AXES)}, 'images': images})
      for images in ('Kodak', 'Tecnick')
    )
    for stage in ('joint', 'post'):
      if row[stage] == '—':
        assert kodak[0][stage] == tecnick[0][stage] == '—'
        continue
      mean = (float(kodak[0][stage]) + float(tecnick[0][stage])) / 2
      assert abs(mean - float(row[stage])) <= 0.01 + 1e-9, row


def test_the_anchors_of_table_four_are_zero():
  anchors = [
    (row['rates'], row['rate | distortion'], row['measure'])
    for row in rows(table='IV')
    if row['joint'] == '0.00'
  ]
  assert sorted(anchors) == sorted(
    (rates, *column)
    for rates in ('lower', 'higher')
    for column in (
      ('AUN+PGE | AUN+PGE', 'cost'),
      ('AUN+PGE | AUN+PGE', 'surrogate'),
      ('AUN+PGE | round+STE', 'surrogate'),
    )
  )


@pytest.mark.parametrize(
  'table, others', [('VI', {'table': 'III'}), ('VII', {'table': 'V', 'model': 'MS-hyper-zero'})]
)
def test_figures_that_two_tables_share_agree(table, others):
  shared = 0
  for row in rows(table=table):
    for other in rows(
      **others,
      **{
        'rate | distortion': row['rate | distortion'],
        'alpha_max': row['alpha_max'],
        'bound': row['bound'],
      },
    ):
      if row['sg'] != 'no' and row['entropy_model'] in ('', 'Gaussian'):
        assert (row['joint'], row['post']) == (other['joint'], other['post'])
        shared += 1
  assert shared == {'VI': 2, 'VII': 4}[table]


@pytest.mark.parametrize('name', TABLES)
def test_a_sweep_has_the_cells_of_its_table_and_no_others(name):
  sweep = read(name)
  (table,) = sweep.tables
  assert table.lower() == Path(name).stem.removeprefix('table_')
  free = [sweep.best_of] if sweep.best_of else []
  grid = sweep.cells()
  for row in rows(table=table):
    assert any(matches(row, labels, free) for labels in grid), row
  for labels in grid:
    assert any(matches(row, labels, free) for row in rows(table=table)), labels
  assert sweep.best_of == ('alpha_max' if RATES[table] == {'all'} else None)
  assert (
    len(sweep.lmbdas)
    == {'low': 4, 'lower': 2, 'higher': 2, 'all': 6}[rows(table=table)[0]['rates']]
  )


@pytest.mark.parametrize('name', SWEEPS)
def test_every_run_of_a_sweep_parses(name):
  sweep = read(name)
  for run in sweep.runs()[:: len(sweep.lmbdas)][: len(sweep.cells())]:
    labels = run.cell
    for stage, statements in (('joint', run.joint), ('post', run.post)):
      parse(statements)
      joint = stage == 'joint'
      assert gin.query_parameter('Codec.train_encoder') == joint
      assert gin.query_parameter('%BOUND') == (float(labels['bound']) if joint else 1e-6)
      if 'alpha_max' in labels and joint:
        assert gin.query_parameter('Linear.end') == float(labels['alpha_max'])
      entropy_model = gin.query_parameter('%ENTROPY_MODEL').selector.split('.')[-1]
      wanted = labels.get(
        'entropy_model', 'Gaussian Mixture' if 'Cheng' in labels.get('model', '') else 'Gaussian'
      )
      assert entropy_model == wanted.replace(' ', '')


FORKS = [name for name in SWEEPS if read(name).trunk]


@pytest.mark.parametrize('name', FORKS)
def test_every_branch_can_go_on_with_all_of_its_trunk(name):
  """Both train the same variables, and a branch begins where its trunk's schedules are constant."""
  sweep = read(name)
  (lmbda,) = sweep.lmbdas
  shapes = set()
  for run in [sweep.branches_of(index, lmbda)[0] for index in range(len(sweep.cells()))]:
    for statements in (run.joint, run.trunk.statements):
      parse(statements)
      assert gin.query_parameter('Codec.train_encoder')
      model = gin.query_parameter('Codec.model').selector.split('.')[-1]
      sizes = [gin.query_parameter(f'{model}.{size}') for size in ('filters', 'latent_channels')]
      network = config.build_parameter('synthesis/KLT.network')
      shapes.add((model, *sizes, type(network).__name__, gin.query_parameter('%LMBDA')))
    assert gin.query_parameter('PiecewiseConstantDecay.values')[-1] == 5e-4
    assert gin.query_parameter('PiecewiseConstantDecay.boundaries')[-1] < sweep.trunk.steps
  assert len(shapes) == 1


@pytest.mark.parametrize('name', FORKS)
def test_temperatures_rise_over_seven_tenths_of_a_branch_and_then_the_learning_rate_falls(name):
  for run in read(name).runs()[:5]:
    parse(run.joint)
    steps, rise, fall = (gin.query_parameter(f'%{name}') for name in ('STEPS', 'RISE', 'FALL'))
    assert rise == round(0.7 * steps) and rise + fall == steps
    assert steps % gin.query_parameter('train.interval') == 0
    rate = config.build_configurable('CosineDecay')
    trunks = 5e-4
    assert float(rate(0)) == float(rate(rise)) == pytest.approx(trunks)
    assert float(rate(steps)) == pytest.approx(0) and float(rate(rise + fall // 2)) < trunks
    if 'alpha_max' in run.cell:
      alpha = config.build_configurable('Linear')
      assert float(alpha(0)) == 1
      assert float(alpha(rise)) == float(alpha(steps)) == float(run.cell['alpha_max'])


def test_sweeps_that_share_trunks_share_all_that_decides_them():
  trunks = {}
  for name in FORKS:
    sweep = read(name)
    run = sweep.runs()[0].trunk
    settings = (run.statements, list(run.trunk.ladder()), run.trunk.saving, sweep.seeds)
    assert trunks.setdefault(run.trunk.name, settings) == settings
  assert len(trunks) == 3


def parse(statements):
  """Parses gin files and bindings as a run's training does."""
  files = [statement for statement in statements if statement.endswith('.gin')]
  bindings = [statement for statement in statements if not statement.endswith('.gin')]
  config.parse(files, [*bindings, "TRAIN_IMAGES = 'photographs'"], [])


@pytest.mark.parametrize('name', SWEEPS)
def test_the_readme_states_every_sweep_and_its_number_of_runs(name):
  (line,) = (
    line
    for line in (PAPER / 'README.md').read_text(encoding='utf-8').splitlines()
    if f'| `{name}` |' in line
  )
  runs = len(read(name).runs())
  assert f'| {runs} + {runs} |' in line


def test_the_two_core_sweeps_keep_the_labels_of_the_tables():
  labels = {
    (axis, label)
    for name in SWEEPS
    if name.startswith('small/') and read(name).tables
    for cell in read(name).cells()
    for axis, label in cell.items()
  }
  assert all(any(row[axis] == label for row in rows()) for axis, label in labels)


# The grid of the annealing study, with cells whose schedules are in the history alone.
ANNEALING = """Sweep.grids = [{'model': {'MS-hyper-zero': ''}, 'rate | distortion': {
  'SUA+EP | SUA+PGE': ''}, 'annealing': {'linear to 4': '', 'linear to 8': '',
  'linear to 12': '', 'noise budget': '', 'first noise budget': ''}, 'bound': {'0.11': ''}}]"""


@pytest.mark.parametrize(
  'name, folder, bindings',
  [
    ('core', 'results', []),
    ('figure_8', 'figure_8', []),
    ('annealing', 'annealing', [ANNEALING]),
  ],
)
def test_the_committed_reports_are_those_of_the_committed_runs(name, folder, bindings):
  config.parse([f'paper/small/{name}.gin'], bindings, [])
  sweep = config.build_configurable('Sweep')
  results = PAPER / 'small' / folder
  report = make_report(sweep, ResultsFolder(results), ['kodak'], [], PAPER / 'paper_tables.csv')
  assert f'{report.text}\n' == (results / 'report.txt').read_text(encoding='utf-8')
  assert report.table_csv == (results / 'report.csv').read_bytes()
