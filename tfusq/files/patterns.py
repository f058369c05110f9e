"""Paths for those who take a path for a pattern."""

import contextlib
import os
import tempfile
from collections.abc import Iterator

from tfusq.files.paths import is_remote, to_path

_SPECIAL = frozenset('*?[\\')


@contextlib.contextmanager
def literal(folder: str | os.PathLike) -> Iterator[str]:
  """Gives a path to a folder that TensorFlow can't take for a pattern.

  TensorFlow looks for checkpoints and codecs by patterns, so that it does not find what lies in
  `run[1]`, and may find what lies beside it. A name that is not UTF-8 it does not take at all.

  Args:
    folder: Folder, which exists.

  Yields:
    The path itself where TensorFlow takes it as it is, else that of a temporary link to it.
  """
  path = str(to_path(folder))
  if is_remote(path) or not _is_special(path):
    yield path
    return

  # The folder for temporary files can have such a name itself.
  parent = '/tmp' if _is_special(tempfile.gettempdir()) else None
  with tempfile.TemporaryDirectory(dir=parent) as temporary:
    link = os.path.join(temporary, 'link')
    os.symlink(os.path.abspath(path), link)
    yield link


def _is_special(path: str) -> bool:
  """Returns whether a path has characters of patterns, or bytes that are not UTF-8."""
  try:
    path.encode()
  except UnicodeEncodeError:
    return True
  return not _SPECIAL.isdisjoint(path)
