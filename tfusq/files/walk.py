"""The files of a folder."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from tfusq.files.paths import AnyPath, RemotePath


def walk(folder: AnyPath) -> list[AnyPath]:
  """Lists the files of a folder and its sub-folders.

  Hidden files and folders, whose names begin with a dot, are left out. Symbolic links are followed;
  what several paths lead to is listed once, by its own path if that is in the folder. Links to
  nothing are listed, pipes and devices are not.

  Args:
    folder: Folder, local or in a store.

  Returns:
    Paths that begin with `folder`, sorted.

  Raises:
    OSError: if the folder, or one in it, can't be read.
  """
  if isinstance(folder, RemotePath):
    return _visible(folder)

  by_place: dict[str, Path] = {}
  for path in _reachable(folder):
    place = os.path.realpath(path)
    is_better = place in by_place and by_place[place].is_symlink() and not path.is_symlink()
    if place not in by_place or is_better:
      by_place[place] = path

  return sorted(by_place.values())


def _visible(folder: RemotePath) -> list[AnyPath]:
  """Returns the files of a folder in a store."""
  paths: list[AnyPath] = []
  for path in folder.files():
    if not any(map(_is_hidden, path.relative_to(folder).parts)):
      paths.append(path)
  return paths


def _reachable(folder: Path) -> Iterator[Path]:
  """Yields the files of a folder, entering no folder twice."""
  waiting = [folder]
  entered = set()

  # Linked folders wait until all others were entered, so that files have their own paths.
  while waiting:
    for current, folders, names in os.walk(waiting.pop(0), onerror=_refuse):
      place = os.path.realpath(current)
      if place in entered:
        folders.clear()
        continue
      entered.add(place)

      parent = Path(current)
      folders[:] = sorted(name for name in folders if not _is_hidden(name))
      waiting += [parent / name for name in folders if (parent / name).is_symlink()]
      for name in sorted(names):
        path = parent / name
        # A link to nothing counts, so that whoever reads the files names it.
        if not _is_hidden(name) and (path.is_file() or not path.exists()):
          yield path


def _is_hidden(name: str) -> bool:
  return name.startswith('.')


def _refuse(error: OSError) -> NoReturn:
  raise error
