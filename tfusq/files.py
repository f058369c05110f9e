"""Files and folders that are written completely or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfusq.errors import Error


class Exists(Error, FileExistsError):
  """An output that exists already; says how to replace it."""


def check_output(
  path: str | os.PathLike, force: bool, source: str | os.PathLike | None = None
) -> None:
  """Raises if a file may not be written.

  Args:
    path: File to write.
    force: Whether an existing file may be replaced.
    source: File from which it is made, which is never replaced.

  Raises:
    Exists: if `path` is a folder, is `source`, or exists and may not be replaced.
  """
  if os.path.isdir(path):
    raise Exists(f'{path} is a folder; name a file')
  if not os.path.lexists(path):
    return

  if source is not None and os.path.exists(source) and os.path.samefile(path, source):
    raise Exists(f'{path} is the input; name another file')
  if not force:
    raise Exists(f'{path} exists; --force replaces it')


def check_folder(path: str | os.PathLike, force: bool, marker: str) -> None:
  """Raises if a folder may not be made.

  An existing folder is replaced only if it was made for the same purpose, which its marker tells.

  Args:
    path: Folder to make.
    force: Whether an existing folder with the marker may be replaced.
    marker: Name of a file that every folder made for this purpose holds.

  Raises:
    Exists: if `path` exists and may not be replaced.
  """
  if not os.path.lexists(path):
    return

  if not (Path(path) / marker).is_file():
    raise Exists(f'{path} exists and holds no {marker}; it is not replaced, name another')
  if not force:
    raise Exists(f'{path} exists; --force replaces it')


def write(path: str | os.PathLike, data: bytes, force: bool = True) -> None:
  """Writes a file; if that fails, no part of it is left and an existing file is unchanged.

  Args:
    path: File to write; its folder is made if need be.
    data: Content of the file.
    force: Whether an existing file may be replaced.

  Raises:
    Exists: if `path` exists and may not be replaced, or is a folder.
  """
  path = Path(path)
  check_output(path, force)
  path.parent.mkdir(parents=True, exist_ok=True)

  # The draft lies in the same folder, because only within a file system is a rename atomic.
  handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
  try:
    with os.fdopen(handle, 'wb') as file:
      file.write(data)
      file.flush()
      os.fsync(file.fileno())
    # `mkstemp` lets only the owner read.
    os.chmod(draft, 0o666 & ~_umask())
    os.replace(draft, path)
  except BaseException:
    Path(draft).unlink(missing_ok=True)
    raise


@contextlib.contextmanager
def new_folder(path: str | os.PathLike, force: bool, marker: str) -> Iterator[Path]:
  """Gives a folder to fill, and moves it to `path` when the context is left without an exception.

  Args:
    path: Folder to make.
    force: Whether an existing folder with the marker may be replaced.
    marker: Name of a file that every folder made for this purpose holds.

  Yields:
    The folder to fill, next to `path`.

  Raises:
    Exists: if `path` exists and may not be replaced.
  """
  path = Path(path)
  check_folder(path, force, marker)
  path.parent.mkdir(parents=True, exist_ok=True)

  drafts = Path(tempfile.mkdtemp(dir=path.parent, prefix=f'.{path.name}.'))
  draft = drafts / 'new'
  old = drafts / 'old'
  try:
    draft.mkdir()
    yield draft
    # A folder that is not empty can't be replaced by a rename; the old one is moved away first.
    if os.path.lexists(path):
      os.rename(path, old)
    try:
      os.rename(draft, path)
    except OSError:
      if old.exists():
        os.rename(old, path)
      raise
  finally:
    shutil.rmtree(drafts, ignore_errors=True)


@contextlib.contextmanager
def literal(folder: str | os.PathLike) -> Iterator[str]:
  """Gives a path to a folder that TensorFlow can't take for a pattern.

  TensorFlow looks for checkpoints and codecs by patterns, so that it does not find what lies in
  `run[1]`, and may find what lies beside it.

  Args:
    folder: Folder, which exists.

  Yields:
    The path itself where it is no pattern, else that of a temporary link to the folder.
  """
  if not _is_pattern(os.fspath(folder)):
    yield os.fspath(folder)
    return

  # The folder for temporary files can have such a name itself.
  parent = '/tmp' if _is_pattern(tempfile.gettempdir()) else None
  with tempfile.TemporaryDirectory(dir=parent) as temporary:
    link = os.path.join(temporary, 'link')
    os.symlink(os.path.abspath(folder), link)
    yield link


def _is_pattern(path: str) -> bool:
  return not set('*?[\\').isdisjoint(path)


def _umask() -> int:
  """Returns the process's mask of permissions, which can only be read by setting it."""
  mask = os.umask(0)
  os.umask(mask)
  return mask
