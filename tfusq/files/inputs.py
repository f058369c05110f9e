"""Reading a file of this machine, of a store, or from standard input."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

from tfusq.files.paths import AnyPath, RemotePath, to_path

# Names of standard input; the last three would open the file behind it a second time.
_STANDARD_INPUT = ('-', '/dev/stdin', '/dev/fd/0', '/proc/self/fd/0')


def is_standard_input(path: str | os.PathLike) -> bool:
  """Returns whether a path means standard input."""
  # Only as text: the file `-` of the current folder is `Path('-')`.
  return isinstance(path, str) and path in _STANDARD_INPUT


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator[BinaryIO]:
  """Opens a file to read its bytes; one can seek in it.

  Args:
    path: File; `-` is standard input, which is read to its end.

  Yields:
    The open file.

  Raises:
    OSError: if it can't be opened; names `path`.
  """
  if is_standard_input(path):
    yield io.BytesIO(sys.stdin.buffer.read())
    return

  source = to_path(path)
  if isinstance(source, RemotePath):
    yield io.BytesIO(source.read_bytes())
    return

  with source.open('rb') as file:
    # A pipe is read to its end.
    yield file if file.seekable() else io.BytesIO(file.read())


def read_part(path: AnyPath, offset: int, length: int) -> bytes:
  """Returns a part of a file, without reading the rest.

  Args:
    path: File, local or in a store.
    offset: Place of the part's first byte.
    length: Number of bytes; fewer are returned where the file ends before.

  Raises:
    OSError: if it can't be read; names `path`.
  """
  with path.opened() if isinstance(path, RemotePath) else path.open('rb', buffering=0) as file:
    file.seek(offset)
    return file.read(length)


def read(path: str | os.PathLike) -> bytes:
  """Returns the content of a file.

  Args:
    path: File; `-` is standard input.

  Raises:
    OSError: if it can't be read; names `path`.
  """
  with opened(path) as file:
    return file.read()
