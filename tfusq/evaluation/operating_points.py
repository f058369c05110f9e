"""Operating points: an exported codec, a training run, or a live anchor at one setting."""

import contextlib
import functools
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfusq import config, image_files, runs
from tfusq.curves.anchors import live
from tfusq.errors import Error
from tfusq.evaluation import metrics
from tfusq.evaluation.evaluate import Measure
from tfusq.evaluation.failures import EvaluationError
from tfusq.export import client, container
from tfusq.export.effort import Effort
from tfusq.training.codec import Codec
from tfusq.transforms import pixels


class Mismatch(Error, RuntimeError):
  """A decoded image that differs from the encoder's own reconstruction."""


class Choice(NamedTuple):
  """Which qualities of a codec of variable rate are evaluated: by default its levels.

  At most one of the attributes is given.

  Attributes:
    qualities: Qualities, rounded to steps; no codec of one quality is evaluated beside.
    lmbda: Lambda of the one quality to evaluate; codecs of one quality are evaluated as they are.
  """

  qualities: Sequence[float] = ()
  lmbda: float | None = None


LEVELS = Choice()


class ExportedPoint:
  """Operating point of a SavedModel codec, at one of its qualities."""

  def __init__(self, loader: 'Loader', step: int | None = None, effort: Effort | None = None):
    """Initializer.

    Args:
      loader: The codec.
      step: Quality step of a codec of variable rate; None for the only one of another.
      effort: Limits of the refinement of each image; None for none.

    Raises:
      CodecError: if it is to refine and can't.
    """
    self._loader = loader
    self._step = step
    self._effort = effort
    self._quality: float | None = None
    folder = loader.folder
    self.description = folder.description
    self.label = folder.identity

    # The identity is a hash of what decoding needs; another encoder may share it. The index of the
    # variables has a checksum of every weight.
    index = (folder.path / 'variables' / 'variables.index').read_bytes()
    identifying = type(self).__name__.encode() + folder.description_json + index
    if step is not None:
      stated = folder.require_qualities()
      self._quality = stated.quality(step)
      at_step = {'quality': self._quality, 'lmbda': stated.lmbda(step)}
      self.description = {**folder.description, **at_step}
      self.label = f'{folder.identity} {self._quality:g}'
      identifying += str(step).encode()
    if effort is not None:
      folder.require_refinement()
      self.description = {**self.description, 'effort': effort._asdict()}
      self.label += ' refined'
      identifying += str(effort).encode()
    self.key = hashlib.sha256(identifying).hexdigest()[:32]

  @contextlib.contextmanager
  def open(self) -> Iterator[Measure]:
    """Loads the codec and gives the function from an image to its measurements."""
    codec = self._loader.load()
    if self._effort is None:
      yield lambda image: measure(codec, image, self._compare, self._quality)
    else:
      refine = functools.partial(codec.refine, effort=self._effort, quality=self._quality)
      refine(np.zeros([16, 16, 3], np.uint8))  # as `Loader.load` does with the other functions
      yield lambda image: measure_refined(codec, image, refine, self._compare)

  def _compare(self, image: np.ndarray, decoded: np.ndarray) -> dict[str, float]:
    """Returns further measurements of a decoded image."""
    return {}


class Loader:
  """An exported codec that is loaded when it is first needed, once for all qualities.

  Attributes:
    folder: The codec's folder.
  """

  def __init__(self, path: str):
    """Finds the codec without loading it.

    Args:
      path: An exported codec, or a folder with one.

    Raises:
      CodecError: if there is none that compresses.
    """
    self.folder = client.find(path, compresses=True)
    self._codec: client.ExportedCodec | None = None

  def load(self) -> client.ExportedCodec:
    """Returns the loaded codec."""
    if self._codec is None:
      codec = client.ExportedCodec(self.folder)
      # The first call is slower, and would spoil the first image's times.
      codec.decompress(codec.compress(np.zeros([16, 16, 3], np.uint8)))
      self._codec = codec
    return self._codec

  def steps(self, choice: Choice) -> Sequence[int | None]:
    """Returns the quality steps to evaluate: by default, the levels; None of a fixed rate.

    Raises:
      CodecError: if qualities are asked for of a codec of one quality.
      QualityError: if the codec does not have them.
    """
    if self.folder.qualities is None and not choice.qualities:
      return [None]
    stated = self.folder.require_qualities()
    if choice.lmbda is not None:
      return [stated.step_of_lmbda(choice.lmbda)]
    if choice.qualities:
      return sorted({stated.step(quality) for quality in choice.qualities})
    return list(range(0, stated.last_step + 1, stated.steps_per_level))


class RunPoint(ExportedPoint):
  """Operating point of a training run at its newest checkpoint, with its train-test mismatch."""

  def __init__(
    self, codec: Codec, loader: Loader, step: int | None = None, effort: Effort | None = None
  ):
    """Initializer.

    Args:
      codec: The run's codec.
      loader: The same, exported.
      step: Quality step of a codec of variable rate; None for the only one of another.
      effort: Limits of the refinement of each image; None for none.
    """
    super().__init__(loader, step, effort)
    self._codec = codec

  @contextlib.contextmanager
  def open(self) -> Iterator[Measure]:
    """Loads the codec and gives the function from an image to its measurements."""
    mismatch = train_test_mismatch(self._codec, self.description['step'], self._step)
    with super().open() as measure_exported:
      yield lambda image: {**measure_exported(image), **mismatch(image)}

  def _compare(self, image, decoded):
    return trained_distortion(self._codec, image, decoded)


class AnchorPoint:
  """Operating point of a live anchor."""

  def __init__(self, anchor: live.LiveAnchor, setting: int):
    """Initializer.

    Args:
      anchor: The anchor.
      setting: One of the anchor's points.
    """
    self._anchor = anchor
    self._setting = setting
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
    """Gives the function from an image to its measurements."""
    yield self._measure

  def _measure(self, image: np.ndarray) -> dict[str, float]:
    coded = self._anchor.code(image, self._setting)
    return {
      **compare(image, coded.decoded, coded.bytes),
      'encoding_time': coded.encode_seconds,
      'decoding_time': coded.decode_seconds,
    }


def exported_points(
  path: str, choice: Choice = LEVELS, effort: Effort | None = None
) -> list[ExportedPoint]:
  """Returns the operating points of an exported codec: one, or one for each quality.

  Args:
    path: An exported codec, or a folder with one.
    choice: Qualities of a codec of variable rate.
    effort: Limits of the refinement of each image; None for none.

  Raises:
    CodecError: if there is no codec that compresses, or refines if it is to, or other qualities are
      asked of one that has one.
  """
  loader = Loader(path)
  return [ExportedPoint(loader, step, effort) for step in loader.steps(choice)]


def run_points(
  model_dir: str,
  gin_search_path: list[str],
  scratch: Path,
  choice: Choice = LEVELS,
  effort: Effort | None = None,
) -> list[RunPoint]:
  """Exports a run's codec, and returns its operating points.

  Args:
    model_dir: Run directory.
    gin_search_path: Folders with gin files.
    scratch: Folder to make for the exported codec.
    choice: Qualities of a codec of variable rate.
    effort: Limits of the refinement of each image, by the default one; None for none.

  Raises:
    TrainingError: if the directory holds no run.
    TransferError: if the run has no checkpoint.
    ExportError: if the run's codec has no bitstream.
    CodecError: if other qualities are asked of a codec that has one.
  """
  codec = runs.build_codec(model_dir, gin_search_path, [runs.DEFAULT_REFINEMENT])
  refinement = None if effort is None else config.build_configurable('Refinement')
  runs.export_codec(codec, model_dir, scratch, refinement=refinement)
  loader = Loader(str(scratch))
  return [RunPoint(codec, loader, step, effort) for step in loader.steps(choice)]


def anchor_points(name: str) -> list[AnchorPoint]:
  """Returns a live anchor at each of its settings.

  Args:
    name: Name of the anchor.

  Raises:
    AnchorError: if the anchor is not available; lists those that are, and what to install.
  """
  anchor = live.find_live(name)
  return [AnchorPoint(anchor, setting) for setting in anchor.points]


def measure(
  codec: client.ExportedCodec,
  image: np.ndarray,
  compare_further: Callable[[np.ndarray, np.ndarray], dict[str, float]] | None = None,
  quality: float | None = None,
) -> dict[str, float]:
  """Compresses, decompresses and compares one image.

  Args:
    codec: A loaded codec.
    image: `uint8[height, width, 3]`, RGB.
    compare_further: Function from the image and the decoded one to further measurements, or None.
    quality: Quality of a codec of variable rate; None for the default one.

  Returns:
    The measurements of `table.COLUMNS` that need real bytes.

  Raises:
    Mismatch: if the decoder does not give the encoder's reconstruction.
  """
  # Before the timed calls: TensorFlow prepares the networks for each size of an image when it first
  # meets it, which would count as that image's time.
  evaluated, bits, reconstruction = codec.evaluate(image, quality)

  start = time.perf_counter()
  data = codec.compress(image, quality)
  encoded = time.perf_counter()
  decoded = codec.decompress(data)
  end = time.perf_counter()

  if evaluated != data or not np.array_equal(decoded, reconstruction):
    raise Mismatch(
      'the decoder does not give what the encoder reconstructs, a defect of the codec or of this '
      'machine; its files are not to be relied on'
    )

  pixel_count = image.shape[0] * image.shape[1]
  return {
    **compare(image, decoded, len(data)),
    'coded-bpp': 8 * sum(container.read_header(data).sections) / pixel_count,
    'estimated-bpp': float(bits.sum()) / pixel_count,
    'encoding_time': encoded - start,
    'decoding_time': end - encoded,
    **(compare_further(image, decoded) if compare_further else {}),
  }


def measure_refined(
  codec: client.ExportedCodec,
  image: np.ndarray,
  refine: Callable[[np.ndarray], bytes],
  compare_further: Callable[[np.ndarray, np.ndarray], dict[str, float]],
) -> dict[str, float]:
  """Refines, decompresses and compares one image.

  Args:
    codec: A loaded codec.
    image: `uint8[height, width, 3]`, RGB.
    refine: Function from an image to a file.
    compare_further: Function from the image and the decoded one to further measurements.

  Returns:
    The measurements of `measure` but for the estimated rate.
  """
  start = time.perf_counter()
  data = refine(image)
  encoded = time.perf_counter()
  decoded = codec.decompress(data)
  end = time.perf_counter()
  return {
    **compare(image, decoded, len(data)),
    'coded-bpp': 8 * sum(container.read_header(data).sections) / (image.shape[0] * image.shape[1]),
    'encoding_time': encoded - start,
    'decoding_time': end - encoded,
    **compare_further(image, decoded),
  }


def compare(image: np.ndarray, decoded: np.ndarray, size: int) -> dict[str, float]:
  """Returns rate and quality of a decoded image.

  Args:
    image: Original, `uint8[height, width, 3]`, RGB.
    decoded: Decoded image of the same size.
    size: Length of the compressed file in bytes.

  Returns:
    The measurements of `table.COLUMNS` that need only the file's length and the images.
  """
  return {
    'bytes': size,
    'bpp': 8 * size / (image.shape[0] * image.shape[1]),
    'psnr-rgb': metrics.psnr(image, decoded),
    'ms-ssim-rgb': metrics.ms_ssim(image, decoded),
  }


def trained_distortion(codec: Codec, image: np.ndarray, decoded: np.ndarray) -> dict[str, float]:
  """Returns the distortion of a decoded image that its codec is trained for.

  Args:
    codec: A codec.
    image: Original, `uint8[height, width, 3]`, RGB.
    decoded: Decoded image of the same size.

  Returns:
    `distortion`, in its unit; NaN if the image is too small for it. Nothing where it is the mean
    squared error, which the PSNR tells.
  """
  x, reconstruction = (pixels.from_uint8(picture)[None] for picture in (image, decoded))
  return _distortion('distortion', codec, x, reconstruction)


def train_test_mismatch(codec: Codec, step: int, quality_step: int | None = None) -> Measure:
  """Returns the function from an image to its train-test mismatch (Sec. 4.2, 4.3).

  The measurements are the rate R~ and the distortion D~ of the training-time forward calculation,
  with soft quantization at the temperatures of `step`, and

      dR = R~ - R
      dD = 255^2 (D~ - D)

  where R and D are the rate and the mean squared error of the same networks with rounding. Rates
  are in bits per pixel and count all latents, the hyperlatents included; pixels are floats from 0
  to 1, neither rounded nor clipped. Noise is drawn once for an image, as a function of its content.

  Args:
    codec: A created codec.
    step: Training step that determines the temperatures.
    quality_step: Quality step of a codec of variable rate; None for the default one.

  Returns:
    Function that gives `surrogate-bpp`, R~; `surrogate-psnr-rgb`, D~ as a PSNR in dB;
    `rate-mismatch`, dR; and `distortion-mismatch`, dD. If the codec is trained for another
    distortion, it also gives `surrogate-distortion`, that of the training-time forward calculation.
  """
  codec.anneal(tf.constant(step, tf.int64))
  steps = None if quality_step is None else tf.constant([quality_step])

  @tf.function(
    input_signature=[tf.TensorSpec([1, None, None, 3]), tf.TensorSpec([1], tf.int64)],
    autograph=codec.needs_autograph,
  )
  def calculate(x, index):
    target = codec.target(steps)
    training, testing = codec.soft(x, index, target), codec.hard(x, target)
    return training.bpp, training.mse, testing.bpp, testing.mse, training.reconstruction

  def mismatch(image):
    # The noise is seeded by 32 bits of the hash.
    index = tf.constant([int(image_files.image_hash(image)[:8], 16)], tf.int64)
    x = pixels.from_uint8(image)[None]
    try:
      *terms, reconstruction = calculate(x, index)
    except tf.errors.OpError as error:
      raise EvaluationError(
        f'TensorFlow: {type(error).__name__} in the training-time forward'
      ) from error
    training_bpp, training_mse, testing_bpp, testing_mse = map(float, terms)
    return {
      'surrogate-bpp': training_bpp,
      'surrogate-psnr-rgb': -10 * np.log10(training_mse),
      'rate-mismatch': training_bpp - testing_bpp,
      'distortion-mismatch': 255**2 * (training_mse - testing_mse),
      **_distortion('surrogate-distortion', codec, x, reconstruction),
    }

  return mismatch


def _distortion(
  key: str, codec: Codec, x: tf.Tensor, reconstruction: tf.Tensor
) -> dict[str, float]:
  """Returns what `trained_distortion` does under a key, given images of floats from 0 to 1."""
  if codec.is_for_squared_error:
    return {}
  distortion = codec.distortion_measure
  if min(x.shape[1:3]) < distortion.least_side:
    return {key: math.nan}
  return {key: distortion.unit * float(distortion(x, reconstruction)[0])}
