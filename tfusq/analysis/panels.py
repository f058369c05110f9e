"""Pictures of surrogates: panels in rows and columns, and one legend."""

import itertools
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tfusq.curves import plot

_NEGLIGIBLE = 1e-6
_DASHES = ('-', '--', ':', '-.')
_MARKERS = 'os^Dv<>pX*P'


class Panel(NamedTuple):
  """One pair of axes of a picture, with a line for each surrogate.

  Attributes:
    key: Of the rows, what is drawn.
    label: Of the vertical axis.
    title: Above.
    rows: With a `surrogate` each.
    scale: Of the vertical axis, Matplotlib's name: `linear`, `symlog`, or `log`, which leaves out
      what is no more than rounding errors.
  """

  key: str
  label: str
  title: str
  rows: list[dict]
  scale: str = 'linear'

  def points(self, over: str, name: str) -> list[tuple[float, float]]:
    """Returns what is drawn of one surrogate; values that are not finite are left out."""
    pairs = ((row[over], row[self.key]) for row in self.rows if row['surrogate'] == name)
    return [
      (x, y) for x, y in pairs if math.isfinite(y) and (y > _NEGLIGIBLE or self.scale != 'log')
    ]


def draw(
  panels: Sequence[Sequence[Panel]], over: str, label: str, logarithmic: bool = True
) -> Figure:
  """Draws panels in rows and columns; a surrogate has one style in all, and its kind one colour.

  Args:
    panels: In rows.
    over: Key of the rows, the horizontal axis.
    label: Of the horizontal axes.
    logarithmic: Whether they are.
  """
  with matplotlib.rc_context(plot.STYLE):
    figure = Figure(
      figsize=(4.5 * len(panels[0]) + 3, 4.2 * len(panels) + 0.8), layout='constrained'
    )
    grid = figure.subplots(len(panels), len(panels[0]), squeeze=False, sharex=True, sharey='row')
    names = list(
      dict.fromkeys(row['surrogate'] for panel in itertools.chain(*panels) for row in panel.rows)
    )
    styles = _styles(names)
    for axes, panel in zip(grid.flat, itertools.chain(*panels)):
      for name in names:
        points = panel.points(over, name)
        if points:
          # Markers thin out where a curve has many points.
          axes.plot(*zip(*points), **styles[name], markevery=max(1, len(points) // 12))
      axes.set_title(panel.title)
      if logarithmic:
        axes.set_xscale('log')
      axes.set_yscale(panel.scale)
    for line, row in zip(grid, panels):
      line[0].set_ylabel(row[0].label)
    for axes in grid[-1]:
      axes.set_xlabel(label)
    figure.legend(
      [Line2D([], [], **styles[name]) for name in names], names, loc='outside right upper'
    )
  return figure


def _styles(names):
  """Returns the style of each surrogate: the last of a kind is solid, those before are dashed."""
  kinds = {}
  for name in names:
    kinds.setdefault(re.split('[.(]', name)[0], []).append(name)
  return {
    name: {
      'color': f'C{number % 10}',
      'marker': _MARKERS[number % len(_MARKERS)],
      'linestyle': _DASHES[(len(group) - 1 - place) % len(_DASHES)],
    }
    for number, group in enumerate(kinds.values())
    for place, name in enumerate(group)
  }
