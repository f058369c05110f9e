"""What refining a codec's latents saves, by the surrogates that stand in for rounding meanwhile.

The cost of a picture is `R + lambda D`, with the bits of its file, and the squared error or what
else the codec is trained for, of the decoded 8-bit picture. Differences are paired by image.
"""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from scipy import stats

from tfusq import progress
from tfusq.analysis.study import Study
from tfusq.curves import plot
from tfusq.evaluation import metrics
from tfusq.export import bitstream
from tfusq.export.effort import Effort
from tfusq.export.functions import Functions
from tfusq.image_files import list_images, read_image
from tfusq.refinement import Refinement, Refiner
from tfusq.training.codec import Codec
from tfusq.transforms import exact

_CONFIDENCE = 0.95
# Side of the picture that a codec is called with first, to be traced before the clock runs.
_FIRST_SIDE = 64


class Coded(NamedTuple):
  """A picture's file.

  Attributes:
    size: Length in bytes.
    psnr: PSNR of the decoded picture in dB.
    cost: `R + lambda D` in bits.
    seconds: Wall-clock time of encoding.
  """

  size: int
  psnr: float
  cost: float
  seconds: float


def measure(
  codec: Codec,
  refinements: Mapping[str, Refinement],
  folder: str,
  iterations: Sequence[int],
  quality: float | None = None,
  seed: int = 0,
) -> list[Study]:
  """Codes pictures plainly and with refined latents.

  Args:
    codec: Codec, its variables created.
    refinements: Pairs of surrogates and their settings, by name.
    folder: Folder that is searched for images.
    iterations: Numbers of iterations; 0 chooses the symbols by their rate alone.
    quality: Quality of a codec of variable rate; None for its default.
    seed: Seed of the surrogates' noise.

  Returns:
    A study with a row for each pair of surrogates, number of iterations and image, and one with the
    means over images.

  Raises:
    ExportError: if an entropy model has no bitstream for the way this codec quantizes.
    ImageError: if there are no images, or one can't be read.
  """
  paths = list_images(folder)
  first = np.zeros([_FIRST_SIDE, _FIRST_SIDE, 3], np.uint8)
  plain: dict[Path, Coded] = {}
  rows = []
  for name, refinement in refinements.items():
    subject = _Subject(codec, refinement, quality)
    # Whatever a picture is refined through, its plain file is the same.
    if not plain:
      subject.plain(first)
      plain = {path: subject.plain(read_image(path)) for path in paths}

    subject.refined(first, Effort(1))
    for path in progress.track(paths, f'{name}: image'):
      image = read_image(path)
      for number in iterations:
        refined = subject.refined(image, Effort(number, seed=seed))
        labels = {'pair': name, 'iterations': number, 'image': path.name}
        rows.append(labels | _row(plain[path], refined))

  means = _means(rows)
  return [
    Study('refinement', rows, _draw(rows), printed=False),
    Study('refinement_means', means, _draw_times(means)),
  ]


class _Subject:
  """A codec with one refinement, as it would be exported."""

  def __init__(self, codec: Codec, refinement: Refinement, quality: float | None):
    self._refiner = Refiner(codec.centred_model, refinement, codec.distortion_measure, codec.lmbda)
    coding = bitstream.make_coding(codec.centred_model)
    functions = Functions(coding, exact.Store(), refiner=self._refiner)
    self._decompress = functions.decompress
    if quality is None:
      self._quality = []
      self._step = coding.qualities.default_step
      self._compress, self._refine = functions.compress, functions.refine
    else:
      self._quality = [tf.constant(quality, tf.float32)]
      self._step = coding.qualities.step_of(*self._quality)
      self._compress, self._refine = functions.compress_at, functions.refine_at

  def plain(self, image: np.ndarray) -> Coded:
    return self._coded(image, self._compress)

  def refined(self, image: np.ndarray, effort: Effort) -> Coded:
    numbers = [tf.constant(number, dtype) for number, dtype in effort.numbers()]
    return self._coded(image, self._refine, *numbers)

  def _coded(self, image, function, *numbers):
    image = tf.constant(image)
    start = time.perf_counter()
    data = function(image, *numbers, *self._quality)['data_bytes']
    size = len(data.numpy())
    seconds = time.perf_counter() - start

    decoded = self._decompress(data)
    distortion = float(self._refiner.distortion(image, decoded, self._step))
    psnr = metrics.psnr(image.numpy(), decoded.numpy())
    return Coded(size, psnr, 8 * size + distortion, seconds)


def _row(plain: Coded, refined: Coded) -> dict[str, float]:
  row = {f'plain_{name}': value for name, value in plain._asdict().items()}
  row |= refined._asdict()
  return row | {'change_percent': 100 * (refined.cost / plain.cost - 1)}


def _means(rows: Sequence[dict]) -> list[dict]:
  """Returns a row for each pair and number of iterations, the cheapest first within a number."""
  groups: dict[tuple[int, str], list[dict]] = {}
  for row in rows:
    groups.setdefault((row['iterations'], row['pair']), []).append(row)

  means = []
  for (iterations, pair), group in groups.items():
    changes = np.array([row['change_percent'] for row in group])
    seconds = sum(row['seconds'] for row in group)
    mean = {
      'pair': pair,
      'iterations': iterations,
      'images': len(group),
      'cost_percent': changes.mean(),
      'half_width': _half_width(changes),
      'rate_percent': 100 * (_total(group, 'size') / _total(group, 'plain_size') - 1),
      'psnr_db': np.mean([row['psnr'] - row['plain_psnr'] for row in group]),
      'seconds': seconds / len(group),
      'times_plain': seconds / _total(group, 'plain_seconds'),
    }
    means.append(mean)
  return sorted(means, key=lambda mean: (mean['iterations'], mean['cost_percent']))


def _total(rows: Sequence[dict], name: str) -> float:
  return sum(row[name] for row in rows)


def _half_width(values: np.ndarray) -> float:
  """Returns half of the width of Student's interval for a mean; NaN of a single value."""
  count = len(values)
  if count < 2:
    return math.nan
  deviation = values.std(ddof=1) / math.sqrt(count)
  return float(stats.t.ppf((1 + _CONFIDENCE) / 2, count - 1) * deviation)


def _draw(rows: Sequence[dict]) -> Figure:
  """Draws the change of the cost of each image."""
  series: dict[str, list[float]] = {}
  for row in rows:
    label = f'{row["pair"]}, {row["iterations"]} iterations'
    series.setdefault(label, []).append(row['change_percent'])

  with matplotlib.rc_context(plot.STYLE):
    figure = Figure(figsize=(8, 1.5 + 0.35 * len(series)), layout='constrained')
    axes = figure.add_subplot()
    for place, changes in enumerate(series.values()):
      axes.plot(changes, [place] * len(changes), 'o', color='C0', alpha=0.5)
      axes.plot(np.mean(changes), place, '|', color='black', markersize=14)
    axes.set_yticks(range(len(series)), series)
    axes.invert_yaxis()
    axes.axvline(0, color='0.5', linestyle=':')
    axes.set_xlabel('change of R + lambda D by refinement [%], images and mean')
  return figure


def _draw_times(means: Sequence[dict]) -> Figure:
  """Draws the mean change of the cost over the time that it takes."""
  with matplotlib.rc_context(plot.STYLE):
    figure = Figure(figsize=(8, 5.5), layout='constrained')
    axes = figure.add_subplot()
    pairs = dict.fromkeys(mean['pair'] for mean in means)
    for number, pair in enumerate(pairs):
      own = [mean for mean in means if mean['pair'] == pair]
      axes.errorbar(
        [mean['times_plain'] for mean in own],
        [mean['cost_percent'] for mean in own],
        yerr=[mean['half_width'] for mean in own],
        marker=plot.marker(number),
        capsize=3,
        label=pair,
      )
    axes.set_xscale('log')
    axes.xaxis.set_major_formatter('{x:g}')
    axes.xaxis.set_minor_formatter('{x:g}')
    axes.set(
      xlabel='encoding time over that of the plain encoding',
      ylabel='change of R + lambda D [%], 95 % interval',
    )
    axes.legend()
  return figure
