"""Scales that trained codecs estimate over images, and their share at the lower bound (Fig. 8).

A scale so small that the latent is rounded to its centre costs next to no bits, and below about
0.11 a 16-bit table is the same for all scales. Training with additive uniform noise still estimates
a rate there, so that scales at the lower end add to the train-test mismatch; a lower bound of the
scale keeps them out (Sec. 5.1).
"""

from collections.abc import Iterable, Sequence

import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tfusq import progress
from tfusq.analysis.study import AnalysisError, Study
from tfusq.curves import plot
from tfusq.image_files import list_images, read_image
from tfusq.training.codec import Codec
from tfusq.transforms.pixels import from_uint8

# Smallest scale at which a 16-bit table of a zero-mean Gaussian still depends on the scale, about.
SMALL_SCALE = 0.11

# Scales up to this factor above the bound are at it: float32's logarithm does not tell them apart.
_AT_BOUND = 1.001

_PERCENTILES = (1, 10, 25, 50, 75, 90, 99)

# Histograms over log10 of the scale.
_BINS_PER_DECADE = 10
_FIRST_DECADE, _LAST_DECADE = -7, 3


def quantizers_of(codec: Codec) -> str:
  """Returns the quantizers of the image's own latent, such as `SUA+EP | SUA+STE`."""
  rate, distortion = codec.quantizers[codec.model.image_latent]
  return f'{_name(rate)} | {_name(distortion)}'


def _name(quantizer):
  return f'{type(quantizer.surrogate).__name__}+{type(quantizer.estimator).__name__}'


def measure(codecs: Iterable[Codec], folder: str, count: int | None = None) -> list[Study]:
  """Collects the scales of the image's own latent over images, with rounding.

  Args:
    codecs: Codecs whose entropy model has a bounded scale; they are numbered from 1.
    folder: Folder that is searched for images.
    count: Largest number of images, or None for all.

  Returns:
    A study of percentiles, with a row for each codec, and a study of histograms.

  Raises:
    AnalysisError: if an entropy model has no bounded scale, or one that is not finite.
    ImageError: if there are no images.
  """
  paths = list_images(folder)[:count]
  percentiles, histograms = [], []
  for number, codec in enumerate(codecs, 1):
    bound = bound_of(codec)
    scales = _scales_of_images(codec, paths, f'codec {number}')
    if not np.isfinite(scales).all():
      raise AnalysisError(f'codec {number} estimates scales that are not finite')

    columns = {
      'codec': number,
      'quantizers': quantizers_of(codec),
      'bound': float(bound),
      'lambda': codec.lmbda,
    }
    percentiles.append(columns | _summary(scales, bound))
    histograms += [columns | row for row in _histogram(scales)]

  figure = _draw(histograms)
  return [
    Study('scales', percentiles, figure),
    Study('scales_histogram', histograms, figure, printed=False),
  ]


def _scales_of_images(codec, paths, description):
  scales = []
  for path in progress.track(paths, 'image', description):
    scales.append(scales_of(codec, read_image(path)))
  return np.concatenate(scales)


def _summary(scales, bound):
  row = {'at_bound': share_at(scales, bound), 'below_0.11': share_below(scales)}
  for percent in _PERCENTILES:
    row[f'percentile_{percent}'] = float(np.percentile(scales, percent))
  return row


def _histogram(scales):
  """Returns a row for each bin from the first to the last that is not empty."""
  bins = _BINS_PER_DECADE * (_LAST_DECADE - _FIRST_DECADE)
  edges = np.linspace(_FIRST_DECADE, _LAST_DECADE, bins + 1)
  middles = (edges[1:] + edges[:-1]) / 2
  logarithms = np.clip(np.log10(scales), _FIRST_DECADE, _LAST_DECADE)
  counts, _ = np.histogram(logarithms, edges)
  shares = counts / len(scales)

  filled = np.flatnonzero(shares)
  rows = []
  for index in range(filled[0], filled[-1] + 1):
    rows.append({'log10_scale': float(middles[index]), 'share': float(shares[index])})
  return rows


def scales_of(codec: Codec, image: np.ndarray) -> np.ndarray:
  """Returns the bounded scales of the image's own latent, as estimated with rounding.

  Args:
    codec: Codec, its variables created.
    image: `uint8[height, width, 3]`.

  Returns:
    Scales of all elements of the latent, `float32[elements]`.
  """
  scales = []
  for part, parameters in codec.entropy_parameters(from_uint8(image)[None]):
    if part.latent == codec.model.image_latent:
      scales.append(_flat_scales(parameters))
  return np.concatenate(scales)


def _flat_scales(parameters):
  return np.ravel(tf.exp(parameters.log_scale))


def share_at(scales: np.ndarray, bound: float) -> float:
  """Returns the share of scales at the bound.

  Args:
    scales: Scales, one-dimensional.
    bound: Lower bound of the scales.

  Returns:
    The share, 0 to 1.
  """
  return float((scales <= _AT_BOUND * bound).mean())


def share_below(scales: np.ndarray) -> float:
  """Returns the share of scales below 0.11; a scale at a bound of 0.11 is not below."""
  return float((scales < SMALL_SCALE / _AT_BOUND).mean())


def bound_of(codec: Codec) -> float:
  """Returns the lower bound of the scale of the image's own latent.

  Args:
    codec: Codec, its variables created.

  Raises:
    AnalysisError: if its entropy model has no bounded scale.
  """
  entropy_model = codec.model.entropy_models[codec.model.image_latent]
  if hasattr(entropy_model, 'bound'):
    parameters = entropy_model.parameters(tf.zeros([1, 1, 1, entropy_model.channels]))
    if hasattr(parameters, 'log_scale'):
      return entropy_model.bound
  raise AnalysisError(f'{type(entropy_model).__name__} has no bounded scale')


def _draw(rows: Sequence[dict]) -> Figure:
  """Draws a panel for each pair of quantizers, in it a line for each codec with them."""
  titles = list(dict.fromkeys(row['quantizers'] for row in rows))
  labels = _labels(rows)
  styles = _styles(dict.fromkeys(labels.values()))

  with matplotlib.rc_context(plot.STYLE):
    figure = Figure(figsize=(4.5 * len(titles) + 3, 4.5), layout='constrained')
    panels = figure.subplots(1, len(titles), sharex=True, sharey=True, squeeze=False)[0]
    for axes, title in zip(panels, titles, strict=True):
      shown = [row for row in rows if row['quantizers'] == title]
      _draw_codecs(axes, shown, labels, styles)
      axes.set(title=title, xlabel='estimated scale', xscale='log', yscale='log')

    panels[0].set_ylabel(f'share of latents in a {_BINS_PER_DECADE}th of a decade')
    lines = [Line2D([], [], **style) for style in styles.values()]
    plot.add_legend(figure, lines, list(styles), loc='outside right upper')
  return figure


def _draw_codecs(
  axes: Axes, rows: Sequence[dict], labels: dict[int, str], styles: dict[str, dict]
) -> None:
  for codec in dict.fromkeys(row['codec'] for row in rows):
    shown = [row for row in rows if row['codec'] == codec]
    scales = [10 ** row['log10_scale'] for row in shown]
    # An empty bin interrupts the line, since its axis is logarithmic.
    shares = [row['share'] or np.nan for row in shown]
    axes.plot(scales, shares, **styles[labels[codec]])


def _styles(labels):
  """Returns a line style for each label, the same in all panels."""
  styles = {}
  for number, label in enumerate(labels):
    styles[label] = {'color': f'C{number % 10}', 'marker': plot.marker(number), 'markersize': 4}
  return styles


def _labels(rows):
  """Returns a label for each codec; codecs with the same in one panel get their number."""
  labels, taken = {}, set()
  for row in rows:
    codec, quantizers = row['codec'], row['quantizers']
    if codec in labels:
      continue
    label = f'bound {row["bound"]:g}, lambda {row["lambda"]:g}'
    if (quantizers, label) in taken:
      label += f', codec {codec}'
    taken.add((quantizers, label))
    labels[codec] = label
  return labels
