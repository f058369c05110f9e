"""Picture of a run's way between train-test mismatch and gradient noise (Sec. 4.5)."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfusq.analysis.studies.advice import GREATEST_MISMATCH, GREATEST_NOISE
from tfusq.analysis.studies.diagnosis import Diagnosis, State
from tfusq.analysis.study import Study
from tfusq.curves import plot

# Points beyond this, in percent and in noise, are drawn at it: noise without signal is infinite.
_EDGE = 1e3


def study(diagnosis: Diagnosis) -> Study:
  """Returns the measurements of a run as rows, and a picture of its way.

  Args:
    diagnosis: Measurements of the run.

  Returns:
    A study with a row for each state.
  """
  rows = []
  for name, states in (('checkpoint', diagnosis.checkpoints), ('ladder', diagnosis.ladder)):
    rows += [{'at': name, **state._asdict()} for state in states]
  return Study('run', rows, _draw(diagnosis))


def _draw(diagnosis: Diagnosis) -> Figure:
  with matplotlib.rc_context(plot.STYLE):
    figure = Figure(figsize=(12, 5.4), layout='constrained')
    rate, distortion = figure.subplots(1, 2, sharex=True, sharey=True)
    extents = [
      _draw_term(rate, diagnosis, 'rate', 'rate_temperature'),
      _draw_term(distortion, diagnosis, 'distortion', 'temperature'),
    ]
    # There is no rule for the rate's noise.
    distortion.axhline(GREATEST_NOISE, color='0.5', linestyle=':')
    rate.set_ylabel('noise of the gradient: variance / squared mean')
    _set_scales(rate, *np.max(extents, 0))

    lines = _labelled_lines([rate, distortion])
    figure.legend(lines.values(), lines, loc='outside lower center', ncols=4)
  return figure


def _set_scales(axes: Axes, mismatch: float, noise: float) -> None:
  """Sets the scales of the axes, from 0 to beyond the largest mismatch and noise."""
  # Both may be exactly 0, which a logarithmic axis lacks: EP's gradient has no noise, and rounding
  # no mismatch. A point at 0 has its whole marker inside.
  axes.set_xscale('symlog', linthresh=1)
  axes.set_xlim(-0.1, max(10, 2 * mismatch))
  axes.set_yscale('symlog', linthresh=0.1)
  axes.set_ylim(-0.03, max(10, 2 * noise))
  axes.xaxis.set_major_formatter('{x:g}')
  axes.yaxis.set_major_formatter('{x:g}')


def _labelled_lines(panels: Sequence[Axes]) -> dict:
  """Returns a line of either panel for each label."""
  lines = {}
  for axes in panels:
    for line in axes.get_lines():
      label = str(line.get_label())
      # Matplotlib's own names for lines without a label begin so.
      if not label.startswith('_'):
        lines[label] = line
  return lines


def _draw_term(axes: Axes, diagnosis: Diagnosis, term: str, temperature: str) -> np.ndarray:
  """Draws the way of one term of the loss.

  Args:
    axes: Axes to draw into.
    diagnosis: Measurements of the run.
    term: 'rate' or 'distortion'.
    temperature: Field of `State` that is the term's temperature.

  Returns:
    Largest mismatch in percent and largest noise, `float64[2]`.
  """
  annealed = [state for state in diagnosis.ladder if not np.isnan(getattr(state, temperature))]
  ladder = [_point(state, term) for state in annealed]
  checkpoints = [_point(state, term) for state in diagnosis.checkpoints]

  if ladder:
    label = 'the newest at other temperatures'
    axes.plot(*zip(*ladder, strict=True), color='C0', marker='o', label=label)
  axes.plot(*zip(*checkpoints, strict=True), color='C1', marker='o', label='checkpoints')
  axes.plot(
    *checkpoints[-1],
    linestyle='',
    marker='o',
    markersize=11,
    fillstyle='none',
    color='black',
    label=f'the newest, step {diagnosis.checkpoints[-1].step}',
  )

  # Only the ends are named: the points of a converged run crowd.
  ends = slice(None, None, max(1, len(ladder) - 1))
  for point, state in zip(ladder[ends], annealed[ends], strict=True):
    _annotate(axes, point, f'temperature {getattr(state, temperature):.3g}')
  axes.axvline(100 * GREATEST_MISMATCH, color='0.5', linestyle=':', label='thresholds of the rules')
  axes.set(title=term, xlabel='|train-test mismatch| [%]')
  return np.nanmax(checkpoints + ladder, 0, initial=0)


def _point(state: State, term: str) -> tuple[float, float]:
  """Returns a term's mismatch in percent and its noise, as far as the picture's edge."""
  mismatch = 100 * abs(getattr(state, f'{term}_mismatch'))
  noise = getattr(state, f'{term}_noise')
  return min(mismatch, _EDGE), min(noise, _EDGE)


def _annotate(axes: Axes, point: tuple[float, float], text: str) -> None:
  axes.annotate(text, point, xytext=(0, 9), textcoords='offset points', fontsize=8, ha='center')
