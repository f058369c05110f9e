"""Bias and variance of estimators of the rate's gradient (Sec. 4.4.2 and 4.4.3).

For a rate `l(y_tilde) = -log2 P(y_tilde)` and an estimated gradient `g`, random by the noise, the
expected gradient is `G = d/dy E[l(y_tilde)]`, and

    bias = E[g] - G,     variance = Var[g]

at each latent `y`. The estimators are

    PGE    g = l'(y_tilde) d y_tilde / dy
    STE    g = l'(y_tilde) p'(y)              p is the surrogate's proxy: s for SUA and SRA, else y
    EP     g = G                              with neither bias nor variance, and left out here

The study has the means of absolute bias and variance over latents in [-1.5, 1.5], for every
estimator that a surrogate admits. The pictures show them relative to the mean of `|G|`, which falls
with the scale.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from tfusq import progress
from tfusq.analysis import risk, study
from tfusq.analysis.panels import Panel, draw
from tfusq.analysis.study import Effort, Study
from tfusq.quantization.base import Surrogate
from tfusq.quantization.estimators import EP, STE
from tfusq.quantization.quantizer import Quantizer
from tfusq.quantization.schedules import Piecewise

# Scales of Table II.
SCALES = (0.3, 1.0)

# The expected gradient is subtracted from all estimators, so that it is sampled more.
_EXPECTED_SAMPLES = 4
# Standard errors beyond which a bias is told from none.
_SIGNIFICANT = 3

_LATENT_COLUMNS = ('latent', 'bias', 'bias_error', 'variance', 'variance_error')


def measure(surrogates: Sequence[Surrogate], effort: Effort) -> list[Study]:
  """Measures bias and variance of the rate's gradient.

  Args:
    surrogates: Forward calculations, each with every registered estimator that it admits.
    effort: Extent of the study, and its seed.

  Returns:
    Studies over the scale, over the latent at Table II's scales, and, if a surrogate has a
    temperature, over the temperature at these scales. Biases are in bits, variances in bits^2.
  """
  studies = over_scales(surrogates, effort)
  y, samples = _latents(effort), _sample_count(effort)

  rows = []
  temperature_axes = study.annealed(surrogates, 17 if effort.full else 6)
  for axis in progress.track(temperature_axes, 'surrogate', 'temperatures'):
    rows += _over_temperature(axis, y, samples, effort.seed)
  if rows:
    shown = [row for row in rows if row['scale'] == SCALES[0]]
    figure = _draw(shown, 'temperature', f'temperature, at a scale of {SCALES[0]}')
    studies.append(Study('gradient_temperature', rows, figure))
  return studies


def over_scales(surrogates: Sequence[Surrogate], effort: Effort) -> list[Study]:
  """Measures over the scale, and over the latent at Table II's scales.

  Args:
    surrogates: Forward calculations, each with every registered estimator that it admits.
    effort: Extent of the study, and its seed.

  Returns:
    The two studies.
  """
  y, samples = _latents(effort), _sample_count(effort)
  scales = sorted({*effort.scales(), *SCALES})

  scale_rows, latent_rows = [], []
  for surrogate in progress.track(surrogates, 'surrogate', 'scales'):
    for result in _Meter(surrogate).results(scales, y, samples, effort.seed):
      columns = {
        'surrogate': study.label(surrogate),
        'estimator': result.estimator,
        'scale': result.scale,
      }
      scale_rows.append(columns | _means(result))
      if result.scale in SCALES:
        latent_rows += [columns | row for row in _over_latent(y, result.pointwise)]

  shown = [row for row in latent_rows if row['scale'] == SCALES[0]]
  return [
    Study('gradient', scale_rows, _draw(scale_rows, 'scale', study.SCALES)),
    Study('gradient_latent', latent_rows, _draw_latent(shown), printed=False),
  ]


def _latents(effort):
  return risk.latents(121 if effort.full else 61)


def _sample_count(effort):
  """Returns the number of noise samples at each latent."""
  return 5 * risk.BLOCK if effort.full else risk.BLOCK


def _over_latent(y, pointwise):
  """Returns rows of bias and variance at each latent."""
  columns = (
    y,
    pointwise.bias,
    pointwise.bias_error,
    pointwise.variance,
    pointwise.variance_error,
  )
  rows = []
  for values in np.stack(columns, 1).tolist():
    rows.append(dict(zip(_LATENT_COLUMNS, values, strict=True)))
  return rows


def _over_temperature(axis, y, samples, seed):
  """Returns rows of a class of surrogates at all values of one temperature."""
  # One surrogate with a schedule takes the temperatures in turn, so that it is traced once.
  count = len(axis.temperatures)
  surrogate = axis.make(Piecewise(range(1, count), axis.temperatures))
  quantizer = Quantizer(surrogate, STE())
  meter = _Meter(surrogate)

  rows = []
  for step, temperature in enumerate(axis.temperatures):
    quantizer.anneal(tf.constant(step))
    for result in meter.results(SCALES, y, samples, seed):
      columns = {
        'surrogate': axis.name,
        'estimator': result.estimator,
        'scale': result.scale,
        'temperature': temperature,
      }
      rows.append(columns | _means(result))
  return rows


class _Result(NamedTuple):
  """Risk of an estimator at a scale.

  Attributes:
    scale: Scale of the entropy model.
    estimator: Name of the estimator.
    expected: Expected gradient at each latent.
    pointwise: Risk at each latent.
  """

  scale: float
  estimator: str
  expected: risk.Expected
  pointwise: risk.Pointwise


class _Meter:
  """Measures the risk of all estimators that a surrogate admits, EP left out."""

  def __init__(self, surrogate: Surrogate):
    estimators = []
    for estimator in study.estimators(surrogate):
      if not isinstance(estimator, EP):
        estimators.append(estimator)
    self._names = [type(estimator).__name__ for estimator in estimators]
    self._gradient = risk.RateGradient(surrogate, estimators)
    self._expected = risk.ExpectedGradient(surrogate)

  def results(
    self, scales: Sequence[float], y: np.ndarray, samples: int, seed: int
  ) -> Iterator[_Result]:
    """Measures the risk.

    Args:
      scales: Scales of the entropy model.
      y: Latents, `float64[points]`.
      samples: Number of noise samples at each latent.
      seed: Seed of the noise.

    Yields:
      Results for each scale and estimator.
    """
    for scale in scales:
      # The noise of the expected gradient is independent of the estimators'.
      expected = self._expected(y, scale, _EXPECTED_SAMPLES * samples, seed + 1)
      risks = risk.pointwise(self._gradient, expected, y, scale, samples, seed)
      for name, pointwise in zip(self._names, risks, strict=True):
        yield _Result(scale, name, expected, pointwise)


def _means(result):
  """Returns the columns that are means over latents; nan is not drawn."""
  means = risk.mean_over_latents(result.pointwise)
  signal = float(np.abs(result.expected.value).mean())

  relative_bias = relative_deviation = math.nan
  if signal > 0:
    relative_deviation = means.variance**0.5 / signal
    if means.bias > _SIGNIFICANT * means.bias_error:
      relative_bias = means.bias / signal
  return means._asdict() | {
    'expected': signal,
    'relative_bias': relative_bias,
    'relative_deviation': relative_deviation,
  }


def _draw(rows: Sequence[dict], over: str, label: str) -> Figure:
  """Draws bias and standard deviation relative to the gradient."""
  bias = _panels(rows, 'relative_bias', 'mean absolute bias / mean absolute gradient', 'log')
  deviation = _panels(
    rows, 'relative_deviation', 'standard deviation / mean absolute gradient', 'log'
  )
  return draw([bias, deviation], over, label)


def _draw_latent(rows: Sequence[dict]) -> Figure:
  bias = _panels(rows, 'bias', 'bias [bits]', 'symlog')
  variance = _panels(rows, 'variance', 'variance [bits$^2$]', 'log')
  label = f'latent, at a scale of {SCALES[0]}'
  return draw([bias, variance], 'latent', label, logarithmic=False)


def _panels(rows, key, label, scale):
  """Returns a panel for each estimator."""
  panels = []
  for name in dict.fromkeys(row['estimator'] for row in rows):
    shown = [row for row in rows if row['estimator'] == name]
    panels.append(Panel(key, label, name, shown, scale))
  return panels
