"""Rate-distortion curves as files, in the format that `compressai.utils.plot` reads.

    {"name", "description", "meta": {...},
     "results": {"bpp": [...], "psnr-rgb": [...], ...},     a mean over images for each rate
     "images": [{"image", "point", "bpp", "psnr-rgb", ...}, ...]}      optional

The lists of `results` are parallel and sorted by bpp, and ours parallel to `meta["codecs"]`. What
has no value is null.
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
  """A file that holds no curve, or a curve without the figures asked for."""


@dataclasses.dataclass(frozen=True)
class Curve:
  """A codec's figures at several rates.

  Attributes:
    name: For legends and tables.
    description: A line on what it is.
    meta: Where it comes from; ours hold `images`, the hashes of the images by name.
    results: Parallel lists, sorted by bpp; None where there is no value.
    images: A dictionary of figures for each image and rate.
  """

  name: str
  description: str
  meta: dict
  results: dict[str, list[float | None]]
  images: list[dict] = dataclasses.field(default_factory=list)

  def points(self, rate: str, quality: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns rates and qualities, float64, by increasing quality.

    Args:
      rate: Key of `results`, such as `bpp`.
      quality: Another, such as `psnr-rgb`; an MS-SSIM is given in dB, -10 log10(1 - MS-SSIM).

    Raises:
      CurveError: if it has no such figures.
    """
    rates, qualities = (
      np.array([math.nan if value is None else value for value in self._column(key)], np.float64)
      for key in (rate, quality)
    )
    if 'ms-ssim' in quality:
      if (qualities > 1).any():
        raise CurveError(f'{self.name} has {quality} beyond 1; it must be 0 to 1, not in dB')
      with np.errstate(divide='ignore'):
        qualities = -10 * np.log10(1 - qualities)
    known = np.isfinite(rates) & np.isfinite(qualities)
    if not known.any():
      raise CurveError(f'{self.name} has no {rate} with {quality}')
    order = np.argsort(qualities[known], kind='stable')
    return rates[known][order], qualities[known][order]

  def anchor_points(self, rate: str, quality: str) -> tuple[np.ndarray, np.ndarray]:
    """As `points`; where it has no surrogate's figures, as a conventional codec, its real ones."""
    if rate not in self.results:
      rate, quality = (key.removeprefix('surrogate-') for key in (rate, quality))
    return self.points(rate, quality)

  def _column(self, key):
    if key not in self.results:
      raise CurveError(f'{self.name} has no {key}; it has {", ".join(self.results)}')
    return self.results[key]

  @property
  def hashes(self) -> dict[str, str]:
    """Hashes of the images by name; empty if the file does not say, as others' do not."""
    images = self.meta.get('images')
    return images if isinstance(images, dict) else {}

  def to_json(self) -> bytes:
    """Returns the file; what is not finite becomes null."""
    content = _finite(dataclasses.asdict(self))
    return json.dumps(content, indent=1, allow_nan=False).encode() + b'\n'


def read_curve(path: str | os.PathLike) -> Curve:
  """Reads a curve.

  Args:
    path: JSON, ours or CompressAI's.

  Raises:
    CurveError: if it holds no curve; says why.
    OSError: if it can't be read.
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
    content: The parsed file.
    name: What the curve is called if the file does not say.

  Raises:
    CurveError: if it has no `results`, or they are no parallel lists of numbers.
  """
  results = content.get('results') if isinstance(content, dict) else None
  if not isinstance(results, dict):
    raise CurveError('it has no "results"')
  for key, values in results.items():
    if not isinstance(values, list) or not all(
      value is None or isinstance(value, (int, float)) for value in values
    ):
      raise CurveError(f'{key} is no list of numbers')
  lengths = {key: len(values) for key, values in results.items()}
  if not results.get('bpp') or None in results['bpp'] or len(set(lengths.values())) != 1:
    raise CurveError(f'results must be parallel lists with bpp among them, not {lengths}')
  order = sorted(range(lengths['bpp']), key=results['bpp'].__getitem__)
  meta = content.get('meta')
  meta = dict(meta) if isinstance(meta, dict) else {}
  if len(meta.get('codecs', [])) == len(order):
    meta['codecs'] = [meta['codecs'][place] for place in order]
  return Curve(
    str(content.get('name', name)),
    str(content.get('description', '')),
    meta,
    {key: [values[place] for place in order] for key, values in results.items()},
    list(content.get('images', [])),
  )


def join(name: str, curves: Iterable[Curve]) -> Curve:
  """Returns one curve of the points of several, such as of codecs evaluated one by one.

  Raises:
    CurveError: if they are not of the same images.
  """
  curves = list(curves)
  for curve in curves:
    check_same_images(curves[0], curve)
  keys = [key for key in curves[0].results if all(key in curve.results for curve in curves)]
  meta = {
    **curves[0].meta,
    'codecs': [codec for curve in curves for codec in curve.meta.get('codecs', [])],
  }
  return from_dict(
    {
      'name': name,
      'description': curves[0].description,
      'meta': meta,
      'results': {key: [value for curve in curves for value in curve.results[key]] for key in keys},
      'images': [row for curve in curves for row in curve.images],
    },
    name,
  )


def check_same_images(a: Curve, b: Curve) -> None:
  """Refuses curves of different images; others' files, which do not say, pass.

  Raises:
    CurveError: naming an image that is not in both.
  """
  counts = Counter(a.hashes.values()), Counter(b.hashes.values())
  if all(counts) and counts[0] != counts[1]:
    other = next(
      name
      for name, content in [*a.hashes.items(), *b.hashes.items()]
      if counts[0][content] != counts[1][content]
    )
    raise CurveError(f'{a.name} and {b.name} are not of the same images: {other} is not in both')


def _finite(value):
  if isinstance(value, dict):
    return {key: _finite(item) for key, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [_finite(item) for item in value]
  return None if isinstance(value, float) and not math.isfinite(value) else value
