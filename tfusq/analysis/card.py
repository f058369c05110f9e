"""Report cards: what the analyses say of surrogates, on one page, from their names alone."""

import base64
import html
import io
import time
from collections.abc import Sequence

import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from tfusq import catalogue
from tfusq.analysis import study
from tfusq.analysis.studies import distortion, gradient, information, rate
from tfusq.analysis.study import Effort
from tfusq.curves import plot
from tfusq.quantization.estimators import STE
from tfusq.quantization.quantizer import Quantizer
from tfusq.quantization.surrogates import AUN, SR, SRA, SUA, Round, Surrogate

_LATENT = (8, 16, 16, 192)  # of the timings
_ROUNDS = 15
_PANELS = (
  ('information', 'difference', "information beyond rounding's [bits]", {'mean': 0.0}),
  ('rate', 'difference', 'estimated less true rate, mean 0 [bits]', {'mean': 0.0}),
  ('rate', 'difference', 'estimated less true rate, mean 1/2 [bits]', {'mean': 0.5}),
  ('distortion', 'relative', "squared error of a trained synthesis / rounding's", {}),
  ('distortion', 'ideal_relative', "squared error of the ideal decoder / rounding's", {}),
)
_STYLE = """
body { font: 16px/1.45 sans-serif; max-width: 1180px; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; margin: 1em 0 }
td, th { padding: .2em .8em; border-bottom: 1px solid #ddd; text-align: right }
td:first-child, th:first-child { text-align: left }
img { max-width: 100% }
"""


def backdrop() -> list[Surrogate]:
  """Returns the paper's surrogates that a card is drawn before."""
  return [Round(), AUN(), SUA(5.0), SUA(10.0), SR(), SRA(10.0)]


def write_card(subjects: Sequence[Surrogate], effort: Effort) -> str:
  """Returns a page of HTML on surrogates, with its pictures in it.

  Args:
    subjects: One or more; several are compared.
    effort: Of the analyses.
  """
  ours = [study.label(subject) for subject in subjects]
  behind = [each for each in backdrop() if study.label(each) not in ours]
  everything = [*subjects, *behind]
  found = {
    'information': information.measure(everything, effort)[0].rows,
    'rate': rate.of_scalars(everything, effort).rows,
    'distortion': distortion.over_scales(everything, effort).rows,
    'gradient': gradient.over_scales(everything, effort)[0].rows,
  }
  kinds = list(dict.fromkeys(type(subject) for subject in subjects))
  title = ', '.join(kind.__name__ for kind in kinds)
  parts = [
    f'<!DOCTYPE html><meta charset="utf-8"><title>{html.escape(title)}</title>',
    f'<style>{_STYLE}</style><h1>{html.escape(title)}</h1>',
  ]
  for kind in kinds:
    first, *rest = catalogue.describe(kind.__name__)
    parts.append(
      f'<p><b>{html.escape(kind.__name__)}</b>: {html.escape(first)}<br>'
      f'{html.escape("; ".join(rest))}</p>'
    )
  parts += [
    '<h2>Mismatch and information</h2>',
    _image(_mismatch(found, ours)),
    '<h2>Gradient of the rate</h2>',
    f'<p>Over latents in [-1.5, 1.5].{_exact(kinds)}</p>',
    _table(_risks(found['gradient'], ours)),
    _image(_gradients(found['gradient'], ours)),
    '<h2>Temperature</h2>',
    _table(limits(subjects)),
    '<h2>Cost</h2>',
    _table(costs(subjects)),
  ]
  return '\n'.join(parts)


def _exact(kinds):
  exact = [kind.__name__ for kind in kinds if kind.has_secant()]
  return f' EP, for {" and ".join(exact)}, has neither bias nor variance.' if exact else ''


def limits(subjects: Sequence[Surrogate]) -> list[dict]:
  """Returns how far from rounding surrogates are, on average, as their temperatures move.

  For each temperature of each kind, the mean of `|y_tilde - round(y)|` over latents in every
  phase: 1/3 of additive uniform noise, 1/4 of the latent itself.
  """
  rows = []
  y = tf.constant(np.tile((np.arange(1000) + 0.5) / 1000, [100, 1]))
  for cls in dict.fromkeys(map(type, subjects)):
    instance = next(each for each in subjects if type(each) is cls)
    kinds = study.annealed([instance], 9, beyond=8)
    if not kinds:
      rows.append(
        {
          'surrogate': cls.__name__,
          'temperature': 'none',
          'distance to rounding': _distance(instance, y),
        }
      )
    rows += [
      {
        'surrogate': kind.name,
        'temperature': value,
        'distance to rounding': _distance(kind.make(value), y),
      }
      for kind in kinds
      for value in kind.temperatures
    ]
  return rows


def _distance(surrogate, y):
  y_tilde = surrogate(y, surrogate.noise(y, tf.constant([0, 1])))
  return float(tf.reduce_mean(tf.abs(y_tilde - tf.round(y))))


def costs(subjects: Sequence[Surrogate]) -> list[dict]:
  """Returns times of noise, forward and backward calculation by STE, against rounding's."""
  baseline, *times = _seconds([Round(), *subjects])
  return [
    {
      'surrogate': study.label(subject),
      'milliseconds': 1e3 * seconds,
      'relative to rounding': seconds / baseline,
    }
    for subject, seconds in zip(subjects, times)
  ]


def _seconds(surrogates):
  steps = []
  y = tf.random.stateless_normal(_LATENT, [0, 0])
  for surrogate in surrogates:
    quantizer = Quantizer(surrogate, STE())

    @tf.function(autograph=False)
    def step(seed, quantizer=quantizer):
      with tf.GradientTape() as tape:
        tape.watch(y)
        loss = tf.reduce_sum(tf.square(quantizer(y, quantizer.noise(y, seed))))
      return tape.gradient(loss, y)

    step(tf.constant([0, 0]))
    steps.append(step)
  times = []
  for number in range(_ROUNDS):  # side by side, so that a busy machine is busy for all
    seed = tf.constant([0, number])
    for step in steps:
      start = time.perf_counter()
      step(seed).numpy()
      times.append(time.perf_counter() - start)
  return np.median(np.reshape(times, [_ROUNDS, -1]), 0).tolist()


def _mismatch(found, ours):
  with matplotlib.rc_context(plot.STYLE):
    figure = Figure(figsize=(13, 8), layout='constrained')
    *grid, legend = figure.subplots(2, 3).flat
    for axes, (study, key, title, where) in zip(grid, _PANELS, strict=True):
      rows = [
        row for row in found[study] if all(row[name] == value for name, value in where.items())
      ]
      _lines(axes, rows, key, ours)
      axes.set_title(title, fontsize=10)
      axes.set_xlabel(study.SCALES)
    legend.set_axis_off()
    legend.legend(*grid[0].get_legend_handles_labels(), loc='center')
  return figure


def _gradients(rows, ours):
  names = list(dict.fromkeys(row['estimator'] for row in rows if row['surrogate'] in ours))
  with matplotlib.rc_context(plot.STYLE):
    figure = Figure(figsize=(13, 8), layout='constrained')
    grid = figure.subplots(2, len(names), sharex=True, sharey='row', squeeze=False)
    for line, (key, label) in zip(
      grid, (('relative_bias', 'mean absolute bias'), ('relative_deviation', 'standard deviation'))
    ):
      for axes, name in zip(line, names):
        _lines(axes, [row for row in rows if row['estimator'] == name], key, ours)
        axes.set_yscale('log')
        axes.set_title(name)
      line[0].set_ylabel(f'{label} / mean absolute gradient')
    for axes in grid[1]:
      axes.set_xlabel(study.SCALES)
  return figure


def _lines(axes, rows, key, ours):
  """Draws surrogates over the scale: ours in colour, the backdrop in grey."""
  styles = dict(
    zip(
      dict.fromkeys(row['surrogate'] for row in rows if row['surrogate'] not in ours),
      ('-', '--', '-.', ':', (0, (1, 3)), (0, (6, 3))),
    )
  )
  for name in dict.fromkeys(row['surrogate'] for row in rows):
    points = [
      (row['scale'], row[key]) for row in rows if row['surrogate'] == name and np.isfinite(row[key])
    ]
    style = (
      {'color': f'C{ours.index(name)}', 'linewidth': 2.2, 'zorder': 3}
      if name in ours
      else {'color': '0.6', 'linestyle': styles[name]}
    )
    axes.plot(*(zip(*points) if points else ([], [])), label=name, **style)
  axes.set_xscale('log')


def _risks(rows, ours):
  return [
    {
      'surrogate': row['surrogate'],
      'estimator': row['estimator'],
      'scale': row['scale'],
      'mean absolute bias [bits]': row['bias'],
      '+-': row['bias_error'],
      'variance [bits^2]': row['variance'],
    }
    for row in rows
    if row['surrogate'] in ours and row['scale'] in gradient.SCALES
  ]


def _image(figure):
  buffer = io.BytesIO()
  with matplotlib.rc_context(plot.STYLE):
    figure.savefig(buffer, format='png', dpi=110)
  return f'<img src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'


def _table(rows):
  head = ''.join(f'<th>{html.escape(key)}</th>' for key in rows[0])
  body = ''.join(
    '<tr>'
    + ''.join(f'<td>{html.escape(study.cell(value))}</td>' for value in row.values())
    + '</tr>'
    for row in rows
  )
  return f'<table><tr>{head}</tr>{body}</table>'
