"""Where a training run is between train-test mismatch and gradient estimation risk (Sec. 4.5).

At each of a run's checkpoints, on the latents of images: the mismatch of rate and distortion, the
noise in the gradients of both terms, and the scales at the bound; of the newest also at the
temperatures of its schedule. And what to change, by rules whose thresholds stand beside them.
"""

from typing import NamedTuple

import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from tqdm import tqdm

from tfusq.analysis.studies import scales
from tfusq.analysis.study import Study
from tfusq.curves import plot
from tfusq.image_files import list_images, read_image
from tfusq.training import transfer
from tfusq.training.codec import Codec

_SIDE = 256  # of the crops that are measured
_RUNGS = 5  # temperatures of the schedule
_EDGE = 1e3  # of the picture, on both axes

# Thresholds of the rules.
GREATEST_MISMATCH = 0.02  # of rate or distortion
GREATEST_NOISE = 4.0  # variance of the distortion's gradient over its squared mean; AUN has 2
SMALL_BOUND = 0.08  # the paper's good range begins at 0.11 for Gaussians, 0.08 for Laplacians
GREATEST_SMALL_SHARE = 0.3  # of scales below 0.11
GREATEST_BOUND_SHARE = 0.95  # of scales at the bound


class State(NamedTuple):
  """What was measured with a checkpoint's networks at one temperature.

  Attributes:
    step: Of the checkpoint.
    temperature: The image's latent's in the distortion term, or nan.
    rate_temperature: In the rate term, or nan.
    rate: With rounding, bits per pixel.
    rate_mismatch: The training-time rate less that, over it.
    distortion_mismatch: Likewise of the squared error.
    rate_noise: Variance over the noise of the rate's gradient with respect to the latent, over its
      squared mean.
    distortion_noise: Likewise of the distortion's.
    bound: Of the scale.
    at_bound: Share of scales there.
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
  """What was measured of a run.

  Attributes:
    checkpoints: Of each at its own temperature, the oldest first.
    ladder: Of the newest at temperatures of its schedule, ascending; empty if it has one only.
    estimator: Name of the distortion's.
  """

  checkpoints: list[State]
  ladder: list[State]
  estimator: str


def diagnose(codec: Codec, run: str, folder: str, count: int, draws: int) -> Diagnosis:
  """Measures a run at each of its checkpoints.

  Args:
    codec: As the run's recipe builds it, created.
    run: Run directory.
    folder: Searched for images, whose middles are measured.
    count: How many of them, at most.
    draws: Of the noise, for each.

  Raises:
    TransferError: if there is no checkpoint.
    AnalysisError: if the entropy model has no bounded scale.
    ImageError: if there are no images.
  """
  images = [_middle(read_image(path)) for path in list_images(folder)[:count]]
  meter = _Meter(codec, images, draws)
  states = []
  for path in tqdm(transfer.checkpoints(run), unit='checkpoint'):
    step = transfer.restore_checkpoint(codec, path)
    codec.anneal(tf.constant(step, tf.int64))
    states.append(meter.state(step))
  last, ladder = states[-1], {}
  for rung in range(_RUNGS):
    codec.anneal(tf.constant(last.step * rung // (_RUNGS - 1), tf.int64))
    ladder.setdefault(_temperatures(codec), rung)
  found = []
  if len(ladder) > 1:
    for _, rung in tqdm(sorted(ladder.items()), unit='temperature'):
      codec.anneal(tf.constant(last.step * rung // (_RUNGS - 1), tf.int64))
      found.append(meter.state(last.step))
  *_, (_, distortion) = codec.quantizers.values()
  return Diagnosis(states, found, type(distortion.estimator).__name__)


def _middle(image):
  top, left = (max(0, (size - _SIDE) // 2) for size in image.shape[:2])
  return image[top : top + _SIDE, left : left + _SIDE]


class _Meter:
  """Measures a codec on images; traced once for all its checkpoints."""

  def __init__(self, codec, images, draws):
    self._codec, self._images, self._draws = codec, images, draws
    self._bound = scales.bound_of(codec)
    self._gradients = tf.function(codec.latent_gradients, reduce_retracing=True)
    self._figures = tf.function(
      lambda x, index: (codec.soft(x, index)[:2], codec.hard(x)[:2]), reduce_retracing=True
    )

  def state(self, step):
    """Returns what is measured with the codec as it is now."""
    terms, noise, estimated = [], [], []
    for number, image in enumerate(self._images):
      x = tf.image.convert_image_dtype(image, tf.float32)[None]
      drawn = [tf.constant([number * self._draws + draw], tf.int64) for draw in range(self._draws)]
      terms.append(np.mean([self._figures(x, index) for index in drawn], 0))
      samples = zip(*(self._gradients(x, index) for index in drawn))
      noise.append([_noise(gradients) for gradients in samples])
      estimated.append(scales.scales_of(self._codec, image))
    (rate, error), (true_rate, true_error) = np.mean(terms, 0)
    found = np.concatenate(estimated)
    # Variance and squared mean add up over images before they are divided.
    rate_noise, distortion_noise = (
      variance / max(signal, 1e-12 * variance, 1e-300) for variance, signal in np.sum(noise, 0)
    )
    return State(
      step,
      *(next(iter(each), np.nan) for each in _temperatures(self._codec)),
      float(true_rate),
      float(rate / true_rate - 1),
      float(error / true_error - 1),
      float(rate_noise),
      float(distortion_noise),
      float(self._bound),
      scales.share_at(found, self._bound),
      scales.share_below(found),
    )


def _noise(samples) -> tuple[float, float]:
  """Returns the variance over samples of a gradient, and the unbiased square of its mean."""
  samples = np.stack(samples).astype(np.float64)
  variance = samples.var(0, ddof=1).sum()
  signal = (samples.mean(0) ** 2).sum() - variance / len(samples)
  return float(variance), float(signal)


def _temperatures(codec):
  """The last latent's in the distortion term and in the rate term."""
  *_, (rate, distortion) = codec.quantizers.values()
  return tuple(
    tuple(map(float, quantizer.temperatures().values())) for quantizer in (distortion, rate)
  )


def recommend(diagnosis: Diagnosis) -> list[str]:
  """Returns what to change, a sentence for each rule that the newest checkpoint trips."""
  last = diagnosis.checkpoints[-1]
  noisy = last.distortion_noise > GREATEST_NOISE
  found = [_less_noise(diagnosis, last)] if noisy else []
  mismatched = abs(last.rate_mismatch) > GREATEST_MISMATCH
  if mismatched:
    found.append(
      f'the training-time rate is {100 * last.rate_mismatch:+.1f} % off (more than '
      f'{100 * GREATEST_MISMATCH:g} %): {_less_mismatch(last, noisy)}'
    )
  if abs(last.distortion_mismatch) > GREATEST_MISMATCH:
    found.append(
      f'the training-time distortion is {100 * last.distortion_mismatch:+.1f} % off (more than '
      f'{100 * GREATEST_MISMATCH:g} %): train a post stage, or take rounding with STE for the '
      'distortion'
    )
  if last.at_bound > GREATEST_BOUND_SHARE and not (mismatched and _bound_is_small(last)):
    found.append(
      f'{100 * last.at_bound:.0f} % of the scales are at the bound of {last.bound:g} (more than '
      f'{100 * GREATEST_BOUND_SHARE:g} %), so that the entropy model hardly adapts: lower the '
      'bound, or raise lambda'
    )
  return found


def _less_noise(diagnosis, last):
  # The difference of none is nan.
  quieter = [
    state
    for state in diagnosis.ladder
    if state.distortion_noise <= GREATEST_NOISE and abs(state.temperature - last.temperature) > 0
  ]
  if quieter:
    nearest = min(quieter, key=lambda state: abs(state.temperature - last.temperature))
    advice = (
      f'the temperature of {last.temperature:.3g} is too far; at {nearest.temperature:.3g} '
      f'the same networks have {nearest.distortion_noise:.2g}'
    )
  elif diagnosis.estimator != 'STE':
    advice = f'take STE in place of {diagnosis.estimator} for the distortion'
  else:
    advice = 'take a surrogate of less noise, or greater batches'
  return (
    f'the gradient of the distortion has {last.distortion_noise:.2g} times as much noise as '
    f'signal (more than {GREATEST_NOISE:g}): {advice}'
  )


def _bound_is_small(last):
  return last.bound < SMALL_BOUND and last.small > GREATEST_SMALL_SHARE


def _less_mismatch(last, noisy):
  if _bound_is_small(last):
    return (
      f'{100 * last.small:.0f} % of the scales are below 0.11, where no surrogate estimates '
      f'well: raise the bound from {last.bound:g} to 0.11'
    )
  if np.isnan(last.rate_temperature):
    return 'take an annealed surrogate such as SUA'
  return 'train a post stage' if noisy else 'anneal further'


def study(diagnosis: Diagnosis) -> Study:
  """Returns the figures, with a picture of the way between mismatch and risk."""
  with matplotlib.rc_context(plot.STYLE):
    figure = Figure(figsize=(12, 5.4), layout='constrained')
    rate, distortion = figure.subplots(1, 2, sharex=True, sharey=True)
    greatest = np.max(
      [
        _way(rate, diagnosis, 'rate', 'rate_temperature'),
        _way(distortion, diagnosis, 'distortion', 'temperature'),
      ],
      0,
    )
    distortion.axhline(GREATEST_NOISE, color='0.5', linestyle=':')
    rate.set_ylabel('noise of the gradient: variance / squared mean')
    # Both may be exactly 0: EP's gradient has no noise, rounding no mismatch.
    rate.set_xscale('symlog', linthresh=1)
    rate.set_xlim(-0.1, max(10, 2 * greatest[0]))
    rate.set_yscale('symlog', linthresh=0.1)
    rate.set_ylim(-0.03, max(10, 2 * greatest[1]))
    for axis in rate.xaxis, rate.yaxis:
      axis.set_major_formatter('{x:g}')
    named = {
      line.get_label(): line
      for axes in (rate, distortion)
      for line in axes.get_lines()
      if not line.get_label().startswith('_')
    }
    figure.legend(named.values(), named, loc='outside lower center', ncols=4)
  rows = [
    {'at': name, **state._asdict()}
    for name, states in (('checkpoint', diagnosis.checkpoints), ('ladder', diagnosis.ladder))
    for state in states
  ]
  return Study('run', rows, figure)


def _way(axes, diagnosis, term, temperature):
  """Draws one term; returns its greatest mismatch in percent, and its greatest noise."""
  annealed = [state for state in diagnosis.ladder if not np.isnan(getattr(state, temperature))]
  # What is beyond is drawn at the edge: noise without any signal has no end.
  checkpoints, ladder = (
    [
      (
        min(100 * abs(getattr(state, f'{term}_mismatch')), _EDGE),
        min(getattr(state, f'{term}_noise'), _EDGE),
      )
      for state in states
    ]
    for states in (diagnosis.checkpoints, annealed)
  )
  for points, color, label in (
    (ladder, 'C0', 'the newest at other temperatures'),
    (checkpoints, 'C1', 'checkpoints'),
  ):
    if points:
      axes.plot(*zip(*points), color=color, marker='o', label=label)
  axes.plot(
    *checkpoints[-1],
    linestyle='',
    marker='o',
    markersize=11,
    fillstyle='none',
    color='black',
    label=f'the newest, step {diagnosis.checkpoints[-1].step}',
  )
  # Those between stay nameless: the points of a converged run crowd.
  for point, state in list(zip(ladder, annealed))[:: max(1, len(ladder) - 1)]:
    axes.annotate(
      f'temperature {getattr(state, temperature):.3g}',
      point,
      xytext=(0, 9),
      textcoords='offset points',
      fontsize=8,
      ha='center',
    )
  axes.axvline(100 * GREATEST_MISMATCH, color='0.5', linestyle=':', label='thresholds of the rules')
  axes.set(title=term, xlabel='|train-test mismatch| [%]')
  return np.nanmax(checkpoints + ladder, 0, initial=0)
