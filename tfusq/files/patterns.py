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
  `run[1]`, and may find what lies beside it.

  Args:
    folder: Folder, which exists.

  Yields:
    The path itself where it is no pattern or in a store, else that of a temporary link to it.
  """
  path = str(to_path(folder))
  if is_remote(path) or _SPECIAL.isdisjoint(path):
    yield path
    return

  # The folder for temporary files can have such a name itself.
  parent = None if _SPECIAL.isdisjoint(tempfile.gettempdir()) else '/tmp'
  with tempfile.TemporaryDirectory(dir=parent) as temporary:
    link = os.path.join(temporary, 'link')
    os.symlink(os.path.abspath(path), link)
    yield link
