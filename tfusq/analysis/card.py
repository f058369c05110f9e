"""Report cards: the results of the analyses on surrogates, on one page of HTML."""

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
from tfusq.quantization.base import Surrogate
from tfusq.quantization.estimators import STE
from tfusq.quantization.quantizer import Quantizer
from tfusq.quantization.surrogates import AUN, SR, SRA, SUA, Round

# Shape of the latent in timings: that of eight images of 256 x 256 pixels.
_LATENT = (8, 16, 16, 192)
_TIMING_ROUNDS = 15
# Study, column, title, and the values of other columns that its rows must have.
_MISMATCH_PANELS: tuple[tuple[str, str, str, dict[str, float]], ...] = (
  ('information', 'difference', "information beyond rounding's [bits]", {'mean': 0.0}),
  ('rate', 'difference', 'estimated minus true rate, mean 0 [bits]', {'mean': 0.0}),
  ('rate', 'difference', 'estimated minus true rate, mean 1/2 [bits]', {'mean': 0.5}),
  ('distortion', 'relative', "squared error of a trained synthesis / rounding's", {}),
  ('distortion', 'ideal_relative', "squared error of the ideal decoder / rounding's", {}),
)
_GRADIENT_PANELS = (
  ('relative_bias', 'mean absolute bias'),
  ('relative_deviation', 'standard deviation'),
)
_BACKDROP_DASHES = ('-', '--', '-.', ':', (0, (1, 3)), (0, (6, 3)))
_STYLE = """
body { font: 16px/1.45 sans-serif; max-width: 1180px; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; margin: 1em 0 }
td, th { padding: .2em .8em; border-bottom: 1px solid #ddd; text-align: right }
td:first-child, th:first-child { text-align: left }
img { max-width: 100% }
"""


def backdrop() -> list[Surrogate]:
  """Returns the paper's surrogates, with which a card compares its subjects."""
  return [Round(), AUN(), SUA(5.0), SUA(10.0), SR(), SRA(10.0)]


def write_card(subjects: Sequence[Surrogate], effort: Effort) -> str:
  """Returns a page of HTML on surrogates, with its pictures embedded.

  Args:
    subjects: One or more surrogates, which are compared with each other and with `backdrop`.
    effort: Effort of the analyses.
  """
  subject_names = [study.label(subject) for subject in subjects]
  compared = list(subjects)
  for surrogate in backdrop():
    if study.label(surrogate) not in subject_names:
      compared.append(surrogate)

  rows_by_study = {
    'information': information.measure(compared, effort)[0].rows,
    'rate': rate.of_scalars(compared, effort).rows,
    'distortion': distortion.over_scales(compared, effort).rows,
  }
  gradient_rows = gradient.over_scales(compared, effort)[0].rows
  classes = list(dict.fromkeys(type(subject) for subject in subjects))

  return '\n'.join(
    [
      *_head(classes),
      '<h2>Mismatch and information</h2>',
      _image_html(_draw_mismatch(rows_by_study, subject_names)),
      '<h2>Gradient of the rate</h2>',
      f'<p>Over latents in [-1.5, 1.5].{_remark_on_expected_gradient(classes)}</p>',
      _table_html(_risk_rows(gradient_rows, subject_names)),
      _image_html(_draw_gradient(gradient_rows, subject_names)),
      '<h2>Temperature</h2>',
      _table_html(limits(subjects)),
      '<h2>Cost</h2>',
      _table_html(costs(subjects)),
    ]
  )


def _head(classes):
  """Returns the head of the page, and a paragraph on each class of surrogates."""
  title = html.escape(', '.join(cls.__name__ for cls in classes))
  lines = [
    f'<!DOCTYPE html><meta charset="utf-8"><title>{title}</title>',
    f'<style>{_STYLE}</style><h1>{title}</h1>',
  ]
  for cls in classes:
    summary, *properties = catalogue.describe_class(cls)
    lines.append(
      f'<p><b>{html.escape(cls.__name__)}</b>: {html.escape(summary)}<br>'
      f'{html.escape("; ".join(properties))}</p>'
    )
  return lines


def _remark_on_expected_gradient(classes):
  names = [cls.__name__ for cls in classes if cls.has_secant()]
  if not names:
    return ''
  return f' EP, for {" and ".join(names)}, has neither bias nor variance.'


def limits(subjects: Sequence[Surrogate]) -> list[dict]:
  """Returns how far from rounding surrogates are, on average, as their temperatures move.

  The distance is the mean of `|y_tilde - round(y)|` over latents at evenly spaced phases. It is 1/3
  for additive uniform noise and 1/4 for the latent itself.

  Args:
    subjects: The surrogates.

  Returns:
    A row for each value of each temperature of each class; one row for a class without any.
  """
  rows = []
  phases = (np.arange(1000) + 0.5) / 1000
  y = tf.constant(np.tile(phases, [100, 1]))

  for subject in study.first_of_each_class(subjects):
    # Eight times beyond the typical range at both ends, to show the limits.
    axes = study.annealed([subject], 9, beyond=8)
    if not axes:
      rows.append(_limit_row(type(subject).__name__, 'none', subject, y))
    for axis in axes:
      for temperature in axis.temperatures:
        rows.append(_limit_row(axis.name, temperature, axis.make(temperature), y))
  return rows


def _limit_row(name, temperature, surrogate, y):
  y_tilde = surrogate(y, surrogate.noise(y, tf.constant([0, 1])))
  distance = tf.reduce_mean(tf.abs(y_tilde - tf.round(y)))
  return {
    'surrogate': name,
    'temperature': temperature,
    'distance to rounding': float(distance),
  }


def costs(subjects: Sequence[Surrogate]) -> list[dict]:
  """Returns times of noise, forward and backward calculation by STE, relative to rounding.

  Args:
    subjects: The surrogates.

  Returns:
    A row for each surrogate.
  """
  rounding_seconds, *subject_seconds = _seconds([Round(), *subjects])
  rows = []
  for subject, seconds in zip(subjects, subject_seconds, strict=True):
    rows.append(
      {
        'surrogate': study.label(subject),
        'milliseconds': 1e3 * seconds,
        'relative to rounding': seconds / rounding_seconds,
      }
    )
  return rows


def _seconds(surrogates):
  """Returns the median time of a training step's quantization by each surrogate."""
  steps = [_timed_step(surrogate) for surrogate in surrogates]
  for step in steps:
    step(tf.constant([0, 0]))  # traces it

  # Surrogates take turns, so that a busy machine is busy for all.
  times = np.zeros([_TIMING_ROUNDS, len(steps)])
  for round_index in range(_TIMING_ROUNDS):
    seed = tf.constant([0, round_index])
    for step_index, step in enumerate(steps):
      start = time.perf_counter()
      step(seed).numpy()
      times[round_index, step_index] = time.perf_counter() - start
  return np.median(times, 0).tolist()


def _timed_step(surrogate):
  quantizer = Quantizer(surrogate, STE())
  y = tf.random.stateless_normal(_LATENT, [0, 0])

  @tf.function(autograph=False)
  def step(seed):
    with tf.GradientTape() as tape:
      tape.watch(y)
      y_tilde = quantizer(y, quantizer.noise(y, seed))
      loss = tf.reduce_sum(tf.square(y_tilde))
    return tape.gradient(loss, y)

  return step


def _draw_mismatch(rows_by_study, subject_names):
  with matplotlib.rc_context(plot.STYLE):
    figure = Figure(figsize=(13, 8), layout='constrained')
    *grid, legend = figure.subplots(2, 3).flat

    for axes, (study_name, key, title, coordinates) in zip(grid, _MISMATCH_PANELS, strict=True):
      rows = [row for row in rows_by_study[study_name] if coordinates.items() <= row.items()]
      _draw_over_scale(axes, rows, key, subject_names)
      axes.set_title(title, fontsize=10)
      axes.set_xlabel(study.SCALES)

    legend.set_axis_off()
    legend.legend(*grid[0].get_legend_handles_labels(), loc='center')
  return figure


def _draw_gradient(rows, subject_names):
  subject_rows = [row for row in rows if row['surrogate'] in subject_names]
  estimators = list(dict.fromkeys(row['estimator'] for row in subject_rows))

  with matplotlib.rc_context(plot.STYLE):
    figure = Figure(figsize=(13, 8), layout='constrained')
    grid = figure.subplots(2, len(estimators), sharex=True, sharey='row', squeeze=False)

    for axes_of_row, (key, label) in zip(grid, _GRADIENT_PANELS, strict=True):
      for axes, estimator in zip(axes_of_row, estimators, strict=True):
        estimator_rows = [row for row in rows if row['estimator'] == estimator]
        _draw_over_scale(axes, estimator_rows, key, subject_names)
        axes.set_yscale('log')
        axes.set_title(estimator)
      axes_of_row[0].set_ylabel(f'{label} / mean absolute gradient')
    for axes in grid[-1]:
      axes.set_xlabel(study.SCALES)
  return figure


def _draw_over_scale(axes, rows, key, subject_names):
  """Draws a line for each surrogate: subjects in colour, the backdrop in grey."""
  names = list(dict.fromkeys(row['surrogate'] for row in rows))
  backdrop_names = [name for name in names if name not in subject_names]

  for name in names:
    finite = [row for row in rows if row['surrogate'] == name and np.isfinite(row[key])]
    if name in subject_names:
      style = {'color': f'C{subject_names.index(name)}', 'linewidth': 2.2, 'zorder': 3}
    else:
      style = {'color': '0.6', 'linestyle': _BACKDROP_DASHES[backdrop_names.index(name)]}
    # A line without points is drawn too, for the legend.
    scales = [row['scale'] for row in finite]
    values = [row[key] for row in finite]
    axes.plot(scales, values, label=name, **style)

  axes.set_xscale('log')


def _risk_rows(rows, subject_names):
  """Returns the rows of the subjects at Table II's scales, under headings for people."""
  selected = []
  for row in rows:
    if row['surrogate'] in subject_names and row['scale'] in gradient.SCALES:
      selected.append(
        {
          'surrogate': row['surrogate'],
          'estimator': row['estimator'],
          'scale': row['scale'],
          'mean absolute bias [bits]': row['bias'],
          '+-': row['bias_error'],
          'variance [bits^2]': row['variance'],
        }
      )
  return selected


def _image_html(figure):
  buffer = io.BytesIO()
  with matplotlib.rc_context(plot.STYLE):
    figure.savefig(buffer, format='png', dpi=110)
  encoded = base64.b64encode(buffer.getvalue()).decode()
  return f'<img src="data:image/png;base64,{encoded}">'


def _table_html(rows):
  lines = [_row_html('th', rows[0])]
  for row in rows:
    values = [study.format_value(value) for value in row.values()]
    lines.append(_row_html('td', values))
  return f'<table>{"".join(lines)}</table>'


def _row_html(tag, values):
  cells = [f'<{tag}>{html.escape(value)}</{tag}>' for value in values]
  return f'<tr>{"".join(cells)}</tr>'
