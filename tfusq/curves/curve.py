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
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tfusq.errors import Error


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
    rates = self._column(rate)
    qualities = self._column(quality)
    if 'ms-ssim' in quality:
      if (qualities > 1).any():
        raise CurveError(f'{self.name} has {quality} beyond 1; it must be 0 to 1, not in dB')
      with np.errstate(divide='ignore'):  # of a perfect one, which is left out below
        qualities = -10 * np.log10(1 - qualities)

    known = np.isfinite(rates) & np.isfinite(qualities)
    if not known.any():
      raise CurveError(f'{self.name} has no {rate} with {quality}')
    order = np.argsort(qualities[known], kind='stable')
    return rates[known][order], qualities[known][order]

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
    if rate not in self.results:
      rate = rate.removeprefix('surrogate-')
      quality = quality.removeprefix('surrogate-')
    return self.points(rate, quality)

  def _column(self, key):
    """Returns a result as float64, NaN where there is no value."""
    if key not in self.results:
      raise CurveError(f'{self.name} has no {key}; it has {", ".join(self.results)}')
    return np.array(self.results[key], np.float64)  # None becomes NaN

  @property
  def hashes(self) -> dict[str, str]:
    """Hashes of the images by name; empty if the file has none, as others' files."""
    images = self.meta.get('images')
    return images if isinstance(images, dict) else {}

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
  try:
    content = json.loads(Path(path).read_bytes())
  except ValueError as error:
    raise CurveError(f'{path} is no JSON: {error}') from error
  try:
    return from_dict(content, Path(path).stem)
  except CurveError as error:
    raise CurveError(f'{path} holds no rate-distortion curve: {error}') from error


def from_dict(content: dict, name: str) -> Curve:
  """Returns the curve that a parsed JSON file holds.

  Args:
    content: Parsed file.
    name: Name of the curve if the file does not say.

  Raises:
    CurveError: if it has no `results`, or they are not parallel lists of numbers.
  """
  results = content.get('results') if isinstance(content, dict) else None
  if not isinstance(results, dict):
    raise CurveError('it has no "results"')
  for key, values in results.items():
    if not _is_list_of_numbers(values):
      raise CurveError(f'{key} is no list of numbers')
  lengths = {key: len(values) for key, values in results.items()}
  if not results.get('bpp') or None in results['bpp'] or len(set(lengths.values())) != 1:
    raise CurveError(f'results must be parallel lists with bpp among them, not {lengths}')

  order = sorted(range(lengths['bpp']), key=results['bpp'].__getitem__)
  meta = content.get('meta')
  meta = dict(meta) if isinstance(meta, dict) else {}
  if len(meta.get('codecs', [])) == len(order):
    meta['codecs'] = _reordered(meta['codecs'], order)
  return Curve(
    name=str(content.get('name', name)),
    description=str(content.get('description', '')),
    meta=meta,
    results={key: _reordered(values, order) for key, values in results.items()},
    images=list(content.get('images', [])),
  )


def _is_list_of_numbers(values):
  if not isinstance(values, list):
    return False
  return all(value is None or isinstance(value, (int, float)) for value in values)


def _reordered(values, order):
  return [values[index] for index in order]


def join(name: str, curves: Iterable[Curve]) -> Curve:
  """Returns one curve of the points of several, such as of codecs evaluated one by one.

  Args:
    name: Name of the curve.
    curves: Curves to join. The curve has the results that all have, and the first one's `meta`.

  Raises:
    CurveError: if they are not of the same images.
  """
  curves = list(curves)
  first = curves[0]
  for curve in curves:
    check_same_images(first, curve)

  codecs = []
  images = []
  for curve in curves:
    codecs += curve.meta.get('codecs', [])
    images += curve.images
  results: dict[str, list[float | None]] = {}
  for key in first.results:
    if all(key in curve.results for curve in curves):
      results[key] = []
      for curve in curves:
        results[key] += curve.results[key]

  content = {
    'name': name,
    'description': first.description,
    'meta': {**first.meta, 'codecs': codecs},
    'results': results,
    'images': images,
  }
  return from_dict(content, name)


def check_same_images(a: Curve, b: Curve) -> None:
  """Refuses curves of different images; curves that do not say of which they are pass.

  Args:
    a: One curve.
    b: The other curve to compare.

  Raises:
    CurveError: naming an image that is not in both.
  """
  counts_a = Counter(a.hashes.values())
  counts_b = Counter(b.hashes.values())
  if not (counts_a and counts_b):
    return
  for name, value in [*a.hashes.items(), *b.hashes.items()]:
    if counts_a[value] != counts_b[value]:
      raise CurveError(f'{a.name} and {b.name} are not of the same images: {name} is not in both')


def _finite(value):
  if isinstance(value, dict):
    return {key: _finite(item) for key, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [_finite(item) for item in value]
  if isinstance(value, float) and not math.isfinite(value):
    return None
  return value
