"""An exported codec from Python: what the command line uses."""

import json
import os
import re
from pathlib import Path

import numpy as np

from tfusq.errors import Error
from tfusq.export import container

DESCRIPTION = 'codec.json'


class CodecError(Error, RuntimeError):
  """No codec, not the one that a file needs, or a damaged one."""


def find(path: str | os.PathLike, identity: str | None = None, compresses: bool = False) -> Path:
  """Finds a codec without loading it.

  Args:
    path: An exported codec, or a folder that holds several.
    identity: The one wanted, hexadecimal; None if there must be only one.
    compresses: Whether to leave out those that only decompress.

  Returns:
    The exported codec's folder.

  Raises:
    CodecError: if there is none, or more than one to choose from; lists those there are.
  """
  codecs, damaged, decoders = {}, [], []
  for description in sorted([Path(path) / DESCRIPTION, *Path(path).glob(f'*/{DESCRIPTION}')]):
    if description.is_file():
      try:
        content = json.loads(description.read_bytes())
        if compresses and content.get('decoder_only'):
          decoders.append(str(description.parent))
        else:
          codecs.setdefault(str(content['identity']), description.parent)
      except (ValueError, KeyError, TypeError, AttributeError):
        damaged.append(str(description))
  if decoders and not codecs:
    raise CodecError(f'{", ".join(decoders)} decompresses only')
  if not codecs:
    raise CodecError(
      f'{", ".join(damaged)} is damaged' if damaged else f'no exported codec in {path}'
    )
  listing = ', '.join(f'{folder} ({name})' for name, folder in codecs.items())
  if identity is not None:
    if identity not in codecs:
      raise CodecError(f'the file was written by codec {identity}; there are: {listing}')
    return codecs[identity]
  if len(codecs) > 1:
    raise CodecError(f'{path} holds several codecs, name one: {listing}')
  return next(iter(codecs.values()))


class ExportedCodec:
  """A SavedModel codec."""

  def __init__(self, path: str | os.PathLike):
    """Loads it (and TensorFlow).

    Args:
      path: An exported codec's folder.

    Raises:
      CodecError: if it is damaged.
    """
    import tensorflow as tf
    import tensorflow_compression  # noqa: F401  (registers the operations)

    self._errors = tf.errors
    try:
      self.description = json.loads((Path(path) / DESCRIPTION).read_bytes())
      self._codec = tf.saved_model.load(str(path))
      functions = [
        getattr(self._codec, name)
        for name in (
          ('decompress',)
          if self.description.get('decoder_only')
          else ('compress', 'decompress', 'evaluate')
        )
      ]
      assert all(map(callable, functions))
    except Exception as error:  # TensorFlow raises many kinds
      raise CodecError(
        f'{path} is damaged or no codec: {type(error).__name__}: '
        f'{" ".join(str(error).split())[:200]}'
      ) from error

  def compress(self, image: np.ndarray) -> bytes:
    """Returns the file of an image, `uint8[height, width, 3]`.

    Raises:
      ContainerError: if no file can hold it; says why.
      CodecError: if TensorFlow fails, as for want of memory.
    """
    return self._call(self._codec.compress, image).numpy()

  def decompress(self, data: bytes) -> np.ndarray:
    """Returns the image of a file.

    Raises:
      ContainerError: if the file is not this codec's, truncated, corrupt, or can't be decoded on
        this machine.
      CodecError: if TensorFlow fails, as for want of memory.
    """
    container.read_header(data)
    return self._call(self._codec.decompress, data).numpy()

  def evaluate(self, image: np.ndarray) -> tuple[bytes, np.ndarray, np.ndarray]:
    """Returns the file, estimated bits of each section, and the decoder's image."""
    result = self._call(self._codec.evaluate, image)
    return result['data'].numpy(), result['bits'].numpy(), result['reconstruction'].numpy()

  def _call(self, function, argument):
    try:
      return function(argument)
    except self._errors.OpError as error:
      reason = re.search(r'assertion failed: \[(.*?)\]', error.message)
      if reason is None:  # memory, for one
        raise CodecError(
          f'TensorFlow: {type(error).__name__}: {" ".join(error.message.split())[:200]}'
        ) from error
      raise container.ContainerError(reason[1]) from error
