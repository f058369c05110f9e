"""Compressing and decompressing image files, one or a folder of them."""

import functools
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from tfusq import files, image_files
from tfusq.errors import Error
from tfusq.export import container
from tfusq.export.client import CodecError, ExportedCodec
from tfusq.progress import track

SUFFIX = '.usq'


class BulkError(Error, RuntimeError):
  """Files of a folder that could not be coded, one line for each; all others were."""


class Conversion(NamedTuple):
  """Size of one compressed image, or the sum over several.

  Attributes:
    compressed_bytes: Length of the compressed files in bytes.
    pixels: Number of pixels.
    description: Size of the one image, or number of files.
  """

  compressed_bytes: int
  pixels: int
  description: str

  @property
  def rate(self) -> str:
    """Length and rate in words; empty if nothing was coded."""
    if not self.pixels:
      return ''
    bpp = 8 * self.compressed_bytes / self.pixels
    return f'{self.compressed_bytes} bytes, {bpp:.4f} bpp'


def compress_file(
  load: Callable[[], ExportedCodec],
  source: str | os.PathLike,
  target: str | os.PathLike,
  force: bool = False,
  first_frame: bool = False,
) -> Conversion:
  """Compresses an image.

  Args:
    load: Function that returns the codec; called when the image was read.
    source: Image of any format that `image_files.read_image` reads.
    target: File to write.
    force: Whether to replace an existing file.
    first_frame: Whether to take the first picture of a file that holds several.

  Returns:
    Size of the file and of the image.

  Raises:
    Exists: if `target` exists and may not be replaced, is a folder, or is the image.
    ImageError: if the image can't be read, or holds several pictures.
    ContainerError: if no file can hold the image.
    CodecError: if the codec can't be loaded, or TensorFlow fails.
  """
  files.check_output(target, force, source)
  _check_size(source, *image_files.read_size(source, first_frame))
  image = image_files.read_image(source, first_frame)
  data = load().compress(image)
  files.write(target, data, force)
  return _conversion(data, *image.shape[:2])


def decompress_file(
  load: Callable[[str], ExportedCodec],
  source: str | os.PathLike,
  target: str | os.PathLike,
  force: bool = False,
) -> Conversion:
  """Decompresses a file to PNG.

  Args:
    load: Function that returns the codec of an identity, hexadecimal.
    source: Compressed file.
    target: PNG to write.
    force: Whether to replace an existing file.

  Returns:
    Size of the file and of the image.

  Raises:
    Exists: if `target` exists and may not be replaced, is a folder, or is the compressed file.
    ImageError: if `target` is not named like a PNG.
    ContainerError: if the file can't be decoded.
    CodecError: if the codec can't be loaded, or TensorFlow fails.
  """
  files.check_output(target, force, source)
  if Path(target).suffix.lower() != '.png':
    raise image_files.ImageError(f'the output is a PNG; {target} is named otherwise')

  data = Path(source).read_bytes()
  header = container.read_header(data)
  image = load(header.identity.hex()).decompress(data)
  files.write(target, image_files.encode(image, 'png'), force)
  return _conversion(data, header.height, header.width)


def compress_folder(
  load: Callable[[], ExportedCodec],
  source: str | os.PathLike,
  target: str | os.PathLike,
  force: bool = False,
  first_frame: bool = False,
) -> Conversion:
  """Compresses every image of a folder and its sub-folders.

  Args:
    load: Function that returns the codec; called once.
    source: Folder of images.
    target: Folder of files, made if need be; a file has its image's path and the suffix `.usq`.
    force: Whether to replace existing files; they are kept otherwise, so that a second call
      resumes one that was stopped.
    first_frame: Whether to take the first picture of a file that holds several.

  Returns:
    Sum over the files that were written.

  Raises:
    ImageError: if there are no images.
    Exists: if `target` is a file.
    CodecError: if the codec can't be loaded.
    BulkError: if some images can't be compressed; names them, after all others are.
  """
  images = image_files.list_images(source)
  _check_target(target)
  codec = load()
  convert = functools.partial(compress_file, lambda: codec, first_frame=first_frame)
  return _convert_all(convert, images, source, target, SUFFIX, force)


def decompress_folder(
  load: Callable[[str], ExportedCodec],
  source: str | os.PathLike,
  target: str | os.PathLike,
  force: bool = False,
) -> Conversion:
  """Decompresses every `.usq` file of a folder and its sub-folders to PNG.

  Args:
    load: Function that returns the codec of an identity, hexadecimal; called once for each.
    source: Folder of files.
    target: Folder of images, made if need be.
    force: Whether to replace existing images; they are kept otherwise, so that a second call
      resumes one that was stopped.

  Returns:
    Sum over the images that were written.

  Raises:
    ContainerError: if there are no files.
    Exists: if `target` is a file, or `source` itself, whose images would be replaced.
    BulkError: if some files can't be decompressed; names them, after all others are.
  """
  compressed = sorted(path for path in Path(source).rglob(f'*{SUFFIX}') if path.is_file())
  if not compressed:
    raise container.ContainerError(f'no {SUFFIX} files in {source}')
  _check_target(target)
  if os.path.isdir(target) and os.path.samefile(source, target):
    raise files.Exists(f'{target} is the input; name another folder')

  convert = functools.partial(decompress_file, functools.cache(load))
  return _convert_all(convert, compressed, source, target, '.png', force)


def _conversion(data: bytes, height: int, width: int) -> Conversion:
  return Conversion(len(data), height * width, f'{width}x{height}')


def _check_size(source: str | os.PathLike, height: int, width: int) -> None:
  """Refuses an image that no file can hold, before its pixels are decoded."""
  if max(height, width) > container.MAX_SIDE or height * width > container.MAX_PIXELS:
    raise container.ContainerError(
      f'{source} has {width}x{height} pixels; {container.IMAGE_LIMITS}'
    )


def _check_target(target: str | os.PathLike) -> None:
  if Path(target).exists() and not Path(target).is_dir():
    raise files.Exists(f'{target} is a file; name a folder')


def _convert_all(
  convert: Callable[[Path, Path, bool], Conversion],
  paths: Collection[Path],
  source: str | os.PathLike,
  target: str | os.PathLike,
  suffix: str,
  force: bool,
) -> Conversion:
  """Converts the files of a folder one by one; a file that fails does not stop the others."""
  done: list[Conversion] = []
  errors: list[str] = []
  origins: dict[Path, Path] = {}
  kept = 0

  for path in track(paths, 'file'):
    output = (Path(target) / path.relative_to(source)).with_suffix(suffix)
    # Two images may differ only by their suffix.
    if output in origins:
      errors.append(f'{path}: {output} is also where {origins[output]} goes; rename one')
      continue
    origins[output] = path

    if output.exists() and not force:
      kept += 1
      continue
    try:
      done.append(convert(path, output, force))
    except (image_files.ImageError, container.ContainerError, CodecError, OSError) as error:
      errors.append(f'{path}: {error}')

  description = f'{len(done)} files'
  if kept:
    description += f', {kept} existing files are kept (--force replaces them)'
  if errors:
    lines = [f'{target}: {description}, {len(errors)} failed:', *errors]
    raise BulkError('\n  '.join(lines))

  return Conversion(
    sum(conversion.compressed_bytes for conversion in done),
    sum(conversion.pixels for conversion in done),
    description,
  )
