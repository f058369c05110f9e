"""Compressing and decompressing image files, one or a folder of them."""

import contextlib
import errno
import functools
import os
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from tfusq import errors, files, image_files
from tfusq.errors import Error
from tfusq.export import container, goals, primitives
from tfusq.export.client import AbsentCodec, CodecError, ExportedCodec
from tfusq.export.goals import Goal
from tfusq.files import AnyPath
from tfusq.progress import track

SUFFIX = '.usq'
# Errors after which no other file can be written either.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class BulkError(Error, RuntimeError):
  """Files of a folder that could not be coded, one line for each; all others were."""


class Conversion(NamedTuple):
  """Size of one compressed image, or the sum over several.

  Attributes:
    compressed_bytes: Length of the compressed files in bytes.
    pixels: Number of pixels.
    description: Size of the one image, or number of files.
    quality: Quality of the one file, by a codec of variable rate; else None.
  """

  compressed_bytes: int
  pixels: int
  description: str
  quality: float | None = None

  @property
  def rate(self) -> str:
    """Length, rate and quality in words; empty if nothing was coded."""
    if not self.pixels:
      return ''
    bpp = 8 * self.compressed_bytes / self.pixels
    quality = '' if self.quality is None else f', quality {self.quality:.2f}'
    return f'{self.compressed_bytes} bytes, {bpp:.4f} bpp{quality}'


def default_output(source: str | os.PathLike) -> str:
  """Returns where compressed files go if nothing is named: beside their images.

  Args:
    source: Image, folder of images, or `-` for standard input.

  Returns:
    The image's name with the suffix `.usq`, the folder itself, or `-` for standard output.
  """
  if files.is_standard_input(source):
    return '-'
  path = files.to_path(source)
  return str(path if path.is_dir() else path.with_suffix(SUFFIX))


def compress_file(
  load: Callable[[], ExportedCodec],
  source: str | os.PathLike,
  target: str | os.PathLike,
  force: bool = False,
  first_frame: bool = False,
  goal: Goal = goals.DEFAULT,
) -> Conversion:
  """Compresses an image.

  Args:
    load: Function that returns the codec; called when the image was read.
    source: Image of any format that `image_files.read_image` reads.
    target: File to write.
    force: Whether to replace an existing file.
    first_frame: Whether to take the first picture of a file that holds several.
    goal: Quality, size or PSNR to compress to.

  Returns:
    Size of the file and of the image.

  Raises:
    Exists: if `target` exists and may not be replaced, is a folder, or is the image.
    ImageError: if the image can't be read, or holds several pictures.
    ContainerError: if no file can hold the image.
    CodecError: if the codec can't be loaded, or TensorFlow fails.
  """
  files.check_output(target, force, source)
  check_size = functools.partial(_check_size, source)
  image = image_files.read_image(source, first_frame, check_size)
  codec = load()
  with naming(source):
    data = goal.compress(codec, image)
  files.write(target, data, force)
  quality = codec.qualities and codec.qualities.quality(container.read_header(data).step)
  height, width = image.shape[:2]
  return _conversion(data, height, width, quality)


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
  if not _is_named_like_a_png(target):
    raise image_files.ImageError(f'the output is a PNG; {target} is named otherwise')

  data = files.read(source)
  with naming(source):
    header = container.read_header(data)
    codec = _load_for(header, load)
    image = codec.decompress(data)
  files.write(target, image_files.encode(image, 'png'), force)
  return _conversion(data, header.height, header.width)


def compress_folder(
  load: Callable[[], ExportedCodec],
  source: str | os.PathLike,
  target: str | os.PathLike,
  force: bool = False,
  first_frame: bool = False,
  goal: Goal = goals.DEFAULT,
) -> Conversion:
  """Compresses every image of a folder and its sub-folders.

  Args:
    load: Function that returns the codec; called once.
    source: Folder of images.
    target: Folder of files, made if need be; a file has its image's path and the suffix `.usq`.
    force: Whether to replace existing files; they are kept otherwise, so that a second call
      resumes one that was stopped.
    first_frame: Whether to take the first picture of a file that holds several.
    goal: Quality, size or PSNR to compress each image to.

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
  primitives.limit(primitives.image_sizes(images))
  codec = load()
  convert = functools.partial(compress_file, lambda: codec, first_frame=first_frame, goal=goal)
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
  compressed = []
  for path in files.walk(files.to_path(source)):
    if path.suffix == SUFFIX:
      compressed.append(path)

  if not compressed:
    raise container.ContainerError(f'no {SUFFIX} files in {source}')
  _check_target(target)
  if files.same_file(source, target):
    raise files.Exists(f'{target} is the input; name another folder')

  primitives.limit(primitives.compressed_sizes(compressed))
  convert = functools.partial(decompress_file, functools.cache(load))
  return _convert_all(convert, compressed, source, target, '.png', force)


def failure(path: str | os.PathLike, error: BaseException) -> str:
  """Returns a line about a file that failed.

  Args:
    path: The file.
    error: Reason, whose text may name the file already.
  """
  text = errors.message(error)
  return text if str(path) in text else f'{path}: {text}'


@contextlib.contextmanager
def naming(path: str | os.PathLike) -> Iterator[None]:
  """Names a file in refusals of what it holds.

  Args:
    path: The file.

  Raises:
    ContainerError, CodecError: as in the context, with the file's name.
  """
  try:
    yield
  except (container.ContainerError, CodecError) as error:
    raise type(error)(failure(path, error)) from error


def _load_for(header: container.Header, load: Callable[[str], ExportedCodec]) -> ExportedCodec:
  """Loads the codec of a file, or says which one it is."""
  identity = header.identity.hex()
  try:
    return load(identity)
  except AbsentCodec as error:
    written = f'written by codec {identity}'
    if header.version != container.VERSION:
      written += f', as it was when codecs wrote format version {header.version}'
    raise AbsentCodec(f'{written}, which is not here: {error}') from error


def _is_named_like_a_png(path: str | os.PathLike) -> bool:
  """Returns whether a file has the suffix of a PNG, or needs none."""
  if files.is_standard_output(path):
    return True
  target = files.to_path(path)
  return target.suffix.lower() == '.png' or files.is_stream(target)


def _conversion(data: bytes, height: int, width: int, quality: float | None = None) -> Conversion:
  return Conversion(len(data), height * width, f'{width}x{height}', quality)


def _check_size(source: str | os.PathLike, height: int, width: int) -> None:
  """Refuses an image that no file can hold, before its pixels are decoded."""
  if max(height, width) > container.MAX_SIDE or height * width > container.MAX_PIXELS:
    raise container.ContainerError(
      f'{source} has {width}x{height} pixels; {container.IMAGE_LIMITS}'
    )


def _check_target(target: str | os.PathLike) -> None:
  if files.is_standard_output(target):
    raise files.Exists('the output for a folder is a folder, not standard output')
  folder = files.to_path(target)
  if folder.exists() and not folder.is_dir():
    raise files.Exists(f'{target} is a file; name a folder')


def _convert_all(
  convert: Callable[[AnyPath, AnyPath, bool], Conversion],
  paths: Collection[AnyPath],
  source: str | os.PathLike,
  target: str | os.PathLike,
  suffix: str,
  force: bool,
) -> Conversion:
  """Converts the files of a folder one by one; a file that fails does not stop the others."""
  done: list[Conversion] = []
  failures: list[str] = []
  origins: dict[AnyPath, AnyPath] = {}
  kept = 0

  for path in track(paths, 'file'):
    relative = path.relative_to(files.to_path(source))
    output = (files.to_path(target) / relative).with_suffix(suffix)
    # Two images may differ only by their suffix.
    if output in origins:
      failures.append(f'{path}: {output} is also where {origins[output]} goes; rename one')
      continue
    origins[output] = path

    if output.exists() and not force:
      kept += 1
      continue
    try:
      done.append(convert(path, output, force))
    except (Error, OSError, MemoryError) as error:
      if isinstance(error, OSError) and error.errno in _FULL:
        raise
      failures.append(failure(path, error))

  description = '1 file' if len(done) == 1 else f'{len(done)} files'
  if kept:
    description += f', {kept} existing files are kept (--force replaces them)'
  if failures:
    lines = [f'{target}: {description}, {len(failures)} failed:', *failures]
    raise BulkError('\n  '.join(lines))

  return Conversion(
    sum(conversion.compressed_bytes for conversion in done),
    sum(conversion.pixels for conversion in done),
    description,
  )
