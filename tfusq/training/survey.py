"""Looking at photographs before a run: can all of them be read, and what do their files hold."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from tfusq import files, image_files, progress
from tfusq.files import AnyPath, RemotePath
from tfusq.image_files import ImageError

# Of more photographs, only the headers are read: decoding takes about 10 ms for each megapixel.
_DECODED_AT_MOST = 5000

# Fewer are looked at in an instant.
_SHOWN_FROM = 100

# Length and time of a file in a store, which is read again.
_NO_STAMP = (0, 0)

T = TypeVar('T')


class Photograph(NamedTuple):
  """A photograph as a run records it.

  Attributes:
    name: Path inside the folder of photographs, with `/`.
    bytes: Length of the file.
    modified: Time of the file's last change, in nanoseconds.
    sha256: SHA-256 of the file, hexadecimal.
  """

  name: str
  bytes: int
  modified: int
  sha256: str


def check_headers(paths: Sequence[AnyPath]) -> None:
  """Refuses files that are no images.

  Args:
    paths: Photographs.

  Raises:
    ImageError: if there are such; names all that can't be read.
  """
  try:
    _for_each(_read_header, paths)
  except ImageError:
    # Then the others' bodies as well, to name all in one message.
    if len(paths) <= _DECODED_AT_MOST:
      _for_each(image_files.read_image, paths)
    raise


def look_at(
  folder: AnyPath,
  paths: Sequence[AnyPath],
  known: Sequence[Photograph],
  decode: Callable[[AnyPath, bytes], Any],
) -> list[Photograph]:
  """Reads photographs once, in several threads.

  Args:
    folder: Folder of the photographs.
    paths: Photographs in it.
    known: Photographs that were read before; those of the same name, size and time are not again.
    decode: Function that decodes a photograph, given with the content of its file, or raises
      `ImageError`; only called while there are not too many.

  Returns:
    The photographs in the order of `paths`.

  Raises:
    ImageError: if photographs can't be read; names all of them.
  """
  by_name = {photograph.name: photograph for photograph in known}

  def look(path: AnyPath) -> Photograph:
    name = path.relative_to(folder).as_posix()
    stamp = _stamp(path)
    photograph = by_name.get(name)
    if stamp != _NO_STAMP and photograph and (photograph.bytes, photograph.modified) == stamp:
      return photograph

    data = files.read(path)
    digest = hashlib.sha256(data).hexdigest()
    if len(paths) <= _DECODED_AT_MOST:
      decode(path, data)
    return Photograph(name, *stamp, digest)

  return _for_each(look, paths)


def _stamp(path: AnyPath) -> tuple[int, int]:
  """Returns length and time of a file; not those of a store, which all take a request."""
  if isinstance(path, RemotePath):
    return _NO_STAMP
  status = path.stat()
  return status.st_size, status.st_mtime_ns


def _read_header(path: AnyPath) -> None:
  with image_files.opened(path):
    pass


def _for_each(function: Callable[[AnyPath], T], paths: Sequence[AnyPath]) -> list[T]:
  """Calls a function for each photograph, in several threads.

  Raises:
    ImageError: if it raises `ImageError` or `OSError` for some; has the texts of all of them.
  """
  results: list[T] = []
  errors: list[Exception] = []
  with ThreadPoolExecutor(os.cpu_count()) as pool, _progress(len(paths)) as update:
    for outcome in pool.map(lambda path: _outcome(function, path), paths):
      if isinstance(outcome, Exception):
        errors.append(outcome)
      else:
        results.append(outcome)
      update(1)

  if len(errors) == 1:
    raise ImageError(str(errors[0]))
  if errors:
    texts = '; '.join(str(error) for error in errors)
    raise ImageError(f'{len(errors)} of {len(paths)} photographs cannot be read: {texts}')
  return results


def _outcome(function: Callable[[AnyPath], T], path: AnyPath) -> T | Exception:
  try:
    return function(path)
  except (ImageError, OSError) as error:
    return error


@contextlib.contextmanager
def _progress(count: int) -> Iterator[Callable[[int], None]]:
  """Reports the progress on so many photographs, if there are many."""
  if count < _SHOWN_FROM:
    yield lambda done: None
    return
  with progress.progress(count, 'photograph', 'reading') as update:
    yield update
