"""Progress of long loops: a bar on a terminal, a few lines in a log."""

import contextlib
import sys
import time
from collections.abc import Callable, Collection, Iterator
from typing import TextIO, TypeVar

from tqdm import tqdm

# A log gets one line for each tenth of the work.
_LINES = 10

T = TypeVar('T')


def track(
  items: Collection[T], unit: str, description: str = '', stream: TextIO | None = None
) -> Iterator[T]:
  """Iterates over items and reports the progress.

  Args:
    items: Items to iterate over.
    unit: Name of one item, in the singular.
    description: Name of the work, shown before the numbers.
    stream: Stream to report to; standard error if None.

  Yields:
    The items in order.
  """
  with progress(len(items), unit, description, stream) as update:
    for item in items:
      yield item
      update(1)


@contextlib.contextmanager
def progress(
  total: int, unit: str, description: str = '', stream: TextIO | None = None
) -> Iterator[Callable[[int], None]]:
  """Reports the progress of work that is counted by its caller.

  Args:
    total: Number of items.
    unit: Name of one item, in the singular.
    description: Name of the work, shown before the numbers.
    stream: Stream to report to; standard error if None.

  Yields:
    A function to call with the number of items that were finished since the last call.
  """
  stream = sys.stderr if stream is None else stream
  if stream.isatty():
    with tqdm(total=total, unit=unit, desc=description or None, file=stream) as bar:
      yield bar.update
  else:
    yield _Log(total, unit, description, stream).update


class _Log:
  """Writes a line whenever another tenth of the work is finished."""

  def __init__(self, total: int, unit: str, description: str, stream: TextIO):
    self._total = total
    self._unit = unit
    self._label = f'{description}: ' if description else ''
    self._stream = stream
    self._start = time.monotonic()
    self._done = 0
    self._tenths = 0

  def update(self, count: int) -> None:
    """Counts finished items."""
    self._done += count
    tenths = _LINES * self._done // max(1, self._total)
    if tenths > self._tenths:
      self._tenths = tenths
      elapsed = tqdm.format_interval(time.monotonic() - self._start)
      line = f'{self._label}{self._done} of {self._total} {self._unit}s, {elapsed}'
      print(line, file=self._stream, flush=True)
