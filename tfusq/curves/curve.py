"""Rate-distortion curves as files, in the format that `compressai.utils.plot` reads.

    {"name", "description", "meta": {...},
     "results": {"bpp": [...], "psnr-rgb": [...], ...},     means over images for each rate
     "images": [{"image", "point", "bpp", "psnr-rgb", ...}, ...]}      optional

The lists of `results` are parallel and sorted by bpp; in our files `meta["codecs"]` is parallel to
them. A number that has no value is null.
"""

import dataclasses
import json
import math
import os
import sys
from pathlib import Path

import numpy as np

from tfusq.curves.means import PSNR, PSNR_OF_MEAN, mean
from tfusq.errors import Error

_MOST_BYTES = 2**30


class CurveError(Error, ValueError):
  """A file that holds no curve, or a curve without the measurements asked for."""


@dataclasses.dataclass(frozen=True)
class Curve:
  """Measurements of a codec at several rates.

  Attributes:
    name: Name in legends and tables.
    description: One line on what it is.
    meta: Origin. Our files have `images`, hashes of the images by name, and `codecs`, a
      dictionary for each rate.
    results: Parallel lists of means over images, sorted by bpp; None where there is no value.
    images: A dictionary of measurements for each image and rate.
  """

  name: str
  description: str
  meta: dict
  results: dict[str, list[float | None]]
  images: list[dict] = dataclasses.field(default_factory=list)

  def points(self, rate: str, quality: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns rates and qualities, float64, by increasing quality.

    Args:
      rate: Key of the rate in `results`, such as `bpp`.
      quality: Key of the quality in `results`, such as `psnr-rgb`. An MS-SSIM is returned in dB,
        -10 log10(1 - MS-SSIM).

    Raises:
      CurveError: if it has no such results.
    """
    rates, qualities = self._axes(rate, quality)
    known = np.isfinite(rates) & np.isfinite(qualities)
    if not known.any():
      raise CurveError(f'{self.name} has no {rate} with {quality}{self._advice(quality)}')
    order = np.argsort(qualities[known], kind='stable')
    return rates[known][order], qualities[known][order]

  def _axes(self, rate: str, quality: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns rates and qualities by increasing bpp; not finite where there is no value."""
    rates = self._column(rate)
    qualities = self._column(quality)
    if 'ms-ssim' not in quality:
      return rates, qualities

    if (qualities > 1).any():
      raise CurveError(f'{self.name} has {quality} beyond 1; it must be 0 to 1, not in dB')
    with np.errstate(divide='ignore'):  # of a perfect one
      return rates, -10 * np.log10(1 - qualities)

  def left_out(self, rate: str, quality: str) -> str:
    """Returns in words which points `points` leaves out, and why; empty if none.

    Args:
      rate: Key of the rate in `results`.
      quality: Key of the quality in `results`.

    Raises:
      CurveError: if it has no such results.
    """
    rates, qualities = self._axes(rate, quality)
    unknown = ~(np.isfinite(rates) & np.isfinite(qualities))
    if not unknown.any():
      return ''

    bpp = ' '.join(f'{value:.4f}' for value in np.array(self.results['bpp'])[unknown])
    return (
      f'{unknown.sum()} of {len(unknown)} points are left out, whose {rate} or {quality} is not '
      f'finite (bpp {bpp}){self._advice(quality)}'
    )

  def _advice(self, quality: str) -> str:
    """Returns what helps where a quality has no finite mean; empty if nothing does."""
    if quality != PSNR or self._psnr_of_mean() is None:
      return ''
    return (
      '; a mean PSNR is infinite if any image is decoded without error: compare by '
      f'--quality {PSNR_OF_MEAN}'
    )

  def anchor_points(self, rate: str, quality: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the points of an anchor, rates and qualities by increasing quality.

    A conventional codec has no training-time forward calculation: where `surrogate-bpp` is asked
    for and is missing, the points are those of real bytes.

    Args:
      rate: Key of the rate in the results of the curves to be compared.
      quality: Key of the quality in the results of the curves to be compared.

    Raises:
      CurveError: if it has no such results.
    """
    return self.points(*self.anchor_axes(rate, quality))

  def anchor_axes(self, rate: str, quality: str) -> tuple[str, str]:
    """Returns the keys of the results that `anchor_points` takes.

    Args:
      rate: Key of the rate in the results of the curves to be compared.
      quality: Key of the quality in the results of the curves to be compared.
    """
    if rate in self.results:
      return rate, quality
    return rate.removeprefix('surrogate-'), quality.removeprefix('surrogate-')

  def _column(self, key):
    """Returns a result as float64, NaN where there is no value."""
    values = self.results.get(key)
    if values is None and key == PSNR_OF_MEAN:
      values = self._psnr_of_mean()
    if values is None:
      raise CurveError(f'{self.name} has no {key}; it has {", ".join(self.results)}')
    return np.array(values, np.float64)  # None becomes NaN

  def _psnr_of_mean(self) -> list[float | None] | None:
    """Returns the PSNR of the mean squared error at each rate.

    Files that were made before it was a result have it in the values of their images.
    """
    if PSNR_OF_MEAN in self.results:
      return self.results[PSNR_OF_MEAN]
    means = [mean(rows, [PSNR_OF_MEAN]) for rows in self.rows_by_point()]
    if not means or not all(means):
      return None
    return [point_means[PSNR_OF_MEAN] for point_means in means]

  def rows_by_point(self) -> list[list[dict]]:
    """Returns the values of the images at each rate; empty if the file has not all of them."""
    codecs = self.meta.get('codecs', [])
    by_point: dict[str, list[dict]] = {str(codec.get('point')): [] for codec in codecs}
    for row in self.images:
      by_point.setdefault(str(row.get('point')), []).append(row)

    rows = list(by_point.values())
    # Two codecs of one key, or rows of none, would give means of something else.
    complete = len(rows) == len(self.results['bpp']) and all(rows)
    return rows if complete else []

  @property
  def hashes(self) -> dict[str, str]:
    """Hashes of the images by name; empty if the file has none, as others' files."""
    images = self.meta.get('images')
    if not isinstance(images, dict):
      return {}
    return images if all(isinstance(value, str) for value in images.values()) else {}

  def to_json(self) -> bytes:
    """Returns the file; a number that is not finite becomes null."""
    content = _finite(dataclasses.asdict(self))
    return json.dumps(content, indent=1, allow_nan=False).encode() + b'\n'


def read_curve(path: str | os.PathLike) -> Curve:
  """Reads a curve.

  Args:
    path: JSON file, ours or CompressAI's.

  Raises:
    CurveError: if it holds no curve; says why.
    OSError: if it cannot be read.
  """
  return parse_curve(read_bytes(path), path)


def read_bytes(path: str | os.PathLike) -> bytes:
  """Returns the file of a curve.

  Args:
    path: The file.

  Raises:
    CurveError: if it is larger than any curve.
    OSError: if it cannot be read.
  """
  with Path(path).open('rb') as file:
    data = file.read(_MOST_BYTES + 1)
  if len(data) > _MOST_BYTES:
    raise CurveError(f'{path} is larger than any curve, {_MOST_BYTES >> 20} MiB')
  return data


def parse_curve(data: bytes, path: str | os.PathLike) -> Curve:
  """Returns the curve that a file holds.

  Args:
    data: The file.
    path: Its path, which is named in errors, and names a curve without a name.

  Raises:
    CurveError: if it holds no curve; says why.
  """
  if not data:
    raise CurveError(f'{path} is empty')
  if data.startswith(b'\x1f\x8b'):
    raise CurveError(f'{path} is compressed by gzip; unpack it')
  try:
    # NaN and Infinity are no JSON, but are written by many programs.
    content = json.loads(data, parse_constant=lambda _: None)
  except (ValueError, RecursionError) as error:
    raise CurveError(f'{path} is no JSON: {error}') from error
  try:
    return from_dict(content, Path(path).stem)
  except CurveError as error:
    raise CurveError(f'{path} holds no rate-distortion curve: {error}') from error


def from_dict(content: dict, name: str) -> Curve:
  """Returns the curve that a parsed JSON file holds.

  Parts that only our files have are left out if they are of another form.

  Args:
    content: Parsed file.
    name: Name of the curve if the file does not say.

  Raises:
    CurveError: if it has no `results`, or they are not parallel lists of numbers.
  """
  results = _results(content)
  order = np.argsort(np.array(results['bpp'], np.float64), kind='stable').tolist()

  meta = content.get('meta')
  meta = dict(meta) if isinstance(meta, dict) else {}
  codecs = _dictionaries(meta.pop('codecs', None))
  if codecs:
    meta['codecs'] = _reordered(codecs, order) if len(codecs) == len(order) else codecs

  return Curve(
    name=_line(content.get('name')) or name,
    description=_line(content.get('description')),
    meta=meta,
    results={key: _reordered(values, order) for key, values in results.items()},
    images=_dictionaries(content.get('images')),
  )


def _results(content) -> dict[str, list[float | None]]:
  """Returns the results of a parsed file; None where a number is not finite."""
  results = content.get('results') if isinstance(content, dict) else None
  if not isinstance(results, dict):
    raise CurveError('it has no "results"')
  for key, values in results.items():
    if not _is_list_of(values, int, float, type(None)):
      raise CurveError(f'{key} is no list of numbers')

  lengths = {key: len(values) for key, values in results.items()}
  if not results.get('bpp') or len(set(lengths.values())) != 1:
    raise CurveError(f'results must be parallel lists with bpp among them, not {lengths}')
  finite = {key: list(map(_number, values)) for key, values in results.items()}
  if None in finite['bpp']:
    raise CurveError('a bpp is no finite number')
  return finite


def _is_list_of(values, *types) -> bool:
  return isinstance(values, list) and all(type(value) in types for value in values)


def _dictionaries(values) -> list[dict]:
  """Returns a list of dictionaries; empty if it is none."""
  return list(values) if _is_list_of(values, dict) else []


def _number(value):
  """Returns a number, or None if it is none or beyond those of float64."""
  if value is None or not -sys.float_info.max <= value <= sys.float_info.max:
    return None
  return value


def _line(text) -> str:
  """Returns a text without line breaks; empty if it is no text."""
  return ' '.join(text.split()) if isinstance(text, str) else ''


def _reordered(values, order):
  return [values[index] for index in order]


def _finite(value):
  if isinstance(value, dict):
    return {key: _finite(item) for key, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [_finite(item) for item in value]
  if isinstance(value, float) and not math.isfinite(value):
    return None
  return value
