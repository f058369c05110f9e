"""An exported codec from Python: what the command line uses."""

import json
import os
import re
from pathlib import Path

import numpy as np

from tfusq import container

DESCRIPTION = 'codec.json'


class CodecNotFound(RuntimeError):
  """No codec, or not the one that a file needs."""


def find(path: str | os.PathLike, identity: str | None = None) -> Path:
  """Finds a codec without loading it.

  Args:
    path: An exported codec, or a folder that holds several.
    identity: The one wanted, hexadecimal; None if there must be only one.

  Returns:
    The exported codec's folder.

  Raises:
    CodecNotFound: if there is none, or more than one to choose from; lists those there are.
  """
  codecs = {}
  for description in sorted([Path(path) / DESCRIPTION, *Path(path).glob(f'*/{DESCRIPTION}')]):
    if description.is_file():
      codecs.setdefault(json.loads(description.read_text())['identity'], description.parent)
  if not codecs:
    raise CodecNotFound(f'no exported codec in {path}')
  listing = ', '.join(f'{folder} ({name})' for name, folder in codecs.items())
  if identity is not None:
    if identity not in codecs:
      raise CodecNotFound(f'the file was written by codec {identity}; there are: {listing}')
    return codecs[identity]
  if len(codecs) > 1:
    raise CodecNotFound(f'{path} holds several codecs, name one: {listing}')
  return next(iter(codecs.values()))


class ExportedCodec:
  """A SavedModel codec."""

  def __init__(self, path: str | os.PathLike):
    """Loads it (and TensorFlow).

    Args:
      path: An exported codec's folder.
    """
    import tensorflow as tf
    import tensorflow_compression  # noqa: F401  (registers the operations)
    self._errors = tf.errors
    self._codec = tf.saved_model.load(str(path))
    self.description = json.loads((Path(path) / DESCRIPTION).read_text())

  def compress(self, image: np.ndarray) -> bytes:
    """Returns the file of an image, `uint8[height, width, 3]`.

    Raises:
      ContainerError: if no file can hold it; says why.
    """
    return self._call(self._codec.compress, image).numpy()

  def decompress(self, data: bytes) -> np.ndarray:
    """Returns the image of a file.

    Raises:
      ContainerError: if the file is not this codec's, truncated, corrupt, or can't be decoded on
        this machine.
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
      if reason is None:
        raise
      raise container.ContainerError(reason[1]) from error
