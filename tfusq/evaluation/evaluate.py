"""Evaluation on real bytes: every operating point on every image of a folder, as one curve."""

import csv
import importlib.metadata
import io
import json
import math
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np
from tqdm import tqdm

from tfusq import files
from tfusq.curves.curve import Curve
from tfusq.errors import Error
from tfusq.image_files import ImageError, image_hash, list_images, read_image

# Figures of one image, keyed as CompressAI does where it has them: heading, width, format.
FIGURES = {
  'bytes': ('bytes', 9, '.0f'),  # of the whole file
  'bpp': ('bpp', 9, '.4f'),  # of the whole file, bits per pixel
  'coded-bpp': ('coded', 9, '.4f'),  # of the range coder's strings alone
  'estimated-bpp': ('estimate', 10, '.4f'),  # by the entropy models, same symbols
  'psnr-rgb': ('PSNR', 8, '.2f'),  # dB, 8-bit RGB
  'ms-ssim-rgb': ('MS-SSIM', 9, '.4f'),  # 0 to 1, 8-bit RGB
  'encoding_time': ('enc s', 8, '.3f'),  # wall time from pixels to bytes
  'decoding_time': ('dec s', 8, '.3f'),  # wall time from bytes to pixels
  'surrogate-bpp': ('R~', 9, '.4f'),  # rate of the training-time forward, bpp
  'surrogate-psnr-rgb': ('D~, dB', 8, '.2f'),  # its distortion as a PSNR of floats
  'rate-mismatch': ('dR', 9, '.4f'),  # its rate less that of rounding, bpp
  'distortion-mismatch': ('dD', 10, '.3f'),  # its squared error less rounding's, 8 bits
}
PACKAGES = ('tfusq', 'tensorflow', 'tensorflow-compression', 'numpy', 'Pillow')

Row = dict[str, str | float]
Measure = Callable[[np.ndarray], dict[str, float]]


class JournalError(Error, ValueError):
  """A file that is no journal."""


class Point(Protocol):
  """One codec at one rate.

  Attributes:
    key: What a resumed evaluation knows it by; differs wherever a figure may.
    label: For tables.
    description: What the curve's `meta` says of it.
  """

  key: str
  label: str
  description: dict

  def open(self) -> AbstractContextManager[Measure]:
    """Gives a function from an image, `uint8[height, width, 3]`, to its `FIGURES`."""


class Journal:
  """Rows that are finished, kept while an evaluation lasts, so that it can be resumed."""

  def __init__(self, path: str | os.PathLike | None):
    """Reads what an interrupted evaluation left.

    Args:
      path: Where it is kept; None to keep nothing.

    Raises:
      JournalError: if the file there is none.
    """
    self._path = path and Path(path)
    self._rows: dict[tuple[str, str], Row] = {}
    if self._path and self._path.exists():
      *lines, _ = self._path.read_text().split('\n')  # what has no end was cut off
      try:
        for point, image, row in map(json.loads, lines):
          self._rows[point, image] = row
      except (ValueError, TypeError) as error:
        raise JournalError(
          f'{path} is not what an interrupted evaluation leaves: {error}; remove it to begin again'
        ) from error
      files.write(self._path, ''.join(f'{line}\n' for line in lines).encode())

  def find(self, point: str, image: str) -> Row | None:
    """Returns the row of a point, by its key, and an image, by its hash, if it is there."""
    return self._rows.get((point, image))

  def add(self, point: str, image: str, row: Row) -> None:
    """Keeps a row."""
    self._rows[point, image] = row
    if self._path:
      self._path.parent.mkdir(parents=True, exist_ok=True)
      with self._path.open('a') as file:
        file.write(json.dumps([point, image, row]) + '\n')

  def remove(self) -> None:
    """Forgets everything, when the results are written."""
    if self._path:
      self._path.unlink(missing_ok=True)


def evaluate(
  points: Sequence[Point], folder: str | os.PathLike, name: str, journal: Journal
) -> tuple[Curve, list[ImageError]]:
  """Evaluates every point on every image of a folder, with a progress bar.

  Args:
    points: What to evaluate.
    folder: Searched for PNG, JPEG and WebP files.
    name: Of the curve.
    journal: Holds what need not be done again.

  Returns:
    The curve, whose results are means over images, and the errors of what can't be read.

  Raises:
    ImageError: if no image can be read.
    Mismatch: if a decoder does not give its encoder's reconstruction.
  """
  hashes, errors = {}, []
  for path in list_images(folder):
    try:
      hashes[path] = image_hash(read_image(path))
    except ImageError as error:
      errors.append(error)
  if not hashes:
    raise ImageError('; '.join(map(str, errors)))
  rows = []
  with tqdm(total=len(points) * len(hashes), unit='image') as progress:
    for point in points:
      todo = [path for path, content in hashes.items() if journal.find(point.key, content) is None]
      progress.update(len(hashes) - len(todo))
      if todo:
        with point.open() as measure:
          for path in todo:
            journal.add(point.key, hashes[path], measure(read_image(path)))
            progress.update()
      rows.append(
        [
          {
            'image': str(path.relative_to(folder)),
            'point': point.key,
            **journal.find(point.key, content),
          }
          for path, content in hashes.items()
        ]
      )
  images = {str(path.relative_to(folder)): content for path, content in hashes.items()}
  return _curve(name, points, rows, images), errors


def _curve(name, points, rows, images):
  order = sorted(range(len(points)), key=lambda place: mean(rows[place])['bpp'])
  means = [mean(rows[place]) for place in order]
  return Curve(
    name,
    'real bytes of whole files, 8-bit RGB; means over images',
    {
      'versions': {package: importlib.metadata.version(package) for package in PACKAGES},
      'machine': f'{platform.machine()}, {os.cpu_count()} threads',
      'images': images,
      'codecs': [
        {'point': points[place].key, 'label': points[place].label, **points[place].description}
        for place in order
      ],
    },
    {key: [row.get(key) for row in means] for key in FIGURES if any(key in row for row in means)},
    [row for place in order for row in rows[place]],
  )


def mean(rows: Iterable[Row]) -> dict[str, float]:
  """Returns the mean of each figure over images, as the field reports it.

  What an image lacks, as a small one its MS-SSIM, is left out of the mean.
  """
  means = {}
  for key in FIGURES:
    values = [row[key] for row in rows if key in row]
    if values:
      known = [value for value in values if not math.isnan(value)]
      means[key] = float(np.mean(known)) if known else math.nan
  return means


def table(curve: Curve) -> str:
  """Returns a curve as text: each image of a single point, and the means of every point."""
  rows = []
  if len(curve.results['bpp']) == 1:
    rows = [(row['image'], row) for row in curve.images]
  return format_rows([*rows, *((f'mean {row["label"]}', row) for row in _means(curve))])


def _means(curve):
  return [
    {
      'label': codec['label'],
      'point': codec['point'],
      **{key: values[place] for key, values in curve.results.items()},
    }
    for place, codec in enumerate(curve.meta['codecs'])
  ]


def format_rows(rows: Sequence[tuple[str, Row]]) -> str:
  """Returns named rows as text, with the gap, what the strings take beyond the estimate."""
  shown = [key for key in FIGURES if any(key in row for _, row in rows)]
  width = max(24, *(len(name) + 1 for name, _ in rows))
  lines = [f'{"":<{width}}' + ''.join(_cells(shown, lambda key: FIGURES[key][0], 'gap %'))]
  for name, row in rows:

    def cell(key, row=row):
      value = row.get(key)
      return '' if value is None or math.isnan(value) else format(value, FIGURES[key][2])

    estimate = row.get('estimated-bpp')
    gap = f'{100 * (row["coded-bpp"] / estimate - 1):.3f}' if estimate else ''
    lines.append(f'{name:<{width}}' + ''.join(_cells(shown, cell, gap)))
  return '\n'.join(lines)


def _cells(shown, cell, gap):
  for key in shown:
    yield f'{cell(key):>{FIGURES[key][1]}}'
    if key == 'estimated-bpp':
      yield f'{gap:>8}'


def to_csv(curve: Curve) -> bytes:
  """Returns a curve's figures as CSV: a line for each image and point, then the means."""
  labels = {codec['point']: codec['label'] for codec in curve.meta['codecs']}
  buffer = io.StringIO()
  writer = csv.DictWriter(
    buffer, ['label', 'image', *curve.results], extrasaction='ignore', lineterminator='\n'
  )
  writer.writeheader()
  writer.writerows([{'label': labels[row['point']], **row} for row in curve.images])
  writer.writerows([{'image': 'mean', **row} for row in _means(curve)])
  return buffer.getvalue().encode()
