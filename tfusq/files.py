"""Files and folders that appear whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


class Exists(FileExistsError):
  """An output that is there already; says how to replace it."""


def check_absent(path: str | os.PathLike, force: bool) -> None:
  """Raises `Exists` if `path` is there and `force` is not set."""
  if os.path.lexists(path) and not force:
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
  check_absent(path, force)
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
def new_folder(path: str | os.PathLike, force: bool = False) -> Iterator[Path]:
  """Gives a folder to fill, and puts it at `path` when that is done.

  Args:
    path: Where the folder is to be.
    force: Whether an existing one may be replaced.

  Yields:
    The folder to fill, beside `path`.

  Raises:
    Exists: if `path` is there and may not be replaced.
  """
  path = Path(path)
  check_absent(path, force)
  path.parent.mkdir(parents=True, exist_ok=True)
  draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=f'.{path.name}.'))
  try:
    os.chmod(draft, 0o777 & ~_umask())
    yield draft
    if os.path.lexists(path):
      old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f'.{path.name}.'))
      os.rename(path, old / 'old')
      os.rename(draft, path)
      shutil.rmtree(old)
    else:
      os.rename(draft, path)
  finally:
    shutil.rmtree(draft, ignore_errors=True)


def _umask() -> int:
  mask = os.umask(0)
  os.umask(mask)
  return mask
