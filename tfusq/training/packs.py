"""Packs: folders that hold many photographs in few files, written once by `tfusq pack`.

A pack is made of shards, `photographs-00000.tfrecord` and so on, which are TFRecord files. Each of
their records is a `tf.train.Example` with the bytes of a photograph's file as it was
(`image/encoded`), its name and SHA-256 (`image/filename`, `image/key/sha256`), and its size in
pixels, upright (`image/height`, `image/width`). Beside each shard lie an index for other programs,
`photographs-00000.idx`, whose lines have offset and length of a record, and one for this package,
`photographs-00000.json`. `pack.json` is written last.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tfusq import files
from tfusq.files import AnyPath
from tfusq.image_files import ImageError
from tfusq.training.survey import Photograph

# Its presence tells that a pack is complete.
MARKER = 'pack.json'
VERSION = 1

# Stands for the time of a photograph's last change, since its hash tells of changes.
_NO_TIME = 0


class Entry(NamedTuple):
  """A photograph in a shard.

  Attributes:
    name: Path inside the folder that was packed, with `/`.
    sha256: SHA-256 of its file, hexadecimal.
    bytes: Length of its file.
    height: Number of rows, upright.
    width: Number of columns, upright.
    offset: Place of its file's first byte in the shard.
  """

  name: str
  sha256: str
  bytes: int
  height: int
  width: int
  offset: int


class Shard(NamedTuple):
  """The files of a shard.

  Attributes:
    records: TFRecord file.
    offsets: Index for other programs.
    entries: Index for this package, which is written last.
  """

  records: AnyPath
  offsets: AnyPath
  entries: AnyPath


class Pack:
  """The photographs of a pack, by their names.

  Attributes:
    folder: Folder of the pack.
    files: Paths that the photographs would have in that folder, in the order of the pack.
  """

  def __init__(self, folder: AnyPath):
    """Initializer.

    Args:
      folder: Folder of a pack.

    Raises:
      ImageError: if the pack is damaged, as far as is seen without reading the photographs, or of
        a later version; names the file.
    """
    self.folder = folder
    self.files: list[AnyPath] = []
    self._places: dict[AnyPath, tuple[Shard, Entry]] = {}
    shards, photographs = _read_marker(folder / MARKER)
    for number in range(shards):
      shard = shard_of(folder, number)
      entries = read_entries(shard)
      _require_whole(shard, entries)
      for entry in entries:
        path = folder / entry.name
        self.files.append(path)
        self._places[path] = (shard, entry)

    if not self.files or len(self.files) != photographs:
      raise ImageError(
        f'{folder} is damaged: {MARKER} tells of {photographs} photographs, and its shards of '
        f'{len(self.files)}'
      )

  def read(self, path: AnyPath) -> bytes:
    """Returns the content of a photograph's file.

    Args:
      path: One of `files`.

    Raises:
      ImageError: if it can't be read, or is damaged; names the photograph and its shard.
    """
    shard, entry = self._places[path]
    try:
      data = files.read_part(shard.records, entry.offset, entry.bytes)
    except OSError as error:
      raise ImageError(f'cannot read {entry.name} in {shard.records}: {error}') from error
    if hashlib.sha256(data).hexdigest() != entry.sha256:
      raise ImageError(
        f'{shard.records} is damaged: {entry.name}, at byte {entry.offset}, has not the SHA-256 '
        'that the pack has recorded'
      )
    return data

  def survey(
    self,
    paths: Sequence[AnyPath],
    known: Sequence[Photograph],
    decode: Callable[[AnyPath, bytes], Any],
  ) -> list[Photograph]:
    """Returns what the pack has recorded of photographs, without reading them.

    Args:
      paths: Some of `files`.
      known: Photographs that were read before, which it does not need.
      decode: Function that decodes a photograph, which it does not need.
    """
    del known, decode
    photographs = []
    for path in paths:
      entry = self._places[path][1]
      photographs.append(Photograph(entry.name, entry.bytes, _NO_TIME, entry.sha256))
    return photographs


def is_pack(folder: AnyPath) -> bool:
  """Returns whether a folder is a pack.

  Args:
    folder: Folder, which may be absent.

  Raises:
    ImageError: if it is a pack that is not complete.
  """
  if (folder / MARKER).is_file():
    return True
  if shard_of(folder, 0).records.is_file():
    raise ImageError(f'{folder} is a pack that is not complete; repeat the command that makes it')
  return False


def shard_of(folder: AnyPath, number: int) -> Shard:
  """Returns the files of a shard.

  Args:
    folder: Folder of the pack.
    number: Number of the shard.
  """
  stem = f'photographs-{number:05}'
  return Shard(*(folder / f'{stem}.{suffix}' for suffix in ('tfrecord', 'idx', 'json')))


def read_entries(shard: Shard) -> list[Entry]:
  """Reads what a shard holds.

  Args:
    shard: Files of the shard.

  Raises:
    ImageError: if its index is missing or damaged; names it.
  """
  values = _read_json(shard.entries, lambda content: content['photographs'])
  return _parse(shard.entries, lambda: [Entry(**value) for value in values])


def entries_text(entries: Sequence[Entry]) -> bytes:
  """Returns the index of a shard.

  Args:
    entries: Photographs of the shard, in order.
  """
  return json.dumps({'photographs': [entry._asdict() for entry in entries]}, indent=1).encode()


def marker_text(shards: int, photographs: int) -> bytes:
  """Returns the content of `pack.json`.

  Args:
    shards: Number of shards.
    photographs: Number of photographs.
  """
  content = {'version': VERSION, 'shards': shards, 'photographs': photographs}
  return json.dumps(content, indent=1).encode()


def _read_marker(marker: AnyPath) -> tuple[int, int]:
  """Returns the numbers of shards and of photographs."""
  content = _read_json(marker, lambda content: content)
  version = _parse(marker, lambda: content['version'])
  if version != VERSION:
    raise ImageError(f'{marker} is of version {version}; this tfusq reads version {VERSION}')
  return _parse(marker, lambda: (int(content['shards']), int(content['photographs'])))


def _require_whole(shard: Shard, entries: Sequence[Entry]) -> None:
  """Refuses a shard that is absent, or ends before its last photograph does."""
  end = _parse(
    shard.entries, lambda: max((entry.offset + entry.bytes for entry in entries), default=0)
  )
  if not end:
    return
  try:
    last = files.read_part(shard.records, end - 1, 1)
  except OSError as error:
    raise ImageError(f'the pack lacks {shard.records}: {os.strerror(error.errno or 0)}') from error
  if not last:
    raise ImageError(
      f'{shard.records} is damaged: it has less than the {end} bytes of its photographs'
    )


def _read_json(path: AnyPath, get: Callable[[Any], Any]) -> Any:
  """Reads a file of a pack, and gets what is needed of its content."""
  try:
    data = files.read(path)
  except OSError as error:
    raise ImageError(f'the pack lacks {path}: {os.strerror(error.errno or 0)}') from error
  return _parse(path, lambda: get(json.loads(data)))


def _parse(path: AnyPath, function: Callable[[], Any]) -> Any:
  """Calls a function that reads the content of a file, and names the file if it is damaged."""
  try:
    return function()
  except (ValueError, TypeError, KeyError) as error:
    raise ImageError(f'{path} is damaged: {type(error).__name__} {error}') from error
