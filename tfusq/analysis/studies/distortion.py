"""Squared errors of syntheses that are trained on surrogates (Sec. 4.2.2, Fig. 2 and 3).

A Gaussian source is its own latent, and a network is trained to restore it from `y_tilde`; see
`tfusq.analysis.synthesis`. A surrogate estimates the distortion well where this error is that of a
network trained on the rounded latent, so errors are reported relative to rounding's. The error of
the ideal decoder, `E Var(y | y_tilde)`, tells the surrogate's part in it from the network's.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfusq.analysis import pairs, quadrature, study
from tfusq.analysis.panels import Panel, draw
from tfusq.analysis.study import Effort, Study
from tfusq.analysis.synthesis import Source, Training, train
from tfusq.quantization.base import Surrogate
from tfusq.quantization.surrogates import Round

CORRELATIONS = (0.0, 0.5, 0.9, 0.99, 1.0)

# Standard deviation of pairs, and of scalars over the temperature.
SCALE = 1.0

_RELATIVE_LABEL = "squared error / rounding's"


class NoisyRound(Surrogate):
  """Rounding and additive uniform noise.

  It carries as much information as rounding, since the noise is undone by rounding again: by a
  staircase, which a network hardly learns.
  """

  def __call__(self, y, u):
    return tf.round(y) + u


def measure(surrogates: Sequence[Surrogate], effort: Effort) -> list[Study]:
  """Measures the squared error of trained syntheses, per component.

  Args:
    surrogates: Forward calculations.
    effort: Extent of the study, and its seed.

  Returns:
    Studies over the scale of scalars, over the temperature if a surrogate has one, and over the
    correlation of pairs. Each has the standard deviation over networks, and the error of the ideal
    decoder, nan where it is unknown.
  """
  training = _training(effort)
  studies = [over_scales(surrogates, effort)]
  temperature_axes = study.annealed(surrogates, 9 if effort.full else 5)
  if temperature_axes:
    studies.append(_over_temperatures(temperature_axes, training))
  studies.append(_over_correlations(_with_rounding(surrogates), training))
  return studies


def over_scales(surrogates: Sequence[Surrogate], effort: Effort) -> Study:
  """Measures scalars over their scale alone.

  Args:
    surrogates: Forward calculations.
    effort: Extent of the study, and its seed.

  Returns:
    A study with a row for each surrogate, rounding included, and scale.
  """
  scales = effort.scales()
  sources = []
  for surrogate in _with_rounding(surrogates):
    sources += [Source(surrogate, scale) for scale in scales]

  rows = _rows(sources, _training(effort), 'scales', _ideal_error(min(scales)))
  panels = [
    Panel('relative', _RELATIVE_LABEL, 'as trained', rows),
    Panel('rounded_relative', '', 'as trained, with rounding', rows),
    Panel('ideal_relative', '', 'ideal decoder', rows),
  ]
  return Study('distortion', rows, draw([panels], 'scale', study.SCALES))


def _training(effort):
  if effort.full:
    return Training(steps=4_000, repeats=3, seed=effort.seed)
  return Training(steps=1_000, repeats=2, seed=effort.seed)


def _with_rounding(surrogates):
  """Returns the surrogates after rounding, which all errors are relative to."""
  return [Round(), *(surrogate for surrogate in surrogates if type(surrogate) is not Round)]


def _over_temperatures(temperature_axes, training):
  """Measures scalars of one scale over the temperatures of surrogates."""
  names, temperatures, sources = [], [], []
  for axis in temperature_axes:
    for temperature in axis.temperatures:
      names.append(axis.name)
      temperatures.append(temperature)
      sources.append(Source(axis.make(temperature), SCALE))

  ends = (min(temperatures), max(temperatures))
  names += ['Round', 'NoisyRound']
  temperatures += [np.nan, np.nan]
  sources += [Source(Round(), SCALE), Source(NoisyRound(), SCALE)]

  rows = []
  measured = _rows(sources, training, 'temperatures', _ideal_error(SCALE))
  for name, temperature, row in zip(names, temperatures, measured, strict=True):
    # The temperature has a column of its own, and is left out of the name.
    row['surrogate'] = name
    rows.append({'surrogate': name, 'temperature': temperature, **row})

  # The two that have no temperature are drawn as level lines over all temperatures.
  *shown, rounding, noisy_rounding = rows
  for row in (rounding, noisy_rounding):
    shown += [row | {'temperature': end} for end in ends]
  panels = [
    Panel('relative', _RELATIVE_LABEL, 'as trained', shown),
    Panel('ideal_relative', _RELATIVE_LABEL, 'ideal decoder', shown),
  ]
  label = f'temperature, at a standard deviation of {SCALE:g}'
  return Study('distortion_temperature', rows, draw([panels], 'temperature', label))


def _over_correlations(surrogates, training):
  """Measures pairs over the correlation of their components."""
  sources = []
  for surrogate in surrogates:
    sources += [Source(surrogate, SCALE, correlation) for correlation in CORRELATIONS]

  def ideal_error(source):
    return pairs.mmse(source.surrogate, source.scale, source.correlation, seed=training.seed)

  rows = _rows(sources, training, 'pairs', ideal_error)
  panels = [
    Panel('relative', _RELATIVE_LABEL, 'as trained', rows),
    Panel('ideal_relative', '', 'ideal decoder', rows),
  ]
  label = 'correlation of the latents'
  figure = draw([panels], 'correlation', label, logarithmic=False)
  return Study('distortion_of_pairs', rows, figure)


def _ideal_error(least_scale: float) -> Callable[[Source], float]:
  """Returns the function from a scalar source to the error of its ideal decoder.

  Args:
    least_scale: Smallest scale of the sources.
  """

  def error(source):
    conditional = quadrature.conditional(source.surrogate, least_scale)
    return quadrature.mmse(conditional.law(0.0, source.scale))

  return error


def _rows(sources, training, description, ideal_error):
  """Trains networks for sources, among them rounding at every scale and correlation."""
  errors = train(sources, training, description)
  ideals = [ideal_error(source) for source in sources]

  trained_rounding, ideal_rounding = {}, {}
  for source, estimated, ideal in zip(sources, errors.estimated, ideals, strict=True):
    if type(source.surrogate) is Round:
      trained_rounding[source.scale, source.correlation] = estimated.mean()
      ideal_rounding[source.scale, source.correlation] = ideal

  rows = []
  for source, estimated, rounded, ideal in zip(
    sources, errors.estimated, errors.rounded, ideals, strict=True
  ):
    rounding = trained_rounding[source.scale, source.correlation]
    row = {'surrogate': study.label(source.surrogate), 'scale': source.scale}
    if source.correlation is not None:
      row['correlation'] = source.correlation
    row |= {
      'estimated': float(estimated.mean()),
      'spread': float(estimated.std(ddof=1)),
      'rounding': float(rounding),
      'relative': float(estimated.mean() / rounding),
      'rounded': float(rounded.mean()),
      'rounded_relative': float(rounded.mean() / rounding),
      'ideal': float(ideal),
      'ideal_relative': float(ideal / ideal_rounding[source.scale, source.correlation]),
    }
    rows.append(row)
  return rows
