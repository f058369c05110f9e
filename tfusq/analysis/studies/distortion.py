"""The distortion that a synthesis trained on a surrogate sees, beside rounding (Fig. 2 and 3).

A Gaussian source is its own latent, and a network is trained to give it back.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfusq.analysis import pairs, quadrature, study
from tfusq.analysis.panels import Panel, draw
from tfusq.analysis.study import Effort, Study
from tfusq.analysis.synthesis import Source, Training, train
from tfusq.quantization.surrogates import Round, Surrogate

CORRELATIONS = (0.0, 0.5, 0.9, 0.99, 1.0)
SCALE = 1.0  # of pairs, and over the temperature
_RELATIVE = "squared error / rounding's"


class NoisyRound(Surrogate):
  """Rounding, and uniform noise added: as much information, which a network does not get back."""

  def __call__(self, y, u):
    return tf.round(y) + u


def run(surrogates: Sequence[Surrogate], effort: Effort) -> list[Study]:
  """Measures the distortion estimation error of surrogates, per component.

  Args:
    surrogates: Forward calculations.
    effort: How much.

  Returns:
    Over the scale of scalars, over the temperature, and over the correlation of pairs; each with
    the spread (standard deviation) over networks, and the ideal decoder's error where the
    quadrature has it.
  """
  made = [over_scales(surrogates, effort), _of_pairs(_with_rounding(surrogates), _training(effort))]
  annealed = study.annealed(surrogates, 9 if effort.full else 5)
  if annealed:
    made.insert(1, _over_temperatures(annealed, _training(effort)))
  return made


def _training(effort):
  return Training(
    steps=4_000 if effort.full else 1_000, repeats=3 if effort.full else 2, seed=effort.seed
  )


def _with_rounding(surrogates):
  return [Round(), *(each for each in surrogates if type(each) is not Round)]


def over_scales(surrogates: Sequence[Surrogate], effort: Effort) -> Study:
  """Measures scalars over their scale alone; see `run`."""
  subjects, scales, training = _with_rounding(surrogates), effort.scales(), _training(effort)
  sources = [Source(surrogate, scale) for surrogate in subjects for scale in scales]
  rows = _rows(sources, training, 'scales', _ideal(min(scales)))
  panels = [
    [
      Panel('relative', _RELATIVE, 'as trained', rows),
      Panel('rounded_relative', '', 'as trained, with rounding', rows),
      Panel('ideal_relative', '', 'ideal decoder', rows),
    ]
  ]
  return Study('distortion', rows, draw(panels, 'scale', study.SCALES))


def _over_temperatures(annealed, training):
  subjects = [
    (kind.name, value, kind.make(value)) for kind in annealed for value in kind.temperatures
  ]
  values = [value for _, value, _ in subjects]
  subjects += [('Round', np.nan, Round()), ('NoisyRound', np.nan, NoisyRound())]
  sources = [Source(surrogate, SCALE) for _, _, surrogate in subjects]
  rows = [
    {'surrogate': '', 'temperature': value} | row | {'surrogate': name}
    for (name, value, _), row in zip(
      subjects, _rows(sources, training, 'temperatures', _ideal(SCALE))
    )
  ]
  ends = [row | {'temperature': end} for row in rows[-2:] for end in (min(values), max(values))]
  panels = [
    [
      Panel(key, _RELATIVE, title, rows[:-2] + ends)
      for key, title in (('relative', 'as trained'), ('ideal_relative', 'ideal decoder'))
    ]
  ]
  return Study(
    'distortion_temperature',
    rows,
    draw(panels, 'temperature', f'temperature, at a standard deviation of {SCALE:g}'),
  )


def _ideal(least_scale):
  """Returns the function from a scalar source to the ideal decoder's error."""
  return lambda source: quadrature.mmse(
    quadrature.conditional(source.surrogate, least_scale).law(0.0, source.scale)
  )


def _of_pairs(subjects, training):
  sources = [
    Source(surrogate, SCALE, correlation) for surrogate in subjects for correlation in CORRELATIONS
  ]
  rows = _rows(sources, training, 'pairs', lambda source: pairs.mmse(*source, seed=training.seed))
  panels = [
    [
      Panel('relative', _RELATIVE, 'as trained', rows),
      Panel('ideal_relative', '', 'ideal decoder', rows),
    ]
  ]
  return Study(
    'distortion_of_pairs',
    rows,
    draw(panels, 'correlation', 'correlation of the latents', logarithmic=False),
  )


def _rows(sources, training, name, ideal_of):
  found = train(sources, training, name)
  ideals = [ideal_of(source) for source in sources]
  rounding = {
    source[1:]: (found.estimated[place].mean(), ideals[place])
    for place, source in enumerate(sources)
    if type(source.surrogate) is Round
  }
  rows = []
  for source, estimated, rounded, ideal in zip(sources, *found, ideals):
    trained, ideal_rounding = rounding[source[1:]]
    rows.append(
      {'surrogate': study.label(source.surrogate)}
      | {
        key: value
        for key, value in source._asdict().items()
        if key != 'surrogate' and value is not None
      }
      | {
        'estimated': float(estimated.mean()),
        'spread': float(estimated.std(ddof=1)),
        'rounding': float(trained),
        'relative': float(estimated.mean() / trained),
        'rounded': float(rounded.mean()),
        'rounded_relative': float(rounded.mean() / trained),
        'ideal': float(ideal),
        'ideal_relative': float(ideal / ideal_rounding),
      }
    )
  return rows
