"""Exported codecs from Python, as the command line uses them."""

import json
import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tfusq import files
from tfusq.errors import Error
from tfusq.export import container
from tfusq.export.effort import Effort
from tfusq.export.quality_range import QualityRange
from tfusq.files import AnyPath

DESCRIPTION = 'codec.json'

_IDENTITY = re.compile(f'[0-9a-f]{{{2 * container.IDENTITY_BYTES}}}')
# TensorFlow's messages can be long, and may quote the whole graph.
_MESSAGE_CHARACTERS = 200


class CodecError(Error, RuntimeError):
  """An exported codec that is missing, damaged, unsuitable for a file, or out of memory."""


class AbsentCodec(CodecError):
  """The codec of a file that is not here; says which are."""


class CodecFolder(NamedTuple):
  """An exported codec that is not loaded.

  Attributes:
    path: Folder of the codec.
    description_json: `codec.json` as it is in the folder.
    description: Contents of `codec.json`.
  """

  path: AnyPath
  description_json: bytes
  description: dict[str, Any]

  @property
  def identity(self) -> str:
    """Identity of the codec, hexadecimal."""
    return self.description['identity']

  @property
  def qualities(self) -> QualityRange | None:
    """Qualities of a codec of variable rate; None of a codec of one quality."""
    return QualityRange.stated_in(self.description)

  def require_qualities(self) -> QualityRange:
    """Returns the qualities of a codec of variable rate.

    Raises:
      CodecError: if the codec has one quality.
    """
    if self.qualities is None:
      raise CodecError(
        f'{self.path} has a fixed rate; qualities, sizes and PSNRs are for codecs of variable rate'
      )
    return self.qualities

  def require_refinement(self) -> None:
    """Refuses a codec that can't refine.

    Raises:
      CodecError: if it can't.
    """
    if not self.description.get('refinement'):
      raise CodecError(
        f'{self.path} does not refine: it was exported with --no_refine, for a distortion of a '
        'plugin, or before codecs could'
      )

  @property
  def decoder_only(self) -> bool:
    """Whether the codec can't compress."""
    return bool(self.description.get('decoder_only'))


def find(path: str | os.PathLike, compresses: bool = False) -> CodecFolder:
  """Finds a codec without loading it, and without TensorFlow.

  Args:
    path: An exported codec, or a folder that holds one.
    compresses: Whether to leave out codecs that only decompress.

  Returns:
    The codec.

  Raises:
    CodecError: if there is no such codec, or more than one to choose from; lists those available.
  """
  codecs = find_all(path, compresses)
  if len(codecs) > 1:
    listing = ', '.join(f'{codec.path} ({name})' for name, codec in codecs.items())
    raise CodecError(f'{path} holds several codecs, name one: {listing}')
  return next(iter(codecs.values()))


def find_all(path: str | os.PathLike, compresses: bool = False) -> dict[str, CodecFolder]:
  """Finds codecs without loading them, and without TensorFlow.

  Args:
    path: An exported codec, or a folder that holds several.
    compresses: Whether to leave out codecs that only decompress.

  Returns:
    The codecs by identity.

  Raises:
    CodecError: if there is none; says what there is.
  """
  codecs: dict[str, CodecFolder] = {}
  decoders = []
  damaged = []

  for candidate in described(path):
    try:
      codec = read_folder(candidate)
    except CodecError:
      damaged.append(str(candidate / DESCRIPTION))  # does not hide the others
      continue
    if compresses and codec.decoder_only:
      decoders.append(str(codec.path))
    else:
      codecs.setdefault(codec.identity, codec)

  if not codecs:
    if decoders:
      raise CodecError(f'{", ".join(decoders)} decompresses only')
    if damaged:
      raise CodecError(f'{", ".join(damaged)} is damaged')
    raise CodecError(f'no exported codec in {path}')
  return codecs


def described(path: str | os.PathLike) -> list[AnyPath]:
  """Returns a folder and those in it, as far as they have a `codec.json`, be it damaged."""
  folder = files.to_path(path)
  candidates = [folder]
  if folder.is_dir():
    candidates += sorted(folder.iterdir())
  return [candidate for candidate in candidates if (candidate / DESCRIPTION).is_file()]


def read_folder(path: str | os.PathLike) -> CodecFolder:
  """Reads the description of an exported codec.

  Args:
    path: Folder of the codec.

  Returns:
    The codec.

  Raises:
    CodecError: if the folder holds no codec, or its description is damaged.
  """
  folder = files.to_path(path)
  try:
    description_json = (folder / DESCRIPTION).read_bytes()
    description = json.loads(description_json)
  # Of brackets that are nested too deep Python raises RecursionError.
  except (OSError, ValueError, RecursionError) as error:
    raise CodecError(_damaged(path, error)) from error

  identity = description.get('identity') if isinstance(description, dict) else None
  if not isinstance(identity, str) or not _IDENTITY.fullmatch(identity):
    raise CodecError(f'{path} is damaged or no codec: its {DESCRIPTION} names no identity')
  return CodecFolder(folder, description_json, description)


class ExportedCodec:
  """A loaded SavedModel codec.

  Attributes:
    path: Folder of the codec.
    description: Contents of `codec.json`.
    qualities: Qualities of a codec of variable rate; None of a codec of one quality.
  """

  def __init__(self, codec: CodecFolder | str | os.PathLike):
    """Loads the codec, and TensorFlow.

    Args:
      codec: The codec from `find`, or its folder.

    Raises:
      CodecError: if the codec is damaged.
      RangeCoderError: if there is no range coder.
    """
    # Imported here, so that a wrong command line is refused at once.
    import tensorflow as tf

    from tfusq.coding import range_coder

    range_coder.operations()  # registers them
    folder = codec if isinstance(codec, CodecFolder) else read_folder(codec)
    self._folder = folder
    self.path = folder.path
    self.description = folder.description
    self.qualities = folder.qualities
    self._errors = tf.errors

    self._image = tf.TensorSpec([None, None, 3], tf.uint8, 'image')
    self._tensor_spec = tf.TensorSpec

    names = ('decompress',) if folder.decoder_only else ('compress', 'decompress', 'evaluate')
    try:
      with files.literal(folder.path) as path:
        self._codec = tf.saved_model.load(path)
      for name in names:
        if not callable(getattr(self._codec, name)):
          raise TypeError(f'{name} is no function')
    except Exception as error:  # of a damaged SavedModel TensorFlow raises nearly anything
      raise CodecError(_damaged(folder.path, error)) from error

  def compress(self, image: np.ndarray, quality: float | None = None) -> bytes:
    """Compresses an image.

    Args:
      image: `uint8[height, width, 3]`, RGB.
      quality: Quality, from 1 to the number of levels; None for the default one, the only one of a
        codec of one quality.

    Returns:
      The file.

    Raises:
      ContainerError: if no file can hold the image, or there is no such quality; says why.
      CodecError: if the codec has one quality, or TensorFlow fails, for example out of memory.
    """
    return self._call_with_image('compress', image, *self._quality(quality)).numpy()

  def compress_to_bytes(self, image: np.ndarray, limit: int) -> bytes:
    """Compresses an image with the best quality that fits.

    Args:
      image: `uint8[height, width, 3]`, RGB.
      limit: Greatest length of the file in bytes.

    Returns:
      The file.

    Raises:
      ContainerError: if no file can hold the image, or no quality fits; says why.
      CodecError: if the codec has one quality, or TensorFlow fails.
    """
    self._folder.require_qualities()
    return self._call_with_image('compress_to_bytes', image, (limit, 'int64')).numpy()

  def compress_to_psnr(self, image: np.ndarray, limit: float) -> bytes:
    """Compresses an image with the lowest quality that reaches a PSNR.

    Args:
      image: `uint8[height, width, 3]`, RGB.
      limit: Least PSNR of the decoded image in dB.

    Returns:
      The file.

    Raises:
      ContainerError: if no file can hold the image, or no quality reaches it; says why.
      CodecError: if the codec has one quality, or TensorFlow fails.
    """
    self._folder.require_qualities()
    return self._call_with_image('compress_to_psnr', image, (limit, 'float32')).numpy()

  def refine(self, image: np.ndarray, effort: Effort, quality: float | None = None) -> bytes:
    """Compresses an image after its latents were optimized for it.

    Args:
      image: `uint8[height, width, 3]`, RGB.
      effort: Limits of the optimization.
      quality: Quality, as for `compress`.

    Returns:
      The file; that of `compress` where refinement finds no better one.

    Raises:
      ContainerError: if no file can hold the image, or there is no such quality; says why.
      EffortError: if the effort is none.
      CodecError: if the codec was exported without refinement, or has one quality, or TensorFlow
        fails, for example out of memory.
    """
    self._folder.require_refinement()
    numbers = [*effort.numbers(), *self._quality(quality)]
    return self._call_with_image('refine', image, *numbers).numpy()

  def refine_to_bytes(self, image: np.ndarray, limit: int, effort: Effort) -> bytes:
    """Refines an image to the best file that fits, as `compress_to_bytes` does without.

    Args:
      image: `uint8[height, width, 3]`, RGB.
      limit: Greatest length of the file in bytes.
      effort: Limits of the optimization at each of a few qualities; the seconds are all of
        them together.

    Returns:
      The file.

    Raises:
      ContainerError: if no file can hold the image, or no quality fits; says why.
      EffortError: if the effort is none.
      CodecError: as from `refine` and `compress_to_bytes`.
    """
    self._folder.require_qualities()
    self._folder.require_refinement()
    numbers = [(limit, 'int64'), *effort.numbers()]
    return self._call_with_image('refine_to_bytes', image, *numbers).numpy()

  def refine_to_psnr(self, image: np.ndarray, limit: float, effort: Effort) -> bytes:
    """Refines an image to the shortest file with a PSNR, as `compress_to_psnr` does without.

    Args:
      image: `uint8[height, width, 3]`, RGB.
      limit: Least PSNR of the decoded image in dB.
      effort: Limits of the optimization, as for `refine_to_bytes`.

    Returns:
      The file.

    Raises:
      ContainerError: if no file can hold the image, or no quality reaches it; says why.
      EffortError: if the effort is none.
      CodecError: as from `refine` and `compress_to_psnr`.
    """
    self._folder.require_qualities()
    self._folder.require_refinement()
    numbers = [(limit, 'float32'), *effort.numbers()]
    return self._call_with_image('refine_to_psnr', image, *numbers).numpy()

  def decompress(self, data: bytes) -> np.ndarray:
    """Decompresses a file.

    Args:
      data: The file.

    Returns:
      The image, `uint8[height, width, 3]`.

    Raises:
      ContainerError: if the file was written by another codec, is truncated or corrupt, or can't be
        decoded on this machine.
      CodecError: if TensorFlow fails, for example out of memory.
    """
    try:
      data = bytes(memoryview(data))
    except TypeError as error:
      raise container.ContainerError(f'a file is bytes; this is {type(data).__name__}') from error
    return self._call(self._codec.decompress, data).numpy()

  def evaluate(
    self, image: np.ndarray, quality: float | None = None
  ) -> tuple[bytes, np.ndarray, np.ndarray]:
    """Compresses an image and reports what the encoder knows.

    Args:
      image: `uint8[height, width, 3]`, RGB.
      quality: Quality, as for `compress`.

    Returns:
      The file; the estimated bits of each section, `float32[sections]`; and the image that the
      encoder reconstructs, `uint8[height, width, 3]`.

    Raises:
      ContainerError: if no file can hold the image; says why.
      CodecError: if TensorFlow fails, for example out of memory.
    """
    result = self._call_with_image('evaluate', image, *self._quality(quality))
    return result['data'].numpy(), result['bits'].numpy(), result['reconstruction'].numpy()

  def _quality(self, quality: float | None) -> list[tuple[float, str]]:
    """Returns the argument that names a quality, if one does."""
    if quality is None:
      return []
    self._folder.require_qualities()
    return [(quality, 'float32')]

  def _call_with_image(self, name: str, image: np.ndarray, *numbers: tuple[float, str]) -> Any:
    """Calls a function of an image, and of numbers with their types."""
    # Codecs that were exported earlier take an array of any type for an image.
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
      shape = 'x'.join(map(str, array.shape))
      reason = f'this has the type {array.dtype} and the shape {shape}'
      raise container.ContainerError(f'{container.IMAGE}; {reason}')

    function = getattr(self._codec, name)
    # Traced once for images of all sizes, which otherwise would be traced each.
    specs = [self._tensor_spec([], dtype) for _, dtype in numbers]
    function.get_concrete_function(self._image, *specs)
    return self._call(function, array, *(np.array(*number) for number in numbers))

  def _call(self, function: Callable[..., Any], *inputs: np.ndarray | bytes) -> Any:
    """Calls a function of the codec and translates TensorFlow's errors."""
    try:
      return function(*inputs)
    except self._errors.OpError as error:
      reason = container.refusal(error.message)
      if reason is not None:
        raise container.ContainerError(reason) from error
      raise CodecError(f'TensorFlow: {type(error).__name__}: {_one_line(error.message)}') from error


def _damaged(path: str | os.PathLike, error: Exception) -> str:
  return f'{path} is damaged or no codec: {type(error).__name__}: {_one_line(str(error))}'


def _one_line(message: str) -> str:
  """Returns the beginning of a message, its line breaks replaced by spaces."""
  return ' '.join(message.split())[:_MESSAGE_CHARACTERS]
