"""Evaluation on real bytes: every operating point on every image of a folder, as one curve."""

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np
from absl import logging

from tfusq.curves.curve import Curve
from tfusq.curves.means import PSNR_OF_MEAN, counts, mean
from tfusq.errors import Error
from tfusq.evaluation.failures import EvaluationError, Failure, reason, summary
from tfusq.evaluation.journal import Journal, Row
from tfusq.evaluation.table import COLUMNS
from tfusq.export import primitives
from tfusq.files import AnyPath, to_path
from tfusq.image_files import ImageError, image_hash, list_images, read_image
from tfusq.progress import progress
from tfusq.versions import installed

# Keys of the curve's results, as far as the points have them.
_RESULTS = (*COLUMNS, PSNR_OF_MEAN)

# A job that is stopped for another reason meets the same image twice only by chance.
_MOST_KILLS = 2


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


class Evaluation(NamedTuple):
  """Outcome of an evaluation.

  Attributes:
    curve: The curve, whose results are means over images.
    problems: Reasons of what is left out, a line for each; empty if nothing is.
  """

  curve: Curve
  problems: str


class _Images(NamedTuple):
  """Images of a folder.

  Attributes:
    folder: The folder.
    hashes: Hash of each image that can be read.
  """

  folder: AnyPath
  hashes: dict[AnyPath, str]

  def name(self, path: AnyPath) -> str:
    """Returns the name of an image in tables and files."""
    return str(path.relative_to(self.folder))


def evaluate(
  points: Sequence[Point], folder: str | os.PathLike, name: str, journal: Journal
) -> Evaluation:
  """Evaluates every point on every image of a folder, and reports the progress.

  What fails does not keep the rest from being evaluated. All points of the curve are means over the
  same images: a point that evaluates no image at all is left out, and so is from all means an image
  that fails at one of the other points. The curve's `meta` names both.

  Args:
    points: Operating points.
    folder: Folder of images, sub-folders included.
    name: Name of the curve.
    journal: Journal of finished rows, which are not measured again.

  Returns:
    The curve, and what is left out.

  Raises:
    ImageError: if no image can be read.
    EvaluationError: if no image is evaluated at any point, or none at all of them.
  """
  images, failures = _read_images(folder)
  for path, digest in images.hashes.items():
    if journal.kills(digest):
      logging.warning('%s: the process ended while it was coded, now it comes last', path)

  with progress(len(points) * len(images.hashes), 'image') as update:
    for point in points:
      failures += _measure(point, images, journal, update)

  kept_points = [point for point in points if _has_rows(point, images, journal)]
  return _evaluation(name, points, kept_points, images, failures, journal)


def _has_rows(point: Point, images: _Images, journal: Journal) -> bool:
  """Returns whether a point has evaluated any image."""
  return any(journal.find(point.key, digest) for digest in images.hashes.values())


def _read_images(folder: str | os.PathLike) -> tuple[_Images, list[Failure]]:
  """Returns the images with the hash of each, and the failures of those that can't be read."""
  images = _Images(to_path(folder), {})
  failures = []

  for path in list_images(folder):
    try:
      images.hashes[path] = image_hash(read_image(path))
    except (Error, MemoryError) as error:
      failures.append(Failure(images.name(path), '', reason(error)))

  if not images.hashes:
    raise ImageError('; '.join(failure.reason for failure in failures))
  return images, failures


def _measure(
  point: Point, images: _Images, journal: Journal, update: Callable[[int], None]
) -> list[Failure]:
  """Measures the images of which the journal has no row; returns failures."""
  missing = [
    path for path, digest in images.hashes.items() if journal.find(point.key, digest) is None
  ]
  update(len(images.hashes) - len(missing))
  if not missing:
    return []  # opening a point may load a codec

  # What killed the process may do so again, after all others are done.
  missing.sort(key=lambda path: journal.kills(images.hashes[path]))
  failures = []
  try:
    with point.open() as measure:
      for path in missing:
        problem = _measure_image(point, path, images.hashes[path], measure, journal)
        if problem:
          failures.append(Failure(images.name(path), point.label, problem))
        update(1)
  except (Error, MemoryError) as error:
    failures.append(Failure('', point.label, reason(error)))
  return failures


def _measure_image(
  point: Point, path: AnyPath, digest: str, measure: Measure, journal: Journal
) -> str:
  """Measures an image; returns why it failed, empty if it did not."""
  if journal.kills(digest) >= _MOST_KILLS:
    return f'the process ended {_MOST_KILLS} times while it was coded; is the memory enough?'

  try:
    with journal.attempt(point.key, digest):
      row = measure(read_image(path))
  except (Error, MemoryError) as error:
    return reason(error)
  journal.add(point.key, digest, row)
  return ''


def _evaluation(
  name: str,
  points: Sequence[Point],
  kept_points: Sequence[Point],
  images: _Images,
  failures: Sequence[Failure],
  journal: Journal,
) -> Evaluation:
  """Makes the curve, and says what is not in it."""
  kept = []
  for path, digest in images.hashes.items():
    if all(journal.find(point.key, digest) for point in kept_points):
      kept.append(path)

  left_out_points = [point.label for point in points if point not in kept_points]
  left_out: dict[str, Failure] = {}
  for failure in failures:
    if failure.image and failure.point not in left_out_points:
      left_out.setdefault(failure.image, failure)

  problems = ''
  if failures:
    problems = summary(failures, list(left_out), left_out_points)
  if not (kept and kept_points):
    raise EvaluationError(f'no image is evaluated at all points; {problems}')

  rows = [_rows(point, kept, images, journal) for point in kept_points]
  curve = _curve(name, kept_points, rows, {images.name(path): images.hashes[path] for path in kept})
  curve.meta.update(_meta(left_out, left_out_points, images))
  return Evaluation(curve, problems)


def _meta(
  left_out: dict[str, Failure], left_out_points: list[str], images: _Images
) -> dict[str, Any]:
  """Returns the entries of a curve's `meta` on what is left out, where something is."""
  hashes = {images.name(path): digest for path, digest in images.hashes.items()}
  entries = {}
  for image, failure in left_out.items():
    entries[image] = {'sha256': hashes.get(image), 'reason': str(failure)}

  meta: dict[str, Any] = {}
  if entries:
    meta['left_out'] = entries
  if left_out_points:
    meta['left_out_points'] = left_out_points
  return meta


def _rows(point: Point, paths: Iterable[AnyPath], images: _Images, journal: Journal) -> list[Row]:
  """Returns the rows of a point, one for each image."""
  rows = []
  for path in paths:
    measurements = journal.find(point.key, images.hashes[path])
    assert measurements is not None, path
    rows.append({'image': images.name(path), 'point': point.key, **measurements})
  return rows


def _curve(
  name: str, points: Sequence[Point], rows: list[list[Row]], images: dict[str, str]
) -> Curve:
  """Makes the curve of points in order of their rates."""
  means = [mean(point_rows, _RESULTS) for point_rows in rows]
  order = sorted(range(len(points)), key=lambda index: means[index]['bpp'])

  codecs = []
  image_rows = []
  for index in order:
    point = points[index]
    codec = {'point': point.key, 'label': point.label, **point.description}
    partial = counts(rows[index], COLUMNS)
    if partial:
      codec['means_over'] = partial
    codecs.append(codec)
    image_rows += rows[index]

  results = {}
  for key in _RESULTS:
    if any(key in point_means for point_means in means):
      results[key] = [means[index].get(key) for index in order]

  meta = {
    'versions': installed('numpy', 'Pillow'),
    'machine': f'{platform.machine()}, {os.cpu_count()} threads{primitives.remark()}',
    'images': images,
    'codecs': codecs,
  }
  description = 'real bytes of whole files, 8-bit RGB; means over images'
  return Curve(name, description, meta, results, image_rows)
