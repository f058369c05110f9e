"""Pictures of rate-distortion curves and of training."""

import io
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter
from PIL import Image

from tfusq import files
from tfusq.curves.curve import Curve
from tfusq.errors import Error

# Series of (step, value) by tag, as `tfusq.training.events.read_scalars` gives them.
Scalars = dict[str, list[tuple[int, float]]]

FORMATS = ('.png', '.svg')
_DPI = 150
_FEW = 5  # most curves whose legend fits inside the axes
_MARKERS = 'os^Dv'
_DASHES = ((6, 2), (2, 2), (6, 2, 1, 2), (10, 3), (1, 2))  # told apart in grey
STYLE: dict[Any, Any] = {
  'axes.grid': True,
  'grid.alpha': 0.3,
  'axes.spines.top': False,
  'axes.spines.right': False,
  'svg.hashsalt': 'tfusq',
  'legend.edgecolor': 'none',
  'legend.framealpha': 0.8,
  'legend.handlelength': 3,
  'axes.formatter.useoffset': False,
  'font.size': 10,
  'lines.markersize': 4,
}
_LABELS = {
  'bpp': 'rate [bpp]',
  'surrogate-bpp': 'rate of the surrogate [bpp]',
  'psnr-rgb': 'PSNR [dB]',
  'ms-ssim-rgb': 'MS-SSIM [dB]',
  'surrogate-psnr-rgb': 'PSNR of the surrogate [dB]',
}


class PlotError(Error, ValueError):
  """A picture that cannot be drawn."""


def plot_curves(
  curves: Sequence[Curve],
  anchors: Sequence[Curve],
  rate: str = 'bpp',
  quality: str = 'psnr-rgb',
  title: str = '',
) -> Figure:
  """Draws curves over their range of rates; anchors as far as they reach into it.

  Args:
    curves: Curves that are drawn as solid lines.
    anchors: Curves that are drawn as dashed grey lines.
    rate: Key of the rate in the curves' results.
    quality: Key of the quality in the curves' results; MS-SSIM is drawn in dB.
    title: Title of the picture.

  Raises:
    CurveError: if a curve lacks these results.
  """
  with matplotlib.rc_context(STYLE):
    few = len(curves) + len(anchors) <= _FEW
    figure = Figure(figsize=(8 if few else 12, 5.5), layout='constrained')
    axes = figure.add_subplot()
    for number, curve in enumerate(curves):
      rates, qualities = curve.points(rate, quality)
      axes.plot(rates, qualities, marker=marker(number), label=curve.name)

    # The limits are those of the curves: an anchor may span far more than is of interest.
    _, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    axes.set_xlim(0, 1.08 * right)
    axes.set_ylim(bottom - 0.08 * (top - bottom), top + 0.16 * (top - bottom))
    for anchor, dashes in zip(anchors, itertools.cycle(_DASHES)):
      rates, qualities = anchor.anchor_points(rate, quality)
      axes.plot(
        rates, qualities, linestyle=(0, dashes), marker='.', color='0.35', label=anchor.name
      )

    axes.set_xlabel(**as_written(_LABELS.get(rate, rate), 'xlabel'))
    axes.set_ylabel(**as_written(_LABELS.get(quality, quality), 'ylabel'))
    axes.set_title(**as_written(title))
    names = [curve.name for curve in [*curves, *anchors]]
    if few:
      add_legend(axes, axes.get_lines(), names, loc='lower right')
    else:
      add_legend(figure, axes.get_lines(), names, loc='outside right upper')
  return figure


def as_written(text: str, name: str = 'label') -> dict[str, Any]:
  """Returns arguments with which Matplotlib draws a user's text as it is written.

  Otherwise it takes what is between two dollars for a formula. Bytes of a file name that are not
  UTF-8 become escapes.

  Args:
    text: Text.
    name: Name of Matplotlib's argument for the text.
  """
  return {name: text.encode(errors='backslashreplace').decode(), 'parse_math': False}


def add_legend(
  owner: Axes | Figure, handles: Sequence[Artist], names: Sequence[str], **options: Any
) -> None:
  """Adds a legend in which every name is there, and as it is written.

  Args:
    owner: Axes or figure that gets the legend.
    handles: Lines, one for each name.
    names: Names.
    **options: Options of Matplotlib's legend.
  """
  # Given by themselves, names that begin with an underscore are left out.
  legend = owner.legend(handles, [str(number) for number in range(len(names))], **options)
  for text, name in zip(legend.get_texts(), names, strict=True):
    text.set(**as_written(name, 'text'))


def marker(number: int) -> str:
  """Returns the marker of a curve, which changes when the ten colours begin again."""
  return _MARKERS[number // 10 % len(_MARKERS)]


class _Stage(NamedTuple):
  """A stage of a training run, as it is drawn.

  Attributes:
    name: Name.
    start: Number of steps of the stages before it.
    scalars: Scalars by writer.
  """

  name: str
  start: int
  scalars: dict[str, Scalars]


def plot_training(stages: Sequence[tuple[str, dict[str, Scalars]]], title: str = '') -> Figure:
  """Draws the stages of a training run, one after another.

  Args:
    stages: Name of each stage, and its scalars by writer, `train` and maybe `validation`.
    title: Title of the picture.

  Returns:
    Panels of the loss, of rate and PSNR, and of the train-test mismatch where there is validation.

  Raises:
    PlotError: if no stage has been trained yet.
  """
  if not any('loss' in scalars.get('train', {}) for _, scalars in stages):
    raise PlotError('nothing to draw: no stage has finished its first interval')
  validated = any('rate_mismatch' in scalars.get('validation', {}) for _, scalars in stages)
  in_sequence = _in_sequence(stages)
  with matplotlib.rc_context(STYLE):
    figure = Figure(figsize=(8, 9.5 if validated else 7), layout='constrained')
    panels = figure.subplots(3 if validated else 2, sharex=True)
    _draw_loss(panels[0], in_sequence)
    _draw_rate_and_quality(panels[1], in_sequence, validated)
    if validated:
      _draw_mismatch(panels[2], in_sequence)
    panels[-1].set_xlabel('step')
    _mark_stages(panels, in_sequence)
    figure.suptitle(**as_written(title, 't'))
  return figure


def _in_sequence(stages):
  """Returns the stages, each beginning where the one before it ended."""
  in_sequence = []
  start = 0
  for name, scalars in stages:
    in_sequence.append(_Stage(name, start, scalars))
    steps = 0
    for series in scalars.get('train', {}).values():
      steps = max([steps, *(step for step, _ in series)])
    start += steps
  return in_sequence


def _draw_loss(axes, stages):
  _draw(axes, stages, 'train', 'loss', 'as trained', 'C0')
  _draw(axes, stages, 'validation', 'soft_loss', 'validation, training-time forward', 'C1')
  _draw(axes, stages, 'validation', 'loss', 'validation, rounded', 'C2')
  axes.set_ylabel('loss [bpp]')
  axes.set_yscale('log')
  # A loss spans less than two decades, on which powers of ten alone would leave one label.
  axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
  axes.yaxis.set_major_formatter(ScalarFormatter())
  axes.yaxis.set_minor_locator(NullLocator())
  axes.legend(loc='upper right')


def _draw_rate_and_quality(rate_axes, stages, validated):
  quality_axes = rate_axes.twinx()
  quality_axes.grid(False)
  writer, source = ('validation', 'validation, rounded') if validated else ('train', 'as trained')
  _draw(rate_axes, stages, writer, 'bpp', f'rate, {source}', 'C0')
  _draw(quality_axes, stages, writer, 'psnr', f'PSNR, {source}', 'C3')
  rate_axes.set_ylabel('rate [bpp]')
  quality_axes.set_ylabel('PSNR [dB]')

  lines = [*rate_axes.get_lines(), *quality_axes.get_lines()]
  named = [line for line in lines if not line.get_label().startswith('_')]
  # Above the panel: inside, curves on two axes may be anywhere.
  quality_axes.legend(
    named,
    [line.get_label() for line in named],
    loc='lower right',
    bbox_to_anchor=(1, 1),
    borderaxespad=0.2,
    ncols=2,
  )


def _draw_mismatch(axes, stages):
  _draw(axes, stages, 'validation', 'rate_mismatch', 'rate', 'C0')
  _draw(axes, stages, 'validation', 'distortion_mismatch', 'distortion (weighted)', 'C3')
  axes.axhline(0, color='0.5', linewidth=0.8)
  axes.set_ylabel('mismatch [bpp]\ntraining-time forward minus rounding')
  axes.legend(loc='upper right')


def _draw(axes, stages, writer, tag, label, color):
  """Draws a scalar over the steps of all stages that have it."""
  for stage in stages:
    series = stage.scalars.get(writer, {}).get(tag)
    if series:
      steps = [stage.start + step for step, _ in series]
      values = [value for _, value in series]
      axes.plot(steps, values, marker='.', color=color, label=label)
      label = '_' + label  # one entry in the legend


def _mark_stages(panels, stages):
  """Draws a line where each stage begins, with its name above."""
  for stage in stages:
    for axes in panels:
      axes.axvline(stage.start, color='0.7', linewidth=0.8, linestyle=':')
    panels[0].annotate(
      xy=(stage.start, 1),
      xycoords=('data', 'axes fraction'),
      xytext=(3, 2),
      textcoords='offset points',
      color='0.4',
      **as_written(stage.name, 'text'),
    )


def save(figure: Figure, path: str | os.PathLike, force: bool) -> None:
  """Writes a picture.

  Args:
    figure: Picture.
    path: File to write, whose suffix is `.png` or `.svg`.
    force: Whether an existing file may be replaced.

  Raises:
    PlotError: if the suffix is another.
    Exists: if the file exists and may not be replaced.
  """
  suffix = Path(path).suffix.lower()
  if suffix not in FORMATS:
    raise PlotError(f'a picture is {" or ".join(FORMATS)}, not {path}')
  buffer = io.BytesIO()
  with matplotlib.rc_context(STYLE):
    if suffix == '.svg':
      # Without a date, the same curves give the same file.
      figure.savefig(buffer, format='svg', metadata={'Date': None})
    else:
      figure.savefig(buffer, format='png', dpi=_DPI)
  data = buffer.getvalue()
  files.write(path, _with_palette(data) if suffix == '.png' else data, force)


def _with_palette(png: bytes) -> bytes:
  """Returns a picture in 256 colours, a third of the bytes."""
  with Image.open(io.BytesIO(png)) as image:
    colours = image.convert('RGB')
  # Of Pillow's methods, the octree is the closest to the colours of thin lines. Dithering would
  # put dots on plain areas, and make the file larger.
  palette = colours.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
  buffer = io.BytesIO()
  palette.save(buffer, 'PNG', optimize=True, dpi=(_DPI, _DPI))
  return buffer.getvalue()
