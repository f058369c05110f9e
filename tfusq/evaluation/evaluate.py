"""Evaluation on real bytes: every operating point on every image of a folder, as one curve."""

import os
import platform
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tfusq.curves.curve import Curve
from tfusq.evaluation.journal import Journal, Row
from tfusq.evaluation.table import COLUMNS, mean
from tfusq.image_files import ImageError, image_hash, list_images, read_image
from tfusq.progress import progress
from tfusq.versions import installed

# From an image, `uint8[height, width, 3]`, to measurements, keyed as `COLUMNS`.
Measure = Callable[[np.ndarray], dict[str, float]]


class Point(Protocol):
  """One codec at one rate.

  Attributes:
    key: Name of the point in a journal; differs wherever a measurement may.
    label: Name of the point in tables.
    description: Entry of the point in the curve's `meta`, JSON-serializable.
  """

  key: str
  label: str
  description: dict[str, Any]

  def open(self) -> AbstractContextManager[Measure]:
    """Returns a context that gives the function from an image to its measurements."""


def evaluate(
  points: Sequence[Point], folder: str | os.PathLike, name: str, journal: Journal
) -> tuple[Curve, list[ImageError]]:
  """Evaluates every point on every image of a folder, and reports the progress.

  Args:
    points: Operating points.
    folder: Folder that is searched for PNG, JPEG and WebP files.
    name: Name of the curve.
    journal: Journal of finished rows, which are not measured again.

  Returns:
    The curve, whose results are means over images, and the errors of images that can't be read.

  Raises:
    ImageError: if no image can be read.
    Mismatch: if a decoder does not give its encoder's reconstruction.
  """
  hashes, errors = _hash_images(folder)
  rows = []

  with progress(len(points) * len(hashes), 'image') as update:
    for point in points:
      _measure(point, hashes, journal, update)
      rows.append(_rows(point, hashes, folder, journal))

  images = {str(path.relative_to(folder)): digest for path, digest in hashes.items()}
  return _curve(name, points, rows, images), errors


def _hash_images(folder: str | os.PathLike) -> tuple[dict[Path, str], list[ImageError]]:
  """Returns the hash of each image that can be read, and the errors of the others."""
  hashes = {}
  errors = []

  for path in list_images(folder):
    try:
      hashes[path] = image_hash(read_image(path))
    except ImageError as error:
      errors.append(error)

  if not hashes:
    raise ImageError('; '.join(map(str, errors)))
  return hashes, errors


def _measure(
  point: Point, hashes: dict[Path, str], journal: Journal, update: Callable[[int], None]
) -> None:
  """Measures the images of which the journal has no row."""
  missing = [path for path, digest in hashes.items() if journal.find(point.key, digest) is None]
  update(len(hashes) - len(missing))
  if not missing:
    return  # opening a point may load a codec

  with point.open() as measure:
    for path in missing:
      journal.add(point.key, hashes[path], measure(read_image(path)))
      update(1)


def _rows(
  point: Point, hashes: dict[Path, str], folder: str | os.PathLike, journal: Journal
) -> list[Row]:
  """Returns the rows of a point, one for each image."""
  rows = []
  for path, digest in hashes.items():
    measurements = journal.find(point.key, digest)
    assert measurements is not None, path
    rows.append({'image': str(path.relative_to(folder)), 'point': point.key, **measurements})
  return rows


def _curve(
  name: str, points: Sequence[Point], rows: list[list[Row]], images: dict[str, str]
) -> Curve:
  """Makes the curve of points in order of their rates."""
  means = [mean(point_rows) for point_rows in rows]
  order = sorted(range(len(points)), key=lambda index: means[index]['bpp'])

  codecs = []
  image_rows = []
  for index in order:
    point = points[index]
    codecs.append({'point': point.key, 'label': point.label, **point.description})
    image_rows += rows[index]

  results = {}
  for key in COLUMNS:
    if any(key in point_means for point_means in means):
      results[key] = [means[index].get(key) for index in order]

  meta = {
    'versions': installed('numpy', 'Pillow'),
    'machine': f'{platform.machine()}, {os.cpu_count()} threads',
    'images': images,
    'codecs': codecs,
  }
  description = 'real bytes of whole files, 8-bit RGB; means over images'
  return Curve(name, description, meta, results, image_rows)
