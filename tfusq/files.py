"""Files and folders that appear whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfusq.errors import Error


class Exists(Error, FileExistsError):
  """An output that is there already; says how to replace it."""


def check_output(
  path: str | os.PathLike, force: bool, source: str | os.PathLike | None = None
) -> None:
  """Refuses a file to be written that is there, a folder, or what it is made from.

  Args:
    path: The file.
    force: Whether an existing file may be replaced.
    source: What it is made from.

  Raises:
    Exists: saying which.
  """
  if os.path.isdir(path):
    raise Exists(f'{path} is a folder; name a file')
  if os.path.lexists(path):
    if source is not None and os.path.exists(source) and os.path.samefile(path, source):
      raise Exists(f'{path} is the input; name another file')
    if not force:
      raise Exists(f'{path} exists; --force replaces it')


def check_folder(path: str | os.PathLike, force: bool, marker: str) -> None:
  """Refuses a folder to be made that is there, unless it is one of its kind and `force` is set.

  Args:
    path: The folder.
    force: Whether an existing one of its kind may be replaced.
    marker: Name of a file that every folder of the kind holds.

  Raises:
    Exists: saying which.
  """
  if os.path.lexists(path):
    if not (Path(path) / marker).is_file():
      raise Exists(f'{path} exists and holds no {marker}; it is not replaced, name another')
    if not force:
      raise Exists(f'{path} exists; --force replaces it')


def write(path: str | os.PathLike, data: bytes, force: bool = True) -> None:
  """Writes a file through a neighbour that is then renamed, its folder made if need be.

  Args:
    path: The file.
    data: Its content.
    force: Whether an existing file may be replaced.

  Raises:
    Exists: if it may not.
  """
  path = Path(path)
  check_output(path, force)
  path.parent.mkdir(parents=True, exist_ok=True)
  handle, name = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
  try:
    with os.fdopen(handle, 'wb') as file:
      file.write(data)
      file.flush()
      os.fsync(file.fileno())
    os.chmod(name, 0o666 & ~_umask())
    os.replace(name, path)
  except BaseException:
    Path(name).unlink(missing_ok=True)
    raise


@contextlib.contextmanager
def new_folder(path: str | os.PathLike, force: bool, marker: str) -> Iterator[Path]:
  """Gives a folder to fill, and puts it at `path` when that is done.

  Args:
    path: Where the folder is to be.
    force: Whether an existing one of its kind may be replaced.
    marker: Name of a file that every folder of the kind holds.

  Yields:
    The folder to fill, beside `path`.

  Raises:
    Exists: if `path` is there and may not be replaced.
  """
  path = Path(path)
  check_folder(path, force, marker)
  path.parent.mkdir(parents=True, exist_ok=True)
  drafts = Path(tempfile.mkdtemp(dir=path.parent, prefix=f'.{path.name}.'))
  draft, old = drafts / 'new', drafts / 'old'
  try:
    draft.mkdir()
    yield draft
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


def _umask() -> int:
  mask = os.umask(0)
  os.umask(mask)
  return mask
