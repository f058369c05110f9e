"""Rows of an evaluation that is not finished, kept in a file so that it can be resumed.

A line is a list of the key of a point, the hash of an image, and the row of measurements; null
where a measurement begins, and false where it ends without a row. What began and never ended
killed the process, as a lack of memory does.
"""

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfusq import files
from tfusq.errors import Error

# Measurements of an image, keyed as `table.COLUMNS`; in tables also the image and its point.
Row = dict[str, Any]


class JournalError(Error, ValueError):
  """A file that is no journal."""


class Journal:
  """Rows that are finished, by the key of a point and the hash of an image."""

  def __init__(self, path: str | os.PathLike | None):
    """Reads what an interrupted evaluation left.

    Args:
      path: The journal's file; None to keep nothing on disk.

    Raises:
      JournalError: if the file is no journal.
    """
    self._path = Path(path) if path else None
    self._rows: dict[tuple[str, str], Row] = {}
    self._kills: Counter[tuple[str, str]] = Counter()
    if self._path and self._path.exists():
      self._read(self._path)

  def _read(self, path: Path) -> None:
    # A process that was killed may have left half a line, without an end.
    *lines, _ = path.read_text().split('\n')
    try:
      for line in lines:
        point, image, row = json.loads(line)
        if row:
          self._rows[point, image] = row
          self._kills.pop((point, image), None)
        else:
          self._kills[point, image] += 1 if row is None else -1
    except (ValueError, TypeError) as error:
      raise JournalError(
        f'{path} is not what an interrupted evaluation leaves: {error}; remove it to begin again'
      ) from error

    # Without the half line, so that the next row begins a line of its own.
    files.write(path, ''.join(f'{line}\n' for line in lines).encode())

  def find(self, point: str, image: str) -> Row | None:
    """Returns a row, or None if it is not finished.

    Args:
      point: Key of the point.
      image: Hash of the image.
    """
    return self._rows.get((point, image))

  def kills(self, image: str) -> int:
    """Returns how often the process was killed while it measured an image, over all points.

    Args:
      image: Hash of the image.
    """
    return sum(count for (_, other), count in self._kills.items() if other == image)

  @contextlib.contextmanager
  def attempt(self, point: str, image: str) -> Iterator[None]:
    """Notes that a measurement begins, and when an exception ends it.

    Args:
      point: Key of the point.
      image: Hash of the image.
    """
    self._append(point, image, None)
    try:
      yield
    except BaseException:
      self._append(point, image, False)
      raise

  def add(self, point: str, image: str, row: Row) -> None:
    """Keeps a row.

    Args:
      point: Key of the point.
      image: Hash of the image.
      row: Measurements of the image.
    """
    self._rows[point, image] = row
    self._append(point, image, row)

  def _append(self, point: str, image: str, entry: Row | bool | None) -> None:
    if self._path:
      self._path.parent.mkdir(parents=True, exist_ok=True)
      with self._path.open('a') as file:
        file.write(json.dumps([point, image, entry]) + '\n')

  def remove(self) -> None:
    """Removes the file, once the results are written."""
    if self._path:
      self._path.unlink(missing_ok=True)
