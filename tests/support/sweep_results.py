"""Makers of a sweep's results, whose BD-rates are known."""

from making import QUALITIES, make_curve
from tfusq.sweeps.results import Results, ResultsFolder
from tfusq.sweeps.tables import CellResult, PaperTables, Table

RATES = 10 ** ((QUALITIES - 30) / 16)  # every interpolation is exact
ANCHOR = make_curve(RATES, QUALITIES, 'anchor')
CELLS = ('ms-hyper__aun_pge_aun_pge__1e-6', 'ms-hyper__sua_ep_sua_ste__0.11')
PAPER_ROW = {
  'table': 'V',
  'images': 'Kodak',
  'model': '',
  'measure': 'rate-distortion',
  'rate | distortion': 'SUA+EP | SUA+STE',
  'bound': '0.11',
  'joint': '-1.5',
  'post': '—',
}
PAPER = PaperTables([PAPER_ROW], ('III', 'V'))
NO_PAPER = PaperTables([], ())


def write_result(folder, run, stage, curve):
  """Writes a result as an evaluation does."""
  path = run.result(folder, stage, 'kodak')
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(curve.to_json())


def write_results(sweep, folder, factors):
  """Results whose rates are the anchor's times a factor of run and stage; none where it is None."""
  for run in sweep.runs():
    for stage in ('joint', 'post'):
      factor = factors(run, stage)
      if factor is None:
        continue
      point = 1 + 2 * sweep.lmbdas.index(run.lmbda)
      codec = {'point': f'{run.name}{stage}', 'lmbda': run.lmbda}
      curve = make_curve(
        (factor * RATES[point],), (QUALITIES[point],), images={'a': 'ff'}, codecs=[codec]
      )
      write_result(folder, run, stage, curve)


def factors(run, stage):
  """Two of four cells are apart from the others, the seeds by 0.02."""
  cell, _ = run.name.split('/')
  factor = {CELLS[0]: 1.2, CELLS[1]: 0.9}.get(cell, 1.0)
  factor += 0.01 if run.seed else -0.01
  return factor - 0.1 if stage == 'post' else factor


def results_of(sweep, folder):
  return Results(sweep, ResultsFolder(folder), 'kodak')


def make_table(images, **by_seed):
  """A table of four cells with the same results, given by stage."""
  results = {}
  for cell_index in range(4):
    for stage in ('joint', 'post'):
      results[cell_index, stage] = CellResult(dict(by_seed.get(stage, {})), 4, '')
  return Table(images, 'BD-rate', results)
