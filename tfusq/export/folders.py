"""Whole folders of images and files, with one codec loaded and one trace for all sizes."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from tqdm import tqdm

from tfusq import files, image_files
from tfusq.errors import Error
from tfusq.export import client, container

SUFFIX = '.usq'


class BulkError(Error, RuntimeError):
  """What could not be done, one line for each file; everything else was."""


def compress_folder(
  codec: client.ExportedCodec,
  source: str | os.PathLike,
  target: str | os.PathLike,
  force: bool = False,
) -> str:
  """Compresses every image of a folder and its sub-folders.

  Args:
    codec: An exported codec.
    source: Folder of images.
    target: Folder of files, made if need be; a file has its image's path and the suffix `.usq`.
    force: Whether to replace files that are there, which otherwise are left as they are: so a run
      that was stopped goes on.

  Returns:
    What was done, in one line.

  Raises:
    ImageError: if there are no images.
    Exists: if `target` is a file.
    BulkError: if some can't be compressed; says which, after all others are.
  """
  images = image_files.list_images(source)
  sizes = []

  def compress(path: Path) -> bytes:
    image = image_files.read_image(path)
    written = codec.compress(image)
    sizes.append((len(written), image.shape[0] * image.shape[1]))
    return written

  summary = _each(images, source, target, SUFFIX, compress, force)
  if sizes:
    total, pixels = map(sum, zip(*sizes))
    summary += f', {total} bytes, {8 * total / pixels:.4f} bpp'
  return summary


def decompress_folder(
  load: Callable[[str], client.ExportedCodec],
  source: str | os.PathLike,
  target: str | os.PathLike,
  force: bool = False,
) -> str:
  """Decompresses every `.usq` file of a folder and its sub-folders to PNG.

  Args:
    load: Gives the codec of an identity, hexadecimal; called once for each.
    source: Folder of files.
    target: Folder of images, made if need be.
    force: As of `compress_folder`.

  Returns:
    What was done, in one line.

  Raises:
    ContainerError: if there are no files.
    Exists: if `target` is a file, or `source` itself, whose images would be replaced.
    BulkError: if some can't be decompressed; says which, after all others are.
  """
  codecs = {}

  def decompress(path: Path) -> bytes:
    written = path.read_bytes()
    identity = container.read_header(written).identity.hex()
    if identity not in codecs:
      codecs[identity] = load(identity)
    return image_files.encode(codecs[identity].decompress(written), 'png')

  found = sorted(path for path in Path(source).rglob(f'*{SUFFIX}') if path.is_file())
  if not found:
    raise container.ContainerError(f'no {SUFFIX} files in {source}')
  return _each(found, source, target, '.png', decompress, force)


def _each(
  paths: Iterable[Path], source, target, suffix: str, work: Callable[[Path], bytes], force: bool
) -> str:
  if Path(target).exists():
    if not Path(target).is_dir():
      raise files.Exists(f'{target} is a file; name a folder')
    if suffix == '.png' and os.path.samefile(source, target):
      raise files.Exists(f'{target} is the input; name another folder')
  outputs, errors, skipped, done = {}, [], 0, 0
  for path in tqdm(paths, unit='file'):
    output = (Path(target) / path.relative_to(source)).with_suffix(suffix)
    try:
      if output in outputs:
        raise files.Exists(f'{output} is also where {outputs[output]} goes; rename one')
      outputs[output] = path
      if output.exists() and not force:
        skipped += 1
        continue
      files.write(output, work(path), force)
      done += 1
    except (image_files.ImageError, container.ContainerError, client.CodecError, OSError) as error:
      errors.append(f'{path}: {error}')
  summary = f'{target}: {done} files'
  if skipped:
    summary += f', {skipped} were there already (--force replaces them)'
  if errors:
    raise BulkError('\n  '.join([f'{summary}, {len(errors)} failed:', *errors]))
  return summary
