"""`trunks.csv`: how good trunks were when they were evaluated, a line for each evaluation.

With it a trunk whose folder is lost is trained again at once for as many steps as it had.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfusq.curves.curve import Curve
from tfusq.sweeps import csv_files
from tfusq.sweeps.sweep import SweepError
from tfusq.sweeps.trunk import TrunkRun

FILE = 'trunks.csv'


class Check(NamedTuple):
  """A trunk's rate beside JPEG's.

  Attributes:
    trunk: Name of the trunk.
    lmbda: Weight of the distortion.
    seed: Seed.
    steps: Number of steps that the trunk had done.
    images: Name of the folder of photographs.
    bpp: Mean rate, bits per pixel.
    psnr: Mean PSNR, dB.
    percent: Rate relative to JPEG's at this PSNR, percent; NaN where JPEG has no such PSNR.
  """

  trunk: str
  lmbda: float
  seed: int
  steps: int
  images: str
  bpp: float
  psnr: float
  percent: float

  def is_of(self, run: TrunkRun, steps: int) -> bool:
    """Returns whether it is that of a trunk after a number of steps."""
    return self[:4] == (run.trunk.name, run.lmbda, run.seed, steps)

  def is_good(self, run: TrunkRun) -> bool:
    """Returns whether it is good enough to fork."""
    return self.percent <= -run.trunk.saving


def make_check(run: TrunkRun, steps: int, images: str, curve: Curve, jpeg: Curve) -> Check:
  """Compares a trunk with JPEG.

  Args:
    run: The trunk.
    steps: Number of steps that it has done.
    images: Name of the folder of photographs.
    curve: The trunk's curve, a single point.
    jpeg: JPEG's curve on the same photographs.
  """
  (bpp,), (psnr,) = curve.points('bpp', 'psnr-rgb')
  rates, qualities = jpeg.points('bpp', 'psnr-rgb')
  percent = math.nan
  if qualities[0] <= psnr <= qualities[-1]:
    percent = 100 * (bpp / math.exp(np.interp(psnr, qualities, np.log(rates))) - 1)
  return Check(run.trunk.name, run.lmbda, run.seed, steps, images, float(bpp), float(psnr), percent)


def read(folder: Path) -> list[Check]:
  """Reads all checks in a folder of results.

  Raises:
    SweepError: if the file is none of these; names the line.
  """
  path = folder / FILE
  checks = []
  for line, fields in enumerate(csv_files.read_rows(path, Check._fields), 2):
    trunk, lmbda, seed, steps, images, *numbers = fields
    try:
      bpp, psnr, percent = map(float, numbers)
      checks.append(Check(trunk, float(lmbda), int(seed), int(steps), images, bpp, psnr, percent))
    except ValueError as error:
      raise SweepError(f'{path}, line {line}: {error}') from error
  return checks


def find(folder: Path, run: TrunkRun, steps: int) -> Check | None:
  """Returns the last check of a trunk after a number of steps, or None."""
  matches = [check for check in read(folder) if check.is_of(run, steps)]
  return matches[-1] if matches else None


def add(folder: Path, check: Check) -> None:
  """Writes a check below the others; the file is replaced in one step."""
  csv_files.write_rows(folder / FILE, Check._fields, [*read(folder), check])
