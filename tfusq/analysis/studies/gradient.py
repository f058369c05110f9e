"""Bias and variance of every estimator a surrogate admits, over latent, scale and temperature.

The pictures show them against the size of the expected gradient, which falls with the scale.
"""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfusq.analysis import risk, study
from tfusq.analysis.panels import Panel, draw
from tfusq.analysis.study import Effort, Study
from tfusq.quantization.estimators import EP, STE
from tfusq.quantization.quantizer import Quantizer
from tfusq.quantization.surrogates import Surrogate
from tfusq.quantization.temperature import Piecewise

SCALES = (0.3, 1.0)  # Table II's


def run(surrogates: Sequence[Surrogate], effort: Effort) -> list[Study]:
  """Measures the risk of the rate's gradient, in bits: the means over latents in [-1.5, 1.5].

  Args:
    surrogates: Forward calculations, with every registered estimator that they admit.
    effort: How much.

  Returns:
    Over the scale, over the latent at Table II's scales, and over the temperature at them.
  """
  made = over_scales(surrogates, effort)
  y, samples = _grid(effort)
  rows = [
    row
    for kind in tqdm(
      study.annealed(surrogates, 17 if effort.full else 6), desc='temperatures', unit='surrogate'
    )
    for row in _over_temperature(kind, y, samples, effort.seed)
  ]
  if rows:
    made.append(
      Study(
        'gradient_temperature',
        rows,
        _draw(
          [row for row in rows if row['scale'] == SCALES[0]],
          'temperature',
          f'temperature, at a scale of {SCALES[0]}',
        ),
      )
    )
  return made


def _grid(effort):
  """Returns latents, and how many samples at each."""
  return risk.latents(121 if effort.full else 61), (5 if effort.full else 1) * risk.BLOCK


def over_scales(surrogates: Sequence[Surrogate], effort: Effort) -> list[Study]:
  """Measures over the scale, and over the latent at Table II's scales; see `run`."""
  y, samples = _grid(effort)
  over_scale, over_latent = [], []
  for surrogate in tqdm(surrogates, desc='scales', unit='surrogate'):
    for scale, name, exact, found in _Measure(surrogate)(
      sorted({*effort.scales(), *SCALES}), y, samples, effort.seed
    ):
      row = {'surrogate': study.label(surrogate), 'estimator': name, 'scale': scale}
      over_scale.append(row | _means(exact, found))
      if scale in SCALES:
        over_latent += [
          row
          | dict(
            zip(('latent', 'bias', 'bias_error', 'variance', 'variance_error'), map(float, values))
          )
          for values in zip(y, found.bias, found.bias_error, found.variance, found.variance_error)
        ]
  return [
    Study('gradient', over_scale, _draw(over_scale, 'scale', study.SCALES)),
    Study(
      'gradient_latent',
      over_latent,
      _draw_latent([row for row in over_latent if row['scale'] == SCALES[0]]),
      printed=False,
    ),
  ]


def _over_temperature(kind, y, samples, seed):
  count = len(kind.temperatures)
  schedule = Piecewise(range(1, count), kind.temperatures)
  surrogate = kind.make(schedule)
  mover = Quantizer(surrogate, STE())
  measure = _Measure(surrogate)
  for step, value in enumerate(kind.temperatures):
    mover.anneal(tf.constant(step))
    for scale, name, exact, found in measure(SCALES, y, samples, seed):
      yield {
        'surrogate': kind.name,
        'estimator': name,
        'scale': scale,
        'temperature': value,
        **_means(exact, found),
      }


class _Measure:
  """Yields scale, estimator, expected gradient and risk; EP's gradient is the expected itself."""

  def __init__(self, surrogate):
    estimators = [each for each in study.estimators(surrogate) if not isinstance(each, EP)]
    self._names = [type(estimator).__name__ for estimator in estimators]
    self._gradient = risk.RateGradient(surrogate, estimators)
    self._expected = risk.ExpectedGradient(surrogate)

  def __call__(self, scales, y, samples, seed):
    for scale in scales:
      exact = self._expected(y, scale, 4 * samples, seed + 1)
      found = risk.pointwise(self._gradient, exact, y, scale, samples, seed)
      for name, each in zip(self._names, found):
        yield scale, name, exact, each


def _means(exact, found):
  means = risk.risk(found)
  signal = float(np.abs(exact.value).mean())
  # Of what is not told from zero, nothing is drawn.
  told = signal > 0 and means.bias > 3 * means.bias_error
  return means._asdict() | {
    'expected': signal,
    'relative_bias': means.bias / signal if told else math.nan,
    'relative_deviation': means.variance**0.5 / signal if signal else math.nan,
  }


def _draw_latent(rows):
  return _panels(
    rows,
    'latent',
    f'latent, at a scale of {SCALES[0]}',
    (('bias', 'bias [bits]', 'symlog'), ('variance', 'variance [bits$^2$]', 'log')),
    False,
  )


def _draw(rows, over, label):
  return _panels(
    rows,
    over,
    label,
    (
      ('relative_bias', 'mean absolute bias / mean absolute gradient', 'log'),
      ('relative_deviation', 'standard deviation / mean absolute gradient', 'log'),
    ),
    True,
  )


def _panels(rows, over, label, kinds, logarithmic):
  names = list(dict.fromkeys(row['estimator'] for row in rows))
  return draw(
    [
      [
        Panel(key, text, name, [row for row in rows if row['estimator'] == name], scale)
        for name in names
      ]
      for key, text, scale in kinds
    ],
    over,
    label,
    logarithmic,
  )
