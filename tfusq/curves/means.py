"""Means over images, of which a curve's points are made."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

PSNR = 'psnr-rgb'
# PSNR of the mean over images of the squared error. It stays finite where an image is decoded
# without error, which makes the mean of PSNRs infinite.
PSNR_OF_MEAN = 'psnr-of-mean-mse'


def mean(rows: Iterable[Mapping[str, Any]], keys: Iterable[str]) -> dict[str, float]:
  """Returns the mean of each measurement over images, as is usual in publications.

  An image that lacks a measurement, such as a small one its MS-SSIM, is left out of that mean;
  `counts` tells of how many it is.

  Args:
    rows: Measurements of each image.
    keys: Keys of the measurements, in the order of the result. `psnr-of-mean-mse` is calculated
      from the images' `psnr-rgb`.

  Returns:
    The means, but for measurements that no image has; NaN where no image has a value.
  """
  rows = list(rows)
  means = {}

  for key in keys:
    if key == PSNR_OF_MEAN:
      values = [10 ** (-psnr / 10) for psnr in _values(rows, PSNR)]
    else:
      values = _values(rows, key)
    if not values:
      continue

    known = [value for value in values if not math.isnan(value)]
    average = float(np.mean(known)) if known else math.nan
    means[key] = _decibels(average) if key == PSNR_OF_MEAN else average

  return means


def counts(rows: Sequence[Mapping[str, Any]], keys: Iterable[str]) -> dict[str, int]:
  """Returns the number of images of each mean that is not of all.

  Args:
    rows: Measurements of each image.
    keys: Keys of the measurements.
  """
  numbers = {}
  for key in keys:
    values = _values(rows, key)
    known = sum(not math.isnan(value) for value in values)
    if values and known < len(rows):
      numbers[key] = known
  return numbers


def _values(rows: Sequence[Mapping[str, Any]], key: str) -> list[float]:
  """Returns a measurement of all images that have it; NaN where it has no value.

  In a file a value that is not finite is None; of a PSNR that is one of an image without error.
  """
  missing = math.inf if 'psnr' in key else math.nan
  values = []
  for row in rows:
    if key in row:
      values.append(missing if row[key] is None else row[key])
  return values


def _decibels(error: float) -> float:
  return math.inf if error == 0 else -10 * math.log10(error)
