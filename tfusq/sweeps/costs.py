"""Rate-distortion costs of a sweep at each lambda, as in Table IV.

`J = R + lambda D` on real bytes, in percent beyond the cost of one cell of the joint stage; and
`J~` of the training-time forward calculation, for the joint stage, in percent beyond that of the
cell which shares the forward calculation but not the networks: costs of different forward
calculations do not compare.
"""

from pathlib import Path

import numpy as np

from tfusq.curves.curve import Curve, CurveError
from tfusq.sweeps.report import STAGES, Figure, Table, curves_of, figure_of_paper
from tfusq.sweeps.sweep import Sweep

MEASURES = {'cost': ('bpp', 'psnr-rgb'), 'surrogate': ('surrogate-bpp', 'surrogate-psnr-rgb')}


def costs(curve: Curve, rate: str, quality: str) -> dict[float, float]:
  """Returns the mean cost over images, bits per pixel, by lambda.

  Args:
    curve: Of codecs whose lambdas are known.
    rate: Key of the figures of each image, bpp.
    quality: Another, a PSNR in dB, of which the squared error on 8 bits is taken.

  Raises:
    CurveError: if an image has no such figures.
  """
  found = {}
  for codec in curve.meta['codecs']:
    rows = [row for row in curve.images if row['point'] == codec['point']]
    if not all(rate in row and quality in row for row in rows):
      raise CurveError(f'{curve.name} has no {rate} and {quality} of each image')
    # No value is an infinite one: an image without error.
    errors = [0.0 if row[quality] is None else 10 ** (-row[quality] / 10) for row in rows]
    found[codec['lmbda']] = float(
      np.mean([row[rate] + codec['lmbda'] * 255**2 * error for row, error in zip(rows, errors)])
    )
  return found


def tabulate(sweep: Sweep, results: Path, images: str, paper: list[dict[str, str]]) -> list[Table]:
  """Compares the costs of every cell with those of `sweep.cost_anchor`.

  Args:
    sweep: What was to be run.
    results: Folder of results.
    images: Name of the folder of images.
    paper: Rows of the paper's tables, whose `rates` are `lower` and `higher`; of no use at any
      other number of lambdas.

  Returns:
    A table for each lambda and each measure by which cells compare.
  """
  tables = []
  cells = sweep.cells()
  for measure, (rate, quality) in MEASURES.items():
    anchors = {number: _anchor(sweep, cells[number], measure) for number in range(len(cells))}
    if all(number == anchor for number, anchor in anchors.items()):
      continue  # nothing compares
    keys = [
      (number, stage)
      for number in range(len(cells))
      for stage in STAGES
      if measure == 'cost' or stage == 'joint'
    ]
    by_cell = {
      (number, stage): {
        seed: costs(curve, rate, quality)
        for seed, curve in curves_of(sweep, results, cells[number], stage, images).items()
      }
      for number, stage in keys
    }
    lmbdas = sorted(sweep.lmbdas)
    rates = dict(zip(lmbdas, ('lower', 'higher'))) if len(lmbdas) == 2 else {}
    for lmbda in lmbdas:
      figures = {}
      for number, stage in keys:
        anchor, own = by_cell[anchors[number], 'joint'], by_cell[number, stage]
        what = {'images': images, 'rates': rates.get(lmbda, 'none'), 'measure': measure}
        figures[number, stage] = Figure(
          {
            seed: 100 * (own[seed][lmbda] / anchor[seed][lmbda] - 1)
            for seed in own
            if seed in anchor
          },
          len(own) * len(sweep.lmbdas),
          figure_of_paper(paper, sweep.tables, what, cells[number], stage),
        )
      tables.append(
        Table(
          images,
          f'{measure} at lambda {lmbda}, %',
          figures,
          zeros=frozenset((number, 'joint') for number in anchors.values()),
          comparable=anchors.get,
        )
      )
  return tables


def _anchor(sweep, cell, measure):
  """Number of the cell whose cost is 0 %."""
  labels = dict(sweep.cost_anchor)
  if measure == 'surrogate':
    labels = {axis: label for axis, label in labels.items() if axis not in sweep.joint_axes} | {
      axis: label for axis, label in cell.items() if axis in sweep.joint_axes
    }
  cells = sweep.cells()
  return cells.index(labels if labels in cells else cell)
