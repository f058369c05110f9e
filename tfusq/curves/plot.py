"""Pictures of rate-distortion curves and of training."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib
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
_FEW = 5  # curves whose legend goes inside
_MARKERS = 'os^Dv'
STYLE = {
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
  """A picture that can't be drawn."""


def plot_curves(
  curves: Sequence[Curve],
  anchors: Sequence[Curve],
  rate: str = 'bpp',
  quality: str = 'psnr-rgb',
  title: str = '',
) -> Figure:
  """Draws curves over the range of rates that they have; anchors dashed, as far as they reach in.

  Args:
    curves: Solid lines.
    anchors: Dashed grey lines.
    rate: Key of the curves' results.
    quality: Another; MS-SSIM is drawn in dB.
    title: Above.

  Raises:
    CurveError: if a curve lacks these figures.
  """
  with matplotlib.rc_context(STYLE):
    few = len(curves) + len(anchors) <= _FEW
    figure = Figure(figsize=(8 if few else 12, 5.5), layout='constrained')
    axes = figure.add_subplot()
    for place, curve in enumerate(curves):
      rates, qualities = curve.points(rate, quality)
      axes.plot(rates, qualities, marker=marker(place), label=curve.name)
    # An anchor may span far more than is of interest.
    (_, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    axes.set_xlim(0, 1.08 * right)
    axes.set_ylim(bottom - 0.08 * (top - bottom), top + 0.16 * (top - bottom))
    for anchor, dashes in zip(anchors, _dashes()):
      rates, qualities = anchor.anchor_points(rate, quality)
      axes.plot(
        rates, qualities, linestyle=(0, dashes), marker='.', color='0.35', label=anchor.name
      )
    axes.set_xlabel(_LABELS.get(rate, rate))
    axes.set_ylabel(_LABELS.get(quality, quality))
    axes.set_title(title)
    if few:
      axes.legend(loc='lower right')
    else:
      figure.legend(loc='outside right upper')
  return figure


def marker(number: int) -> str:
  """Returns the marker of a curve, which changes when the ten colours begin again."""
  return _MARKERS[number // 10 % len(_MARKERS)]


def _dashes():
  """Dash patterns, told apart in grey; they begin again after the fifth."""
  while True:
    yield from ((6, 2), (2, 2), (6, 2, 1, 2), (10, 3), (1, 2))


def plot_training(stages: Sequence[tuple[str, dict[str, Scalars]]], title: str = '') -> Figure:
  """Draws the stages of a training run, one after another.

  Args:
    stages: Name of each stage and its scalars by writer, `train` and maybe `validation`.
    title: Above.

  Returns:
    Panels of the loss, of rate and PSNR, and of the train-test mismatch where there is validation.

  Raises:
    PlotError: if no stage has been trained yet.
  """
  if not any('loss' in scalars.get('train', {}) for _, scalars in stages):
    raise PlotError('nothing to draw: no stage has finished its first interval')
  validated = any('rate_mismatch' in scalars.get('validation', {}) for _, scalars in stages)
  with matplotlib.rc_context(STYLE):
    figure = Figure(figsize=(8, 9.5 if validated else 7), layout='constrained')
    panels = figure.subplots(3 if validated else 2, sharex=True)
    loss, rate, *mismatch = panels
    quality = rate.twinx()
    quality.grid(False)
    _draw(loss, stages, 'train', 'loss', 'as trained', 'C0')
    _draw(loss, stages, 'validation', 'soft_loss', 'validation, training-time forward', 'C1')
    _draw(loss, stages, 'validation', 'loss', 'validation, rounded', 'C2')
    shown = 'validation' if validated else 'train'
    of = 'validation, rounded' if validated else 'as trained'
    _draw(rate, stages, shown, 'bpp', f'rate, {of}', 'C0')
    _draw(quality, stages, shown, 'psnr', f'PSNR, {of}', 'C3')
    for axes in mismatch:
      _draw(axes, stages, 'validation', 'rate_mismatch', 'rate', 'C0')
      _draw(axes, stages, 'validation', 'distortion_mismatch', 'distortion (weighted)', 'C3')
      axes.axhline(0, color='0.5', linewidth=0.8)
      axes.set_ylabel('mismatch [bpp]\ntraining-time forward less rounding')
    loss.set_ylabel('loss [bpp]')
    loss.set_yscale('log')
    loss.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    loss.yaxis.set_major_formatter(ScalarFormatter())  # numbers, not powers of ten
    loss.yaxis.set_minor_locator(NullLocator())
    rate.set_ylabel('rate [bpp]')
    quality.set_ylabel('PSNR [dB]')
    panels[-1].set_xlabel('step')
    _mark_stages(panels, stages)
    for axes in (loss, *mismatch):
      axes.legend(loc='upper right')
    lines = [*rate.get_lines(), *quality.get_lines()]
    named = [line for line in lines if not line.get_label().startswith('_')]
    # Above, since two curves on two axes may be anywhere inside.
    quality.legend(
      named,
      [line.get_label() for line in named],
      loc='lower right',
      bbox_to_anchor=(1, 1),
      borderaxespad=0.2,
      ncols=2,
    )
    figure.suptitle(title)
  return figure


def _offsets(stages):
  """Where each stage begins when one follows the other."""
  start = 0
  for name, scalars in stages:
    yield start, name, scalars
    start += max(
      (step for series in scalars.get('train', {}).values() for step, _ in series), default=0
    )


def _draw(axes, stages, writer, tag, label, color):
  for start, _, scalars in _offsets(stages):
    series = scalars.get(writer, {}).get(tag)
    if series:
      axes.plot(
        [start + step for step, _ in series],
        [value for _, value in series],
        marker='.',
        color=color,
        label=label,
      )
      label = '_' + label  # one entry in the legend


def _mark_stages(panels, stages):
  for start, name, _ in _offsets(stages):
    for axes in panels:
      axes.axvline(start, color='0.7', linewidth=0.8, linestyle=':')
    panels[0].annotate(
      name,
      (start, 1),
      xycoords=('data', 'axes fraction'),
      xytext=(3, 2),
      textcoords='offset points',
      color='0.4',
    )


def save(figure: Figure, path: str | os.PathLike, force: bool) -> None:
  """Writes a picture.

  Args:
    figure: What is drawn.
    path: PNG or SVG by its ending.
    force: Whether an existing file may be replaced.

  Raises:
    PlotError: if it ends otherwise.
    Exists: if it may not be replaced.
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
