"""Train-test mismatch and gradient noise of a training run (Sec. 4.5).

An annealed surrogate moves from much mismatch and little noise in its gradients to little mismatch
and much noise. Where a run stands is measured on the latents of images, at each of its checkpoints,
and with the newest checkpoint's networks also at other temperatures of the schedule.

For the rate and for the distortion, with mean `E` over images and noise,

    mismatch = E[training-time value] / E[value with rounding] - 1
    noise    = sum(Var[g]) / sum(E[g]^2)

where `g` is the gradient of the term with respect to the latent, variance and mean are over the
noise, and the sums are over the latent's elements and over images.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfusq import progress
from tfusq.analysis.studies import scales
from tfusq.analysis.study import AnalysisError
from tfusq.image_files import list_images, read_image
from tfusq.training import transfer
from tfusq.training.codec import Codec
from tfusq.transforms.pixels import from_uint8

_CROP = 256  # rows and columns
_LADDER_STEPS = 5


class State(NamedTuple):
  """Measurements with a checkpoint's networks at one temperature.

  Attributes:
    step: Step of the checkpoint.
    temperature: Temperature of the image's own latent in the distortion, or nan if it has none.
    rate_temperature: Its temperature in the rate, or nan if it has none.
    rate: Rate with rounding, in bits per pixel.
    rate_mismatch: Relative mismatch of the rate.
    distortion_mismatch: Relative mismatch of the distortion.
    rate_noise: Noise of the rate's gradient: variance over squared mean.
    distortion_noise: Noise of the distortion's gradient: variance over squared mean.
    bound: Lower bound of the scale.
    at_bound: Share of scales at the bound.
    small: Share of scales below 0.11.
  """

  step: int
  temperature: float
  rate_temperature: float
  rate: float
  rate_mismatch: float
  distortion_mismatch: float
  rate_noise: float
  distortion_noise: float
  bound: float
  at_bound: float
  small: float


class Diagnosis(NamedTuple):
  """Measurements of a run.

  Attributes:
    checkpoints: State of each checkpoint at its own temperature, the oldest first.
    ladder: States of the newest checkpoint at temperatures of its schedule, ascending; empty if the
      temperature is constant.
    estimator: Name of the distortion's gradient estimator.
  """

  checkpoints: list[State]
  ladder: list[State]
  estimator: str


def diagnose(codec: Codec, run: str, folder: str, count: int, draws: int) -> Diagnosis:
  """Measures a run at each of its checkpoints.

  Args:
    codec: Codec as the run's recipe builds it, its variables created.
    run: Run directory.
    folder: Folder that is searched for images, of which the middle is measured.
    count: Largest number of images.
    draws: Number of draws of the noise for each image, at least 2.

  Returns:
    The measurements.

  Raises:
    TransferError: if there is no checkpoint.
    AnalysisError: if the entropy model has no bounded scale, or an image is too small for the
      distortion.
    ImageError: if there are no images.
  """
  images = [_middle(read_image(path)) for path in list_images(folder)[:count]]
  measure = codec.distortion_measure
  smallest = min(min(image.shape[:2]) for image in images)
  if smallest < measure.least_side:
    raise AnalysisError(
      f'{type(measure).__name__} needs images with sides of at least {measure.least_side} pixels, '
      f'not {smallest} as in {folder}'
    )
  meter = _Meter(codec, images, draws)

  checkpoints = []
  for step in progress.track(transfer.steps(run), 'checkpoint'):
    transfer.restore_checkpoint(codec, run, step)
    codec.anneal(tf.constant(step, tf.int64))
    checkpoints.append(meter.state(step))

  _, distortion = _quantizers(codec)
  ladder = _climb(codec, meter, checkpoints[-1].step)
  return Diagnosis(checkpoints, ladder, type(distortion.estimator).__name__)


def _climb(codec, meter, step):
  """Measures the present networks at temperatures of the schedule up to a step."""
  steps = {}
  for rung in range(_LADDER_STEPS):
    earlier = step * rung // (_LADDER_STEPS - 1)
    codec.anneal(tf.constant(earlier, tf.int64))
    # Steps with equal temperatures are measured once.
    steps.setdefault(_temperatures(codec), earlier)
  if len(steps) == 1:
    return []

  ladder = []
  for _, earlier in progress.track(sorted(steps.items()), 'temperature'):
    codec.anneal(tf.constant(earlier, tf.int64))
    ladder.append(meter.state(step))
  return ladder


def _middle(image):
  """Returns the middle of an image, of at most `_CROP` rows and columns."""
  height, width = image.shape[:2]
  top = max(0, (height - _CROP) // 2)
  left = max(0, (width - _CROP) // 2)
  return image[top : top + _CROP, left : left + _CROP]


def _quantizers(codec):
  """Returns the rate's and the distortion's quantizer of the image's own latent."""
  return codec.quantizers[codec.model.image_latent]


def _temperatures(codec):
  """Returns the present temperatures in the distortion and in the rate, each a tuple."""
  rate, distortion = _quantizers(codec)
  return _values(distortion), _values(rate)


def _values(quantizer):
  return tuple(float(temperature) for temperature in quantizer.temperatures().values())


class _Meter:
  """Measures a codec on images; its functions are traced once for all checkpoints."""

  def __init__(self, codec: Codec, images: Sequence[np.ndarray], draws: int):
    """Initializer.

    Args:
      codec: Codec, whose variables and temperatures may change between measurements.
      images: Images, `uint8[height, width, 3]`.
      draws: Number of draws of the noise for each image.
    """
    self._codec = codec
    self._images = images
    self._draws = draws
    self._bound = scales.bound_of(codec)
    options = {'reduce_retracing': True, 'autograph': codec.needs_autograph}
    self._gradients = tf.function(codec.latent_gradients, **options)
    self._terms = tf.function(self._evaluate, **options)

  def state(self, step: int) -> State:
    """Returns the measurements with the codec as it is now, at a checkpoint's step."""
    terms, noise, estimated_scales = [], [], []
    for number, image in enumerate(self._images):
      x = from_uint8(image)[None]
      # Each draw is an image of its own for the codec, which draws noise by the image's number.
      first = number * self._draws
      indices = [tf.constant([first + draw], tf.int64) for draw in range(self._draws)]

      terms.append(np.mean([self._terms(x, index) for index in indices], 0))
      gradients = [self._gradients(x, index) for index in indices]
      rate_gradients, distortion_gradients = zip(*gradients, strict=True)
      noise.append([_moments(rate_gradients), _moments(distortion_gradients)])
      estimated_scales.append(scales.scales_of(self._codec, image))

    (rate, error), (true_rate, true_error) = np.mean(terms, 0)
    # Variance and squared mean are added up over images before they are divided.
    rate_moments, distortion_moments = np.sum(noise, 0)
    all_scales = np.concatenate(estimated_scales)
    temperatures, rate_temperatures = _temperatures(self._codec)
    return State(
      step=step,
      temperature=next(iter(temperatures), np.nan),
      rate_temperature=next(iter(rate_temperatures), np.nan),
      rate=float(true_rate),
      rate_mismatch=float(rate / true_rate - 1),
      distortion_mismatch=float(error / true_error - 1),
      rate_noise=_ratio(*rate_moments),
      distortion_noise=_ratio(*distortion_moments),
      bound=float(self._bound),
      at_bound=scales.share_at(all_scales, self._bound),
      small=scales.share_below(all_scales),
    )

  def _evaluate(self, x, index):
    """Returns rate and distortion in training, and the two with rounding."""
    soft, hard = self._codec.soft(x, index), self._codec.hard(x)
    return (soft.bpp, soft.measured), (hard.bpp, hard.measured)


def _moments(gradients) -> tuple[float, float]:
  """Returns a gradient's variance over samples and the square of its mean, sums over elements."""
  samples = np.stack(gradients).astype(np.float64)
  variance = samples.var(0, ddof=1).sum()
  # The square of a sample mean exceeds that of the mean by the variance of the sample mean.
  signal = (samples.mean(0) ** 2).sum() - variance / len(samples)
  return float(variance), float(signal)


def _ratio(variance, signal):
  # An estimated signal may be zero or negative, and the variance of a gradient without noise is 0.
  return float(variance / max(signal, 1e-12 * variance, 1e-300))
