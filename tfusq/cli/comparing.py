"""`tfusq evaluate`, `tfusq bdrate` and `tfusq plot`: rates and qualities, compared and drawn."""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tfusq import files
from tfusq.cli.arguments import (
  ANCHOR_HELP,
  DEFAULT_CODEC_HELP,
  IMAGES_HELP,
  Commands,
  add_axes,
  add_command,
  add_effort,
  add_force,
  add_gin_search_path,
  any_path,
  effort_of,
  local_path,
  positive,
)

if TYPE_CHECKING:
  from matplotlib.figure import Figure

  from tfusq.evaluation.evaluate import Point

# Longest name of a file on usual file systems, in bytes.
_NAME_BYTES = 255
_CURVE_HELP = "JSON file of `evaluate`, or CompressAI's"


def add(commands: Commands) -> None:
  """Adds the commands."""
  _add_evaluate(commands)

  command = add_command(
    commands, 'bdrate', bdrate, 'percentage of additional bits at equal quality'
  )
  command.add_argument('anchor', help=f'{ANCHOR_HELP}; the curve to compare with')
  command.add_argument('curves', type=local_path, nargs='+', metavar='curve', help=_CURVE_HELP)
  add_axes(command)
  command.add_argument(
    '--lowest', type=positive, metavar='N', help='use the N lowest rates of each curve'
  )

  command = add_command(
    commands, 'plot', plot, 'draw rate-distortion curves, or the course of a training'
  )
  command.add_argument('curves', type=local_path, nargs='*', metavar='curve', help=_CURVE_HELP)
  command.add_argument(
    '--out', type=local_path, action='append', required=True, help='PNG or SVG to write; repeatable'
  )
  command.add_argument(
    '--anchor', action='append', default=[], help=f'{ANCHOR_HELP}; drawn dashed; repeatable'
  )
  command.add_argument(
    '--model_dir',
    type=any_path,
    action='append',
    default=[],
    help='run directory, whose training is drawn instead; repeatable: joint stage, post stage',
  )
  command.add_argument('--title', default='', help='title of the picture')
  add_axes(command)
  add_force(command)


def _add_evaluate(commands: Commands) -> None:
  command = add_command(
    commands, 'evaluate', evaluate, 'real bytes and quality over a folder of images'
  )
  command.add_argument('folder', type=any_path, help=IMAGES_HELP)
  command.add_argument(
    '--codec',
    type=any_path,
    action='append',
    default=[],
    help=(
      'folder of an exported codec, or name of an installed one; repeatable, several make a curve; '
      f'{DEFAULT_CODEC_HELP}'
    ),
  )
  command.add_argument(
    '--model_dir',
    type=any_path,
    action='append',
    default=[],
    help='run directory, whose train-test mismatch is measured too; repeatable',
  )
  qualities = command.add_mutually_exclusive_group()
  qualities.add_argument(
    '--at_lmbda',
    type=float,
    metavar='LMBDA',
    help='the one quality of codecs of variable rate whose lambda this is, as sweeps evaluate them',
  )
  qualities.add_argument(
    '--qualities',
    type=float,
    nargs='+',
    metavar='Q',
    help='qualities of codecs of variable rate; by default 1, 2 and so on, all levels of a codec',
  )
  command.add_argument(
    '--anchor', help='live anchor, evaluated at all its settings, such as x265 or jpeg'
  )
  add_effort(command)
  add_gin_search_path(command)
  command.add_argument('--name', help='name of the curve in legends and tables')
  command.add_argument(
    '--json',
    type=local_path,
    help=(
      'file to write the curve to, which compressai.utils.plot reads too; the same command resumes '
      'an interrupted evaluation'
    ),
  )
  command.add_argument('--csv', type=local_path, help='file to write a line for each image to')
  add_force(command)


def evaluate(arguments: argparse.Namespace) -> None:
  """Prints real bytes and quality over a folder of images, and writes them to files."""
  from tfusq import image_files
  from tfusq.evaluation import table
  from tfusq.evaluation.evaluate import evaluate as evaluate_points
  from tfusq.evaluation.failures import EvaluationError
  from tfusq.evaluation.journal import Journal
  from tfusq.export import primitives

  outputs = _evaluation_outputs(arguments)
  # A codec that is missing is named before the images are looked at.
  codecs = _codecs(arguments)
  # Before the operating points import TensorFlow.
  primitives.limit(primitives.image_sizes(image_files.list_images(arguments.folder)))
  name = arguments.name or arguments.anchor or Path(arguments.json or 'tfusq').stem
  with tempfile.TemporaryDirectory() as scratch:
    points = _operating_points(arguments, codecs, Path(scratch))
    journal = Journal(_journal_path(outputs[0]) if outputs else None)
    curve, problems = evaluate_points(points, arguments.folder, name, journal)

  print(table.format_curve(curve))
  for remark in table.remarks(curve):
    print(remark)
  if arguments.csv:
    files.write(arguments.csv, table.to_csv(curve), arguments.force)
  if arguments.json:
    files.write(arguments.json, curve.to_json(), arguments.force)
  journal.remove()

  # What can't be evaluated does not stop the evaluation, but makes the command fail.
  if problems:
    raise EvaluationError(problems)


def _evaluation_outputs(arguments: argparse.Namespace) -> list[str]:
  """Returns the files to write, after checking that they may be written."""
  outputs = [path for path in (arguments.json, arguments.csv) if path]
  for path in outputs:
    files.check_output(path, arguments.force)

  if len({Path(path).resolve() for path in outputs}) < len(outputs):
    raise files.Exists(f'--json and --csv are both {arguments.json}; name two files')
  return outputs


def _journal_path(output: str) -> Path:
  """Returns the file beside an output that keeps what is finished of it."""
  path = Path(f'{output}.partial')
  if len(os.fsencode(path.name)) <= _NAME_BYTES:
    return path
  digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()
  return path.with_name(f'{digest}.partial')


def _codecs(arguments: argparse.Namespace) -> list[str]:
  """Returns the folders of the codecs to evaluate: the default one if nothing else is asked for."""
  from tfusq.cli import codecs

  texts: list[str | None] = list(arguments.codec)
  if not (texts or arguments.model_dir or arguments.anchor):
    texts = [None]
  return [str(codecs.to_compress(text).path) for text in texts]


def _operating_points(
  arguments: argparse.Namespace, codecs: list[str], scratch: Path
) -> list[Point]:
  """Returns the operating points; the codecs of runs are exported to a scratch folder."""
  from tfusq.evaluation import operating_points

  choice = operating_points.Choice(arguments.qualities or (), arguments.at_lmbda)
  effort = effort_of(arguments)
  points: list[Point] = []
  for path in codecs:
    points += operating_points.exported_points(path, choice, effort)
  for number, path in enumerate(arguments.model_dir):
    exported = scratch / str(number)
    points += operating_points.run_points(path, arguments.gin_search_path, exported, choice, effort)
  if arguments.anchor:
    points += operating_points.anchor_points(arguments.anchor)
  return points


def bdrate(arguments: argparse.Namespace) -> None:
  """Prints the BD-rates of curves relative to an anchor."""
  from tfusq.curves import bd_rate
  from tfusq.curves.curve import CurveError, read_curve
  from tfusq.curves.reference import read_anchors

  comparison = read_anchors([arguments.anchor], [read_curve(path) for path in arguments.curves])
  rate, quality = _axes(arguments)
  report, failures = bd_rate.report(
    comparison.anchors[0],
    comparison.digests[0],
    comparison.curves,
    rate,
    quality,
    arguments.lowest,
  )
  print(report)
  for remark in comparison.remarks:
    print(f'warning: {remark}')
  if failures:
    raise CurveError('; '.join(failures))


def plot(arguments: argparse.Namespace) -> None:
  """Draws rate-distortion curves, or the stages of a training."""
  from tfusq.curves.plot import PlotError, save

  for path in arguments.out:
    files.check_output(path, arguments.force)
  if bool(arguments.model_dir) == bool(arguments.curves):
    raise PlotError('say what to draw: either curves, or run directories by --model_dir')

  figure = _training_figure(arguments) if arguments.model_dir else _curves_figure(arguments)
  for path in arguments.out:
    save(figure, path, arguments.force)
    print(path)


def _training_figure(arguments: argparse.Namespace) -> Figure:
  """Draws the training of run directories, one after the other."""
  from tfusq.curves.plot import PlotError, plot_training
  from tfusq.training.events import read_scalars

  if arguments.anchor:
    raise PlotError('training has no anchor')

  scalars = [(Path(path).name, read_scalars(path)) for path in arguments.model_dir]
  return plot_training(scalars, arguments.title)


def _curves_figure(arguments: argparse.Namespace) -> Figure:
  """Draws rate-distortion curves, anchors dashed."""
  from tfusq.curves.curve import read_curve
  from tfusq.curves.plot import plot_curves
  from tfusq.curves.reference import read_anchors

  curves = [read_curve(path) for path in arguments.curves]
  comparison = read_anchors(arguments.anchor, curves)
  rate, quality = _axes(arguments)

  remarks = list(comparison.remarks)
  axes = [(curve, rate, quality) for curve in comparison.curves]
  axes += [(anchor, *anchor.anchor_axes(rate, quality)) for anchor in comparison.anchors]
  for curve, *keys in axes:
    left_out = curve.left_out(*keys)
    if left_out:
      remarks.append(f'{curve.name}: {left_out}')
  for remark in remarks:
    print(f'warning: {remark}')

  return plot_curves(comparison.curves, comparison.anchors, rate, quality, arguments.title)


def _axes(arguments: argparse.Namespace) -> tuple[str, str]:
  """Returns the keys of rate and quality in a curve's results."""
  if arguments.surrogate:
    return 'surrogate-bpp', 'surrogate-psnr-rgb'
  return 'bpp', arguments.quality
