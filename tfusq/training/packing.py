"""Packing photographs: from a folder to shards, of which whole ones are kept for the next call."""

import contextlib
import errno
import functools
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import tensorflow as tf

from tfusq import files, image_files, progress
from tfusq.files import AnyPath, RemotePath
from tfusq.image_files import ImageError
from tfusq.training import decoding, packs
from tfusq.training.packs import Entry, Shard

# Bytes of a record in front of an example, with its length, and behind it, with its checksum.
_BEFORE = 12
_BEHIND = 4

# Parts of a pack, of which shards have a number, and drafts of them.
_OURS = re.compile(r'photographs-(\d{5,})\.(?:tfrecord|idx|json)|pack\.json|\.tfusq-.*')

_THREADS = os.cpu_count() or 1


class Packed(NamedTuple):
  """What a pack holds.

  Attributes:
    photographs: Number of photographs.
    bytes: Length of their files.
    shards: Number of shards.
  """

  photographs: int
  bytes: int
  shards: int


class _Photograph(NamedTuple):
  """A photograph that is to be packed."""

  name: str
  data: bytes
  sha256: str
  height: int
  width: int


def pack(folder: str, out: str, shard_bytes: int, force: bool = False) -> Packed:
  """Packs the photographs of a folder, each of which is decoded once.

  Whole shards of an interrupted call are kept, where the photographs in them are those of the
  folder still, in name, length and time.

  Args:
    folder: Folder of images, sub-folders included.
    out: Folder of the pack.
    shard_bytes: Length of the photographs' files at which a shard is full.
    force: Whether a complete pack may be replaced.

  Raises:
    ImageError: if the folder is a pack, or photographs can't be read; names all of them. The shards
      of the others are kept.
    Exists: if `out` exists and may not be replaced.
    OSError: if a file can't be written; names it.
  """
  if packs.is_pack(files.to_path(folder)):
    raise ImageError(f'{folder} is a pack already; give the folder of the photographs')
  paths = image_files.list_images(folder)
  target = files.to_path(out)
  _prepare(target, force)

  bar = progress.progress(len(paths), 'photograph', 'packing')
  with ThreadPoolExecutor(_THREADS) as pool, bar as update:
    packing = _Packing(files.to_path(folder), target, shard_bytes, pool, update)
    packing.write(paths)

  if packing.errors:
    raise ImageError(
      f'{len(packing.errors)} of {len(paths)} photographs cannot be read, mend or remove them and '
      f'repeat the command: {"; ".join(packing.errors)}'
    )
  _remove_shards(target, packing.shards)
  files.write(target / packs.MARKER, packs.marker_text(packing.shards, len(paths)))
  return Packed(len(paths), packing.bytes, packing.shards)


class _Packing:
  """Writes shard by shard.

  Attributes:
    errors: Texts about photographs that cannot be read, which are left out.
    shards: Number of whole shards.
    bytes: Length of the files in them.
  """

  def __init__(
    self,
    source: AnyPath,
    target: AnyPath,
    shard_bytes: int,
    pool: ThreadPoolExecutor,
    update: Callable[[int], object],
  ):
    self.errors: list[str] = []
    self.shards = 0
    self.bytes = 0
    self._source = source
    self._target = target
    self._shard_bytes = shard_bytes
    self._pool = pool
    self._update = update
    self._ahead: dict[AnyPath, Future] = {}

  def write(self, paths: Sequence[AnyPath]) -> None:
    """Packs photographs, or finds them packed."""
    done = 0
    while done < len(paths):
      remaining = paths[done:]
      shard = packs.shard_of(self._target, self.shards)
      entries = self._kept(shard, remaining)
      if entries:
        done += len(entries)
        self._update(len(entries))
      else:
        # Before the first file is replaced, since what was there is no shard any more.
        shard.entries.unlink(missing_ok=True)
        used, photographs = self._gather(remaining)
        done += used
        if photographs:
          entries = _write(shard, photographs)

      if entries:
        self.shards += 1
        self.bytes += sum(entry.bytes for entry in entries)

  def _kept(self, shard: Shard, paths: Sequence[AnyPath]) -> list[Entry]:
    """Returns what a shard holds if it is whole and begins with the next photographs."""
    if not shard.entries.is_file():
      return []
    try:
      entries = packs.read_entries(shard)
    except ImageError:
      return []

    packed = paths[: len(entries)]
    if [entry.name for entry in entries] != [self._name(path) for path in packed]:
      return []
    if any(map(functools.partial(_is_changed, shard), packed, entries)):
      return []

    length = sum(entry.bytes for entry in entries)
    is_full = length >= self._shard_bytes > length - entries[-1].bytes
    return entries if is_full or len(entries) == len(paths) else []

  def _gather(self, paths: Sequence[AnyPath]) -> tuple[int, list[_Photograph]]:
    """Reads the photographs of a shard; returns how many were tried, and those that are good."""
    photographs: list[_Photograph] = []
    length = 0
    for number, path in enumerate(paths):
      for next_path in paths[number : number + 2 * _THREADS]:
        if next_path not in self._ahead:
          self._ahead[next_path] = self._pool.submit(self._read, next_path)
      try:
        photographs.append(self._ahead.pop(path).result())
        length += len(photographs[-1].data)
      except (ImageError, OSError) as error:
        self.errors.append(str(error))

      self._update(1)
      if length >= self._shard_bytes:
        return number + 1, photographs
    return len(paths), photographs

  def _read(self, path: AnyPath) -> _Photograph:
    data = files.read(path)
    form = decoding.read_form(path, data)
    decoding.decode(path, data, form, form.box)
    digest = hashlib.sha256(data).hexdigest()
    return _Photograph(self._name(path), data, digest, form.height, form.width)

  def _name(self, path: AnyPath) -> str:
    return path.relative_to(self._source).as_posix()


def _write(shard: Shard, photographs: Sequence[_Photograph]) -> list[Entry]:
  """Writes a shard; returns what it holds."""
  entries = []
  lines = []
  offset = 0
  with files.draft_of(shard.records) as draft, _writer(draft, shard.records) as writer:
    for name, data, digest, height, width in photographs:
      example = _example(name, data, digest, height, width)
      writer.write(example)
      place = offset + _BEFORE + example.index(data)
      entries.append(Entry(name, digest, len(data), height, width, place))

      length = _BEFORE + len(example) + _BEHIND
      lines.append(f'{offset} {length}\n')
      offset += length

  files.write(shard.offsets, ''.join(lines).encode())
  files.write(shard.entries, packs.entries_text(entries))
  return entries


def _example(name: str, data: bytes, digest: str, height: int, width: int) -> bytes:
  """Returns a photograph as a `tf.train.Example`."""
  texts = {
    'image/encoded': data,
    'image/filename': os.fsencode(name),
    'image/key/sha256': digest.encode(),
  }
  features = {}
  for key, text in texts.items():
    features[key] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))
  for key, number in {'image/height': height, 'image/width': width}.items():
    features[key] = tf.train.Feature(int64_list=tf.train.Int64List(value=[number]))
  example = tf.train.Example(features=tf.train.Features(feature=features))
  return example.SerializeToString(deterministic=True)


def _prepare(target: AnyPath, force: bool) -> None:
  """Makes the folder of a pack, or checks the one that is there.

  Raises:
    Exists: if it may not be replaced.
  """
  if target.exists() and not target.is_dir():
    raise files.Exists(f'{target} is no folder; name another')
  target.mkdir(parents=True, exist_ok=True)

  for path in target.iterdir():
    if not _OURS.fullmatch(path.name):
      raise files.Exists(f'{target} holds {path.name}, which is no part of a pack; name another')

  marker = target / packs.MARKER
  if marker.exists():
    if not force:
      raise files.Exists(f'{target} is a complete pack; --force replaces it')
    marker.unlink()
    # A shard may have been damaged since it was written.
    _remove_shards(target, 0)


def _remove_shards(target: AnyPath, first: int) -> None:
  """Removes the shards from a number on, and what a killed process has left of others."""
  paths: list[AnyPath] = list(target.iterdir())
  for path in paths:
    match = _OURS.fullmatch(path.name)
    if match and path.name != packs.MARKER and (match[1] is None or int(match[1]) >= first):
      path.unlink()


def _is_changed(shard: Shard, path: AnyPath, entry: Entry) -> bool:
  """Returns whether a photograph is another than was packed, where that is known."""
  if isinstance(path, RemotePath):
    return False
  status = path.stat()
  if status.st_size != entry.bytes:  # copies may have earlier times
    return True
  if isinstance(shard.entries, RemotePath):
    return False
  return status.st_mtime_ns > shard.entries.stat().st_mtime_ns


@contextlib.contextmanager
def _writer(draft: AnyPath, path: AnyPath) -> Iterator[tf.io.TFRecordWriter]:
  """Gives a writer of records to a draft; its errors name the file that it is to become."""
  try:
    with tf.io.TFRecordWriter(str(draft)) as writer:
      yield writer
  except tf.errors.OpError as error:
    raise OSError(errno.EIO, ' '.join(error.message.split()), str(path)) from error
