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

# On logarithmic axes, values that are not greater are rounding errors.
_NEGLIGIBLE = 1e-6
# A line has about this many markers, even where it has many points.
_MARKERS_OF_A_LINE = 12
_DASHES = ('-', '--', ':', '-.')
_MARKERS = 'os^Dv<>pX*P'


class Panel(NamedTuple):
  """One pair of axes of a picture, with a line for each surrogate.

  Attributes:
    key: Name of the column that is drawn.
    label: Label of the vertical axis.
    title: Title above the axes.
    rows: Rows of a study, each with a `surrogate`.
    scale: Matplotlib's name for the scale of the vertical axis: `linear`, `symlog`, or `log`, which
      leaves out values that are only rounding errors.
  """

  key: str
  label: str
  title: str
  rows: list[dict]
  scale: str = 'linear'

  def points(self, over: str, name: str) -> list[tuple[float, float]]:
    """Returns the points that are drawn of one surrogate.

    Args:
      over: Name of the column on the horizontal axis.
      name: The surrogate's value in the column `surrogate`.

    Returns:
      Pairs of coordinates; values that are not finite are left out.
    """
    points = []
    for row in self.rows:
      if row['surrogate'] == name and self._is_drawn(row[self.key]):
        points.append((row[over], row[self.key]))
    return points

  def _is_drawn(self, value):
    return math.isfinite(value) and (self.scale != 'log' or value > _NEGLIGIBLE)


def draw(
  panels: Sequence[Sequence[Panel]], over: str, label: str, logarithmic: bool = True
) -> Figure:
  """Draws panels in rows and columns, in which a surrogate has the same style everywhere.

  Args:
    panels: Rows of panels, all of one length; the first panel of a row labels the vertical axis.
    over: Name of the column on the horizontal axis.
    label: Label of the horizontal axes.
    logarithmic: Whether the horizontal axes are logarithmic.
  """
  all_panels = list(itertools.chain.from_iterable(panels))
  styles = _styles(_names(all_panels))

  with matplotlib.rc_context(plot.STYLE):
    size = (4.5 * len(panels[0]) + 3, 4.2 * len(panels) + 0.8)
    figure = Figure(figsize=size, layout='constrained')
    grid = figure.subplots(len(panels), len(panels[0]), squeeze=False, sharex=True, sharey='row')

    for axes, panel in zip(grid.flat, all_panels, strict=True):
      _draw_panel(axes, panel, over, styles)
      if logarithmic:
        axes.set_xscale('log')
    for axes_of_row, panels_of_row in zip(grid, panels):
      axes_of_row[0].set_ylabel(panels_of_row[0].label)
    for axes in grid[-1]:
      axes.set_xlabel(label)

    handles = [Line2D([], [], **style) for style in styles.values()]
    plot.add_legend(figure, handles, list(styles), loc='outside right upper')
  return figure


def _names(panels):
  """Returns the names of the surrogates, in the order in which they first occur."""
  names = {}
  for panel in panels:
    names |= dict.fromkeys(row['surrogate'] for row in panel.rows)
  return list(names)


def _draw_panel(axes, panel, over, styles):
  for name, style in styles.items():
    points = panel.points(over, name)
    if points:
      x, y = zip(*points)
      axes.plot(x, y, **style, markevery=max(1, len(points) // _MARKERS_OF_A_LINE))
  axes.set_title(panel.title)
  axes.set_yscale(panel.scale)


def _styles(names):
  """Returns the style of each surrogate, one colour and marker for each class.

  Names of one class differ in their temperatures. The last of them is solid and the others are
  dashed, so that the hardest stands out if they get harder.
  """
  names_by_class = {}
  for name in names:
    class_name = re.split('[.(]', name)[0]
    names_by_class.setdefault(class_name, []).append(name)

  styles = {}
  for number, names_of_class in enumerate(names_by_class.values()):
    for rank, name in enumerate(reversed(names_of_class)):
      styles[name] = {
        'color': f'C{number % 10}',
        'marker': _MARKERS[number % len(_MARKERS)],
        'linestyle': _DASHES[rank % len(_DASHES)],
      }
  return {name: styles[name] for name in names}
