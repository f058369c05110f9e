"""The scales that trained codecs estimate over images, and how many sit at the bound (Fig. 8)."""

from collections.abc import Iterable, Sequence

import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from tqdm import tqdm

from tfusq.analysis.study import AnalysisError, Study
from tfusq.curves import plot
from tfusq.image_files import list_images, read_image
from tfusq.training.codec import Codec

_QUANTILES = (1, 10, 25, 50, 75, 90, 99)
_AT_BOUND = 1.001  # scales so little above are at it, up to float32's logarithm
_PER_DECADE = 10
_DECADES = (-7, 3)


def quantizers_of(codec: Codec) -> str:
  """Returns what the rate and the distortion see of a codec's last latent in training."""
  *_, latent = codec.quantizers
  return ' | '.join(
    f'{type(each.surrogate).__name__}+{type(each.estimator).__name__}'
    for each in codec.quantizers[latent]
  )


def measure(codecs: Iterable[Codec], folder: str, count: int | None = None) -> list[Study]:
  """Collects the scales of the image's latent over images, with rounding.

  Args:
    codecs: Each of an entropy model with a bounded scale; numbered from 1.
    folder: Searched for images.
    count: How many of them, at most.

  Returns:
    Quantiles, and histograms over the logarithm.

  Raises:
    AnalysisError: if an entropy model has no bounded scale, or one that is not finite.
    ImageError: if there are no images.
  """
  paths = list_images(folder)[:count]
  quantiles, histograms = [], []
  edges = np.linspace(*_DECADES, 1 + _PER_DECADE * (_DECADES[1] - _DECADES[0]))
  middles = (edges[1:] + edges[:-1]) / 2
  for number, codec in enumerate(codecs, 1):
    bound = bound_of(codec)
    row = {
      'codec': number,
      'quantizers': quantizers_of(codec),
      'bound': float(bound),
      'lambda': codec.lmbda,
    }
    scales = np.concatenate(
      [
        scales_of(codec, read_image(path))
        for path in tqdm(paths, desc=f'codec {number}', unit='image')
      ]
    )
    if not np.isfinite(scales).all():
      raise AnalysisError(f'codec {number} estimates scales that are not finite')
    quantiles.append(
      {
        **row,
        'at_bound': share_at(scales, bound),
        'below_0.11': share_below(scales),
        **{
          f'percentile_{percent}': float(np.percentile(scales, percent)) for percent in _QUANTILES
        },
      }
    )
    shares = np.histogram(np.clip(np.log10(scales), *_DECADES), edges)[0] / len(scales)
    filled = np.flatnonzero(shares)
    histograms += [
      {**row, 'log10_scale': float(middles[place]), 'share': float(shares[place])}
      for place in range(filled[0], filled[-1] + 1)
    ]
  figure = _draw(histograms)
  return [
    Study('scales', quantiles, figure),
    Study('scales_histogram', histograms, figure, printed=False),
  ]


def scales_of(codec: Codec, image: np.ndarray) -> np.ndarray:
  """Returns the bounded scales of the last latent, as estimated with rounding.

  Args:
    codec: With its networks.
    image: `uint8[height, width, 3]`.
  """
  *_, latent = codec.model.entropy_models
  x = tf.image.convert_image_dtype(image, tf.float32)[None]
  return np.concatenate(
    [
      np.ravel(tf.exp(parameters.log_scale))
      for part, parameters in codec.entropy_parameters(x)
      if part.latent == latent
    ]
  )


def share_at(scales: np.ndarray, bound: float) -> float:
  """Returns the share of scales at the bound."""
  return float((scales <= _AT_BOUND * bound).mean())


def share_below(scales: np.ndarray) -> float:
  """Returns the share of scales below 0.11; a scale at a bound of 0.11 is none of them."""
  return float((scales < 0.11 / _AT_BOUND).mean())


def bound_of(codec: Codec) -> float:
  """Returns the bound of the last latent's scale.

  Raises:
    AnalysisError: if there is none.
  """
  *_, entropy_model = codec.model.entropy_models.values()
  raw = tf.zeros([1, 1, 1, entropy_model.channels])
  if not (hasattr(entropy_model, 'bound') and hasattr(entropy_model.parameters(raw), 'log_scale')):
    raise AnalysisError(f'{type(entropy_model).__name__} has no bounded scale')
  return entropy_model.bound


def _draw(rows: Sequence[dict]) -> Figure:
  """Draws a panel for each pair of quantizers, in each a line for a codec of them."""
  titles = list(dict.fromkeys(row['quantizers'] for row in rows))
  labels = _labels(rows)
  styles = {
    label: {'color': f'C{place % 10}', 'marker': plot.marker(place), 'markersize': 4}
    for place, label in enumerate(dict.fromkeys(labels.values()))
  }
  with matplotlib.rc_context(plot.STYLE):
    figure = Figure(figsize=(4.5 * len(titles) + 3, 4.5), layout='constrained')
    panels = figure.subplots(1, len(titles), sharex=True, sharey=True, squeeze=False)[0]
    for axes, title in zip(panels, titles):
      for codec, label in labels.items():
        points = [
          (10 ** row['log10_scale'], row['share'] or np.nan)
          for row in rows
          if (row['codec'], row['quantizers']) == (codec, title)
        ]
        if points:
          axes.plot(*zip(*points), **styles[label])
      axes.set(title=title, xlabel='estimated scale', xscale='log', yscale='log')
    panels[0].set_ylabel(f'share of latents in a {_PER_DECADE}th of a decade')
    figure.legend(
      [Line2D([], [], **style) for style in styles.values()],
      list(styles),
      loc='outside right upper',
    )
  return figure


def _labels(rows):
  """Returns what each codec is called within its panel; those called alike get numbers."""
  labels, called = {}, set()
  for row in rows:
    if row['codec'] not in labels:
      label = f'bound {row["bound"]:g}, lambda {row["lambda"]:g}'
      if (row['quantizers'], label) in called:
        label += f', codec {row["codec"]}'
      called.add((row['quantizers'], label))
      labels[row['codec']] = label
  return labels
