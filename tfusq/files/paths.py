"""What the text of a path means: a local file, or one in a store such as `gs://` or `ram://`.

Stores are read and written by `tf.io.gfile`, which knows the schemes; TensorFlow is imported when
the first of them is used.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from tfusq.errors import Error

_SCHEME = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*://')


class PathError(Error, ValueError):
  """A path that can't be used for its purpose."""


def is_remote(path: str | os.PathLike) -> bool:
  """Returns whether a path names its store, as `gs://bucket/run` does."""
  return bool(_SCHEME.match(os.fspath(path)))


def to_path(path: str | os.PathLike) -> AnyPath:
  """Returns a path with the methods of `pathlib.Path`, local or in a store.

  Args:
    path: Text as a user writes it, where a leading `~` is the home directory and a scheme such as
      `gs://` names a store of `tf.io.gfile`; or a path, which is returned as it is.
  """
  if isinstance(path, AnyPath):
    return path
  text = os.fspath(path)
  return RemotePath(text) if is_remote(text) else Path(os.path.expanduser(text))


def local_path(path: str | os.PathLike) -> Path:
  """Returns a path of this machine.

  Args:
    path: Text as a user writes it, where a leading `~` is the home directory; or a path.

  Raises:
    PathError: if the path names a store.
  """
  result = to_path(path)
  if isinstance(result, RemotePath):
    raise PathError(f'{path} is in a store, where only runs, codecs and images can be')
  return result


def same_file(one: str | os.PathLike, other: str | os.PathLike) -> bool:
  """Returns whether two paths lead to one file or folder, which exists."""
  first = to_path(one)
  second = to_path(other)
  if isinstance(first, RemotePath) or isinstance(second, RemotePath):
    return first == second
  return first.exists() and second.exists() and first.samefile(second)


@functools.total_ordering
class RemotePath(os.PathLike):
  """A file or folder in a store, such as `gs://bucket/run` or `ram://run`.

  The methods do what those of `pathlib.Path` do. Errors of the store are raised as `OSError`, with
  the path as the name of the file.
  """

  def __init__(self, path: str):
    """Initializer.

    Args:
      path: Path with a scheme.
    """
    scheme, _, rest = path.partition('://')
    self._scheme = f'{scheme}://'
    self._path = PurePosixPath(rest)

  def __str__(self) -> str:
    return self._scheme + ('' if self._path == PurePosixPath() else str(self._path))

  def __repr__(self) -> str:
    return f'RemotePath({str(self)!r})'

  def __fspath__(self) -> str:
    return str(self)

  def __truediv__(self, name: str | os.PathLike) -> RemotePath:
    return self._with(self._path / name)

  def __eq__(self, other: object) -> bool:
    return isinstance(other, RemotePath) and str(self) == str(other)

  def __lt__(self, other: RemotePath) -> bool:
    return str(self) < str(other)

  def __hash__(self) -> int:
    return hash(str(self))

  @property
  def name(self) -> str:
    """Name without the folders."""
    return self._path.name

  @property
  def stem(self) -> str:
    """Name without its suffix."""
    return self._path.stem

  @property
  def suffix(self) -> str:
    """Suffix of the name, such as `.png`."""
    return self._path.suffix

  @property
  def parent(self) -> RemotePath:
    """Folder that holds it."""
    return self._with(self._path.parent)

  def with_suffix(self, suffix: str) -> RemotePath:
    """Returns the path with another suffix."""
    return self._with(self._path.with_suffix(suffix))

  def relative_to(self, folder: os.PathLike) -> PurePosixPath:
    """Returns the path inside a folder; ValueError if it is not there."""
    if not isinstance(folder, RemotePath) or folder._scheme != self._scheme:
      raise ValueError(f'{self} is not in {folder}')
    return self._path.relative_to(folder._path)

  def exists(self) -> bool:
    """Returns whether there is such a file or folder."""
    with self._errors() as gfile:
      return gfile.exists(str(self))

  def is_dir(self) -> bool:
    """Returns whether it is a folder."""
    with self._errors() as gfile:
      return gfile.isdir(str(self))

  def is_file(self) -> bool:
    """Returns whether it is a file."""
    return self.exists() and not self.is_dir()

  def iterdir(self) -> Iterator[RemotePath]:
    """Yields what the folder holds."""
    with self._errors() as gfile:
      names = gfile.listdir(str(self))
    for name in names:
      # Some stores mark folders by a slash at the end.
      yield self / name.rstrip('/')

  def files(self) -> list[RemotePath]:
    """Returns the files of the folder and its sub-folders, sorted."""
    paths = []
    with self._errors() as gfile:
      for folder, _, names in gfile.walk(str(self)):
        paths += [RemotePath(folder) / name for name in names]
    return sorted(paths)

  @contextlib.contextmanager
  def opened(self) -> Iterator[Any]:
    """Gives the file, open to read its bytes."""
    with self._errors() as gfile, gfile.GFile(str(self), 'rb') as file:
      yield file

  def read_bytes(self) -> bytes:
    """Returns the content of the file."""
    with self.opened() as file:
      return file.read()

  def read_text(self, encoding: str = 'utf-8') -> str:
    """Returns the content of the file as text."""
    return self.read_bytes().decode(encoding)

  def write_bytes(self, data: bytes) -> None:
    """Writes the file."""
    # Some stores, `ram://` among them, would write behind what is there.
    self.unlink(missing_ok=True)
    with self._errors() as gfile, gfile.GFile(str(self), 'wb') as file:
      file.write(data)

  def write_text(self, text: str, encoding: str = 'utf-8') -> None:
    """Writes the file as text."""
    self.write_bytes(text.encode(encoding))

  def touch(self) -> None:
    """Makes an empty file, where there is none."""
    if not self.exists():
      self.write_bytes(b'')

  def mkdir(self, parents: bool = True, exist_ok: bool = True) -> None:
    """Makes the folder and those above it, where they are missing."""
    del parents, exist_ok  # a store makes what is missing, and keeps what exists
    with self._errors() as gfile:
      gfile.makedirs(str(self))

  def replace(self, target: RemotePath) -> None:
    """Moves the file to another path of the store, where it replaces a file."""
    with self._errors() as gfile:
      gfile.rename(str(self), str(target), overwrite=True)

  def unlink(self, missing_ok: bool = False) -> None:
    """Removes the file."""
    if missing_ok and not self.exists():
      return
    with self._errors() as gfile:
      gfile.remove(str(self))

  def rmtree(self) -> None:
    """Removes the folder with all that it holds."""
    with self._errors() as gfile:
      gfile.rmtree(str(self))

  def _with(self, path: PurePosixPath) -> RemotePath:
    return RemotePath(f'{self._scheme}{path}')

  @contextlib.contextmanager
  def _errors(self) -> Iterator[Any]:
    """Gives `tf.io.gfile`, and raises its errors as `OSError`."""
    import tensorflow as tf

    try:
      yield tf.io.gfile
    except tf.errors.NotFoundError as error:
      raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(self)) from error
    except (tf.errors.PermissionDeniedError, tf.errors.UnauthenticatedError) as error:
      raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(self)) from error
    except tf.errors.OpError as error:
      message = ' '.join(error.message.split())
      raise OSError(errno.EIO, message, str(self)) from error


AnyPath = Path | RemotePath
