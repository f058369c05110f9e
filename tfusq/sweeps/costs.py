"""Rate-distortion costs of a sweep at each lambda, as in Table IV of the paper.

`cost` is J = R + lambda D on real bytes, in percent relative to one cell's joint stage.

D is the distortion that the runs are trained for: the mean squared error, which the PSNR tells, or
another, which evaluating a run gives.

`surrogate` is J~, the same of the training-time forward calculation, which the joint stage alone
has. Costs of different forward calculations do not compare. The reference is therefore the cell
that shares the forward calculation of each, and differs from it in the networks.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tfusq.curves.curve import Curve, CurveError
from tfusq.sweeps.results import Results
from tfusq.sweeps.sweep import STAGES, Sweep
from tfusq.sweeps.tables import CellResult, PaperTables, Table


class Measure(NamedTuple):
  """A kind of cost.

  Attributes:
    name: Name, which is also that of `paper_tables.csv`.
    rate: Key of an image's rate, bpp.
    quality: Key of an image's PSNR, dB.
    distortion: Key of an image's distortion, in its unit, where runs are trained for another than
      the squared error.
    stages: Stages that have it.
  """

  name: str
  rate: str
  quality: str
  distortion: str
  stages: tuple[str, ...]


MEASURES = (
  Measure('cost', 'bpp', 'psnr-rgb', 'distortion', STAGES),
  Measure('surrogate', 'surrogate-bpp', 'surrogate-psnr-rgb', 'surrogate-distortion', ('joint',)),
)


def costs(curve: Curve, measure: Measure) -> dict[float, float]:
  """Returns the mean cost over images, R + lambda D in bits per pixel, by lambda.

  Args:
    curve: Curve of codecs whose lambdas are known.
    measure: Kind of cost.

  Raises:
    CurveError: if an image has no such measurements.
  """
  by_lambda = {}
  for codec in curve.meta['codecs']:
    rows = [row for row in curve.images if row['point'] == codec['point']]
    image_costs = [_cost(row, codec['lmbda'], measure, curve.name) for row in rows]
    by_lambda[codec['lmbda']] = float(np.mean(image_costs))
  return by_lambda


def by_image(curve: Curve, measure: Measure) -> dict[str, float]:
  """Returns the cost of each image, R + lambda D in bits per pixel, by its name.

  Args:
    curve: Curve of a single codec whose lambda is known.
    measure: Kind of cost.

  Raises:
    CurveError: if an image has no such measurements, or there is none.
  """
  (codec,) = curve.meta['codecs']
  if not curve.images:
    raise CurveError(f'{curve.name} has no measurements of images')
  return {row['image']: _cost(row, codec['lmbda'], measure, curve.name) for row in curve.images}


def _cost(row: Mapping[str, Any], lmbda: float, measure: Measure, name: str) -> float:
  """Returns the cost of an image, given its row and the curve's name."""
  has_distortion = measure.distortion in row or measure.quality in row
  if measure.rate not in row or not has_distortion:
    raise CurveError(f'{name} has no {measure.rate} and {measure.quality} of each image')
  return row[measure.rate] + lmbda * _distortion(row, measure, name)


def _distortion(row: Mapping[str, Any], measure: Measure, name: str) -> float:
  """Returns the distortion of an image in its unit, given its row and the curve's name."""
  if measure.distortion in row:
    if row[measure.distortion] is None:
      raise CurveError(f'{name} has an image whose {measure.distortion} has no value')
    return row[measure.distortion]

  # A PSNR without a value is infinite: an image without error.
  psnr = row[measure.quality]
  return 0.0 if psnr is None else 255**2 * 10 ** (-psnr / 10)


def tabulate(results: Results, paper: PaperTables) -> list[Table]:
  """Compares the costs of every cell with those of the sweep's `cost_anchor`.

  Args:
    results: A sweep's results.
    paper: The paper's numbers. Its rates are called `lower` and `higher`, so that a sweep of any
      other number of lambdas finds none.

  Returns:
    A table for each measure and each lambda, but for a measure by which no cells compare.

  Raises:
    CurveError: if a result is no curve, or lacks a measurement.
  """
  tables = []
  for measure in MEASURES:
    references = _references(results.sweep, measure)
    if any(cell_index != reference for cell_index, reference in references.items()):
      tables += _tabulate(results, measure, references, paper)
  return tables


def _tabulate(results, measure, references, paper):
  """Returns a table for each lambda, given the reference of each cell."""
  sweep = results.sweep
  by_cell = {}
  for cell_index in references:
    for stage in measure.stages:
      curves = results.curves(cell_index, stage)
      by_cell[cell_index, stage] = {seed: costs(curve, measure) for seed, curve in curves.items()}

  lmbdas = sorted(sweep.lmbdas)
  rates = dict(zip(lmbdas, ('lower', 'higher'))) if len(lmbdas) == 2 else {}
  zeros = frozenset((reference, 'joint') for reference in references.values())
  tables = []
  for lmbda in lmbdas:
    description = {
      'images': results.images,
      'rates': rates.get(lmbda, 'none'),
      'measure': measure.name,
    }
    cell_results = {}
    for (cell_index, stage), by_seed in by_cell.items():
      reference = by_cell[references[cell_index], 'joint']
      cell_results[cell_index, stage] = CellResult(
        _relative(by_seed, reference, lmbda),
        len(by_seed) * len(sweep.lmbdas),
        paper.find(sweep.cells()[cell_index], stage, description),
      )
    name = f'{measure.name} at lambda {lmbda}, %'
    tables.append(
      Table(results.images, name, cell_results, zeros=zeros, group=references.__getitem__)
    )
  return tables


def _relative(
  by_seed: Mapping[int, Mapping[float, float]],
  reference: Mapping[int, Mapping[float, float]],
  lmbda: float,
) -> dict[int, float]:
  """Returns by how many percent costs exceed the reference's, for each seed that both have."""
  percent = {}
  for seed, by_lambda in by_seed.items():
    if seed in reference:
      percent[seed] = 100 * (by_lambda[lmbda] / reference[seed][lmbda] - 1)
  return percent


def _references(sweep: Sweep, measure: Measure) -> dict[int, int]:
  """Returns for each cell the index of the cell whose joint stage costs 0 %."""
  cells = sweep.cells()
  references = {}
  for cell_index, cell in enumerate(cells):
    labels = dict(sweep.cost_anchor or {})
    if measure.name == 'surrogate':
      # The axes of the joint stage alone are those that change its forward calculation.
      for axis in sweep.joint_axes:
        labels.pop(axis, None)
        if axis in cell:
          labels[axis] = cell[axis]
    references[cell_index] = cells.index(labels if labels in cells else cell)
  return references
