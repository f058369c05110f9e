"""What can be evaluated: an exported codec, a training run, a live anchor at one setting."""

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfusq import image_files, runs
from tfusq.curves.anchors import live
from tfusq.errors import Error
from tfusq.evaluation import metrics
from tfusq.evaluation.evaluate import Measure
from tfusq.export import client, container
from tfusq.training.codec import Codec


class Mismatch(Error, RuntimeError):
  """A decoded image that differs from the encoder's own reconstruction."""


class ExportedPoint:
  """A SavedModel codec."""

  def __init__(self, path: str):
    """Finds it without loading it.

    Args:
      path: An exported codec, or a folder with one.

    Raises:
      CodecError: if there is none that compresses.
    """
    self._path = client.find(path, compresses=True)
    description = (self._path / client.DESCRIPTION).read_bytes()
    self.description = json.loads(description)
    self.label = self.description['identity']
    # The identity is of what decoding needs; the index has a checksum of every weight.
    index = (self._path / 'variables' / 'variables.index').read_bytes()
    self.key = hashlib.sha256(type(self).__name__.encode() + description + index).hexdigest()[:32]

  @contextlib.contextmanager
  def open(self) -> Iterator[Measure]:
    """Gives the function from an image to its figures; loads the codec."""
    codec = client.ExportedCodec(self._path)
    codec.decompress(codec.compress(np.zeros([16, 16, 3], np.uint8)))  # the first call is slower
    yield lambda image: measure(codec, image)


class RunPoint(ExportedPoint):
  """A training run at its newest checkpoint, with its train-test mismatch."""

  def __init__(self, model_dir: str, gin_search_path: list[str], scratch: Path):
    """Exports its codec.

    Args:
      model_dir: Run directory.
      gin_search_path: Folders.
      scratch: Folder for the exported codec.

    Raises:
      TrainingError: if it is no run.
      TransferError: if it has no checkpoint.
      ExportError: if its codec has no bitstream.
    """
    self._codec = runs.build_codec(model_dir, gin_search_path)
    runs.export_codec(self._codec, model_dir, scratch)
    super().__init__(str(scratch))

  @contextlib.contextmanager
  def open(self) -> Iterator[Measure]:
    """Gives the function from an image to its figures; loads the codec."""
    mismatch = train_test_mismatch(self._codec, self.description['step'])
    with super().open() as real:
      yield lambda image: {**real(image), **mismatch(image)}


class AnchorPoint:
  """A live anchor at one of its settings."""

  def __init__(self, anchor: live.LiveAnchor, setting: int):
    """Initializer.

    Args:
      anchor: Which.
      setting: One of its points.
    """
    self._anchor, self._setting = anchor, setting
    self.description = {
      'anchor': anchor.name,
      'description': anchor.description,
      'setting': setting,
      'versions': live.versions(),
    }
    self.label = f'{anchor.name} {setting}'
    self.key = hashlib.sha256(json.dumps(self.description).encode()).hexdigest()[:32]

  @contextlib.contextmanager
  def open(self) -> Iterator[Measure]:
    """Gives the function from an image to its figures."""
    yield self._measure

  def _measure(self, image):
    coded = self._anchor.code(image, self._setting)
    return {
      **compare(image, coded.decoded, coded.bytes),
      'encoding_time': coded.encode_seconds,
      'decoding_time': coded.decode_seconds,
    }


def anchor_points(name: str) -> list[AnchorPoint]:
  """Returns a live anchor at each of its settings.

  Raises:
    AnchorError: if it is not there; says what is, and what to install.
  """
  anchor = live.find_live(name)
  return [AnchorPoint(anchor, setting) for setting in anchor.points]


def measure(codec: client.ExportedCodec, image: np.ndarray) -> dict[str, float]:
  """Compresses, decompresses and compares one image, `uint8[height, width, 3]`.

  Returns:
    The figures of `evaluate.FIGURES` that need real bytes.

  Raises:
    Mismatch: if the decoder does not give the encoder's reconstruction.
  """
  start = time.perf_counter()
  written = codec.compress(image)
  encoded = time.perf_counter()
  decoded = codec.decompress(written)
  end = time.perf_counter()
  again, bits, reconstruction = codec.evaluate(image)
  if again != written or not np.array_equal(decoded, reconstruction):
    raise Mismatch('the decoder does not give what the encoder reconstructs')
  pixels = image.shape[0] * image.shape[1]
  return {
    **compare(image, decoded, len(written)),
    'coded-bpp': 8 * sum(container.read_header(written).sections) / pixels,
    'estimated-bpp': float(bits.sum()) / pixels,
    'encoding_time': encoded - start,
    'decoding_time': end - encoded,
  }


def compare(image: np.ndarray, decoded: np.ndarray, size: int) -> dict[str, float]:
  """Returns rate and quality of a decoded image whose file has `size` bytes."""
  return {
    'bytes': size,
    'bpp': 8 * size / (image.shape[0] * image.shape[1]),
    'psnr-rgb': metrics.psnr(image, decoded),
    'ms-ssim-rgb': metrics.ms_ssim(image, decoded),
  }


def train_test_mismatch(codec: Codec, step: int) -> Measure:
  """Returns the function from an image to its train-test mismatch (Sec. 4.2, 4.3).

  The rate and distortion of the training-time forward calculation, at the temperatures of `step`,
  and what rounding adds or saves: everything is on floats, and z counts as y does. Noise is drawn
  once for an image, as a function of its content.
  """
  codec.anneal(tf.constant(step, tf.int64))

  @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3]), tf.TensorSpec([1], tf.int64)])
  def figures(x, index):
    soft, hard = codec.soft(x, index), codec.hard(x)
    return soft.bpp, soft.mse, hard.bpp, hard.mse

  def mismatch(image):
    index = int(image_files.image_hash(image)[:8], 16)
    x = tf.image.convert_image_dtype(image, tf.float32)[None]
    soft_rate, soft_error, hard_rate, hard_error = (
      float(value) for value in figures(x, tf.constant([index], tf.int64))
    )
    return {
      'surrogate-bpp': soft_rate,
      'surrogate-psnr-rgb': -10 * np.log10(soft_error),
      'rate-mismatch': soft_rate - hard_rate,
      'distortion-mismatch': 255**2 * (soft_error - hard_error),
    }

  return mismatch
