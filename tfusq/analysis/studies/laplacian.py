"""Rate and distortion of codecs for a scalar Laplacian source (Sec. 4.4.2, Fig. 7).

With rounding, the rate of a codec is at least Shannon's lower bound of the rate-distortion
function. At the squared error `D` it is, in bits, for a Laplacian source of scale 1,

    h(x) - log2(2 pi e D) / 2,     h(x) = log2(2 e)

#### References
Koch, The Shannon lower bound is asymptotically tight, 2016. https://arxiv.org/abs/1504.08245
"""

import math
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfusq.analysis import study
from tfusq.analysis.studies.scalar_codecs import TRANSFORMS, Method, ScalarCodecs
from tfusq.analysis.study import Effort, Study
from tfusq.curves import plot
from tfusq.quantization.base import Surrogate
from tfusq.quantization.estimators import PGE, STE
from tfusq.quantization.quantizer import Quantizer
from tfusq.quantization.surrogates import AUN, Round

_VARIANCE = 2  # of the source


def methods(surrogates: Sequence[Surrogate]) -> list[Method]:
  """Returns each surrogate with each estimator that it admits, in both terms, and MIX.

  MIX has additive uniform noise in the rate and rounding in the distortion.
  """
  result = []
  for surrogate in surrogates:
    for estimator in study.estimators(surrogate):
      quantizer = Quantizer(surrogate, estimator)
      name = f'{study.label(surrogate)}+{type(estimator).__name__}'
      result.append(Method(name, quantizer, quantizer))

  mix = Method('MIX', rate=Quantizer(AUN(), PGE()), distortion=Quantizer(Round(), STE()))
  return [*result, mix]


def measure(surrogates: Sequence[Surrogate], effort: Effort) -> list[Study]:
  """Trains codecs for a Laplacian source with every method, transform and slope.

  Args:
    surrogates: Forward calculations.
    effort: Extent of the study, and its seed.

  Returns:
    A study with a row for each codec: its rate in bits and its squared error with rounding, the
    signal-to-noise ratio in dB, and the rate's excess over Shannon's lower bound in bits.
  """
  slopes = np.geomspace(0.6, 20, 6 if effort.full else 3).tolist()
  repeats = 3 if effort.full else 1
  steps = 10_000 if effort.full else 400

  codecs = ScalarCodecs(methods(surrogates), slopes, repeats, effort.seed)
  codecs.train(steps, effort.seed)
  rows = [_row(result) for result in codecs.evaluate()]
  return [Study('laplacian', rows, _draw(rows))]


def shannon_lower_bound(distortion: np.ndarray) -> np.ndarray:
  """Returns Shannon's lower bound of the rate, in bits, for the Laplacian source.

  Args:
    distortion: Squared errors, any shape, positive.

  Returns:
    Rates of the same shape; 0 where the bound is negative.
  """
  entropy = math.log2(2 * math.e)
  return np.maximum(entropy - np.log2(2 * math.pi * math.e * distortion) / 2, 0.0)


def _row(result):
  return {
    'method': result.method,
    'transform': result.transform,
    'slope': float(result.slope),
    'repeat': result.repeat,
    'rate': float(result.rate),
    'distortion': float(result.distortion),
    'snr': float(_decibels(result.distortion)),
    'beyond_bound': float(result.rate - shannon_lower_bound(result.distortion)),
    'cost': float(result.rate + result.slope * result.distortion),
  }


def _decibels(distortion):
  """Returns signal-to-noise ratios in dB."""
  return -10 * np.log10(distortion / _VARIANCE)


def _draw(rows: Sequence[dict]) -> Figure:
  """Draws the signal-to-noise ratio above the excess rate, a column for each transform."""
  distortion = np.geomspace(0.02, 2, 100)
  bound = shannon_lower_bound(distortion)

  with matplotlib.rc_context(plot.STYLE):
    figure = Figure(figsize=(13, 9), layout='constrained')
    panels = figure.subplots(2, 2, sharex=True, sharey='row')
    for transform, (upper, lower) in zip(TRANSFORMS, panels.T, strict=True):
      shown = [row for row in rows if row['transform'] == transform]
      _draw_methods(upper, shown, 'snr')
      _draw_methods(lower, shown, 'beyond_bound')
      upper.plot(
        bound, _decibels(distortion), color='black', linestyle='--', label="Shannon's lower bound"
      )
      upper.set_title(transform)
      lower.set_xlabel('rate [bits]')

    panels[0, 0].set_ylabel('signal-to-noise ratio [dB]')
    panels[1, 0].set_ylabel("rate beyond Shannon's lower bound [bits]")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc='outside right upper')
  return figure


def _draw_methods(axes: Axes, rows: Sequence[dict], key: str) -> None:
  """Draws a marker for each codec, and a line through the means of each method."""
  names = dict.fromkeys(row['method'] for row in rows)
  for number, name in enumerate(names):
    shown = [row for row in rows if row['method'] == name]
    color = f'C{number % 10}'
    axes.plot(
      [row['rate'] for row in shown],
      [row[key] for row in shown],
      linestyle='',
      marker=plot.marker(number),
      color=color,
    )
    axes.plot(*_means(shown, key), color=color, label=name)


def _means(rows, key):
  """Returns rates and values of `key`, means over the repeats at each slope."""
  rates, values = [], []
  for slope in sorted({row['slope'] for row in rows}):
    repeats = [row for row in rows if row['slope'] == slope]
    rates.append(np.mean([row['rate'] for row in repeats]))
    values.append(np.mean([row[key] for row in repeats]))
  return rates, values
