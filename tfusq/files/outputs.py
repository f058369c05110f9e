"""Files and folders that are written completely or not at all.

A symbolic link is followed. Pipes and character devices, which cannot be replaced, are written to,
and `-` is standard output.
"""

import contextlib
import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfusq.errors import Error
from tfusq.files.paths import AnyPath, RemotePath, same_file, to_path

# Names of standard output; the last three would open the file behind it a second time.
_STANDARD_OUTPUT = ('-', '/dev/stdout', '/dev/fd/1', '/proc/self/fd/1')
# Short, so that every name that the file system allows has a draft. Hidden, so that no command
# takes what a killed process left for a file of its user's.
_DRAFT = '.tfusq-'


class Exists(Error, FileExistsError):
  """An output that exists already; says how to replace it."""


def is_standard_output(path: str | os.PathLike) -> bool:
  """Returns whether a path means standard output."""
  # Only as text: the file `-` of the current folder is `Path('-')`.
  return isinstance(path, str) and path in _STANDARD_OUTPUT


def check_output(
  path: str | os.PathLike, force: bool, source: str | os.PathLike | None = None
) -> None:
  """Raises if a file may not be written.

  Args:
    path: File to write; `-` is standard output.
    force: Whether an existing file may be replaced.
    source: File from which it is made, which is never replaced.

  Raises:
    Exists: if `path` is a folder, is `source`, or exists and may not be replaced.
    OSError: if `path` is a block device, a socket or a circle of symbolic links.
  """
  if is_standard_output(path):
    return

  target = to_path(path)
  if target.is_dir():
    raise Exists(f'{path} is a folder; name a file')
  if is_stream(target) or not target.exists():
    return

  if source is not None and same_file(target, source):
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
    OSError: if `path` is a circle of symbolic links.
  """
  target = to_path(path)
  if isinstance(target, Path):
    target = _resolved(target)
  if not target.exists():
    return

  if not (target / marker).is_file():
    raise Exists(f'{path} exists and holds no {marker}; it is not replaced, name another')
  if not force:
    raise Exists(f'{path} exists; --force replaces it')


def write(path: str | os.PathLike, data: bytes, force: bool = True) -> None:
  """Writes a file; if that fails, no part of it is left and an existing file is unchanged.

  Args:
    path: File to write; its folder is made if need be. `-` is standard output.
    data: Content of the file.
    force: Whether an existing file may be replaced.

  Raises:
    Exists: if `path` exists and may not be replaced, or is a folder.
    OSError: if it can't be written; names `path`.
  """
  check_output(path, force)

  with _naming(path):
    if is_standard_output(path):
      sys.stdout.flush()
      sys.stdout.buffer.write(data)
      sys.stdout.buffer.flush()
      return

    target = to_path(path)
    if isinstance(target, RemotePath):
      _replace_remote(target, data)
    elif is_stream(target):
      target.write_bytes(data)
    else:
      _replace(_resolved(target), data)


@contextlib.contextmanager
def draft_of(target: AnyPath) -> Iterator[AnyPath]:
  """Gives a file to write in pieces, which becomes another if the context has no exception.

  Args:
    target: File to make or to replace, in a folder that exists.

  Yields:
    The file to write, next to `target`.

  Raises:
    OSError: if it can't be moved.
  """
  name = f'{_DRAFT}{os.urandom(8).hex()}'
  if isinstance(target, RemotePath):
    remote_draft = target.parent / name
    try:
      yield remote_draft
      remote_draft.replace(target)
    finally:
      remote_draft.unlink(missing_ok=True)
    return

  draft = target.parent / name
  try:
    yield draft
    with draft.open('rb') as file:
      os.fsync(file.fileno())
    draft.replace(target)
  finally:
    draft.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: str | os.PathLike, force: bool, marker: str) -> Iterator[AnyPath]:
  """Gives a folder to fill, and moves it to `path` when the context is left without an exception.

  Args:
    path: Folder to make.
    force: Whether an existing folder with the marker may be replaced.
    marker: Name of a file that every folder made for this purpose holds.

  Yields:
    The folder to fill, next to `path`.

  Raises:
    Exists: if `path` exists and may not be replaced.
    OSError: if it can't be written; names `path`.
  """
  check_folder(path, force, marker)
  target = to_path(path)

  if isinstance(target, RemotePath):
    draft = target.parent / f'{_DRAFT}{os.urandom(8).hex()}'
    draft.mkdir()
    try:
      yield draft
      _move_remote_folder(draft, target, marker)
    finally:
      draft.rmtree()
    return

  target = _resolved(target)
  with _naming(path):
    _make_folder(target.parent)
    drafts = Path(tempfile.mkdtemp(dir=target.parent, prefix=_DRAFT))
  try:
    (drafts / 'new').mkdir()
    yield drafts / 'new'
    with _naming(path):
      _exchange(drafts / 'new', target, drafts / 'old')
  finally:
    shutil.rmtree(drafts, ignore_errors=True)


def _replace(target: Path, data: bytes) -> None:
  """Writes a local file in place of another, whose owner and permissions it keeps."""
  _make_folder(target.parent)

  # The draft lies in the same folder, because only within a file system is a rename atomic.
  draft = target.parent / f'{_DRAFT}{os.urandom(8).hex()}'
  try:
    # `open` gives a new file the permissions that the process's mask and the folder ask for.
    with draft.open('xb') as file:
      file.write(data)
      file.flush()
      os.fsync(file.fileno())
    if target.exists():
      _copy_permissions(target, draft)
    draft.replace(target)
  except BaseException:
    draft.unlink(missing_ok=True)
    raise


def _make_folder(folder: Path) -> None:
  """Makes a folder and those above it, where they are missing."""
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except FileExistsError as error:
    raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error


def _replace_remote(target: RemotePath, data: bytes) -> None:
  """Writes a file of a store in place of another."""
  target.parent.mkdir()
  draft = target.parent / f'{_DRAFT}{os.urandom(8).hex()}'
  try:
    draft.write_bytes(data)
    draft.replace(target)
  finally:
    draft.unlink(missing_ok=True)


def _exchange(draft: Path, target: Path, old: Path) -> None:
  """Moves a folder to its place, and what was there to `old`, or back if that fails."""
  # A folder that is not empty can't be replaced by a rename; the old one is moved away first.
  if target.exists():
    _copy_permissions(target, draft)
    target.rename(old)
  try:
    draft.rename(target)
  except OSError:
    if old.exists():
      old.rename(target)
    raise


def _move_remote_folder(draft: RemotePath, target: RemotePath, marker: str) -> None:
  """Moves a folder file by file, since stores cannot rename folders as a whole.

  A folder without its marker counts as none: the marker goes first from the old folder, and comes
  last into the new one.
  """
  if target.exists():
    (target / marker).unlink(missing_ok=True)
    target.rmtree()

  paths = draft.files()
  for path in sorted(paths, key=lambda path: path == draft / marker):
    moved = target / path.relative_to(draft)
    moved.parent.mkdir()
    path.replace(moved)


def _copy_permissions(source: Path, target: Path) -> None:
  """Gives a file the permissions of another, and its owner as far as the process may."""
  status = source.stat()
  with contextlib.suppress(PermissionError):
    os.chown(target, status.st_uid, status.st_gid)
  # After the owner, since a change of owner clears some permissions.
  os.chmod(target, stat.S_IMODE(status.st_mode))


def is_stream(path: AnyPath) -> bool:
  """Returns whether a path is a pipe or a character device, which are written to as they are.

  Raises:
    OSError: if it is a block device or a socket, which are not written to.
  """
  if isinstance(path, RemotePath):
    return False
  try:
    mode = path.stat().st_mode
  except (FileNotFoundError, NotADirectoryError):
    return False

  if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
    kind = 'block device' if stat.S_ISBLK(mode) else 'socket'
    raise OSError(errno.EINVAL, f'is a {kind}; name a file', str(path))
  return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _resolved(path: Path) -> Path:
  """Returns where symbolic links lead; OSError if that is in a circle."""
  resolved = Path(os.path.realpath(path))
  if resolved.is_symlink():
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
  return resolved


@contextlib.contextmanager
def _naming(path: str | os.PathLike) -> Iterator[None]:
  """Names a path in the errors of writing it, which would name a draft or nothing."""
  try:
    yield
  except BrokenPipeError:
    raise
  except OSError as error:
    if error.errno is None:
      raise
    raise OSError(error.errno, error.strerror, os.fspath(path)) from error
