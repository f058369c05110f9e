"""The command line: `tfusq COMMAND`, or `python -m tfusq COMMAND`.

    tfusq train --model_dir RUN --gin_file FILE ... [--gin_bindings 'NAME = VALUE' ...]
    tfusq summary --gin_file MODEL
    tfusq export --model_dir RUN --out CODEC
    tfusq compress --codec CODEC IMAGE FILE      (or FOLDER FOLDER)
    tfusq decompress --codec CODEC FILE PNG      (or FOLDER FOLDER)
    tfusq info FILE
    tfusq evaluate FOLDER [--codec CODEC ... | --model_dir RUN ... | --anchor NAME] [--json FILE]
    tfusq bdrate ANCHOR CURVE ...
    tfusq plot --out PICTURE CURVE ... [--anchor ANCHOR]      (or --model_dir RUN ...)
    tfusq sweep FILE --model_dir RUNS --results RESULTS --images FOLDER [--part K/N | --report]
    tfusq plugins [--details | --pairs]
    tfusq check NAME [--gin_bindings 'NAME.parameter = VALUE' ...]
    tfusq analyze table2 [--samples N]
    tfusq analyze information | distortion | rate | gradient | laplacian [SURROGATE ...]
                  [--out FOLDER] [--full] [--seed N]
    tfusq analyze network --mnist FOLDER [SURROGATE ...] [--out FOLDER] [--full]
    tfusq analyze card SURROGATE [SURROGATE ...] [--out HTML]
    tfusq analyze run RUN FOLDER [--out FOLDER]
    tfusq analyze scales --model_dir RUN [--model_dir RUN ...] FOLDER [--out FOLDER]
    tfusq analyze statements FOLDER
    tfusq analyze code_length --model_dir RUN FOLDER
    tfusq quickstart [--out FOLDER]

TensorFlow is imported only by the commands that need it. Errors of use are one line on standard
error and exit code 1; `--verbosity=1` before the command adds the traceback.
"""

import argparse
import importlib
import os
import sys

from absl import app, logging
from absl.flags import argparse_flags

from tfusq.cli import analysis_arguments as analysis_arguments
from tfusq.cli import commands

CODEC_VARIABLE = 'TFUSQ_CODEC'
_ANCHOR_HELP = 'name of a pinned anchor, or JSON'
_CURVE_HELP = "JSON of `evaluate`, or CompressAI's"
_INPUT_HELP = (
  'PNG, JPEG, WebP or whatever else Pillow reads; grey becomes RGB, transparency is '
  'composed over white, 16 bits are brought to 8, EXIF orientation is applied'
)


def _parser() -> argparse.ArgumentParser:
  parser = argparse_flags.ArgumentParser(
    prog='tfusq', description='Uniform scalar quantization for learned image compression.'
  )
  commands = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)

  def command(name, run, description):
    sub = commands.add_parser(name, help=description, description=description)
    sub.set_defaults(run=run)
    return sub

  _add_training(command)
  _add_files(command)
  _add_comparisons(command)
  _add_library(command)
  return parser


def _takes_codec(sub):
  sub.add_argument(
    '--codec',
    default=os.environ.get(CODEC_VARIABLE, 'codec'),
    help=(
      "exported codec, or a folder of several to find a file's in; by default "
      f'${CODEC_VARIABLE}, or else ./codec'
    ),
  )


def _takes_gin(sub):
  sub.add_argument('--gin_file', action='append', default=[], help='repeatable; see tfusq/gin')
  sub.add_argument(
    '--gin_bindings', action='append', default=[], help="repeatable; such as 'Codec.lmbda = 0.01'"
  )
  sub.add_argument('--gin_search_path', action='append', default=[], help='repeatable; folder')


def _takes_force(sub):
  sub.add_argument('--force', action='store_true', help='replace an existing output')


def _add_training(command):
  sub = command('train', commands.train, 'train a codec as gin files say, or go on with a run')
  sub.add_argument('--model_dir', required=True, help='run directory')
  _takes_gin(sub)
  sub.add_argument(
    '--init_from', help=('run directory whose networks a new run starts from, as far as they fit')
  )
  sub.add_argument(
    '--dry_run', action='store_true', help='build everything and evaluate one batch; write nothing'
  )

  sub = command('summary', commands.summary, 'parameters and multiply-accumulates of a model')
  _takes_gin(sub)

  sub = command('export', commands.export, "write a run's codec as a SavedModel")
  sub.add_argument('--model_dir', required=True, help='run directory')
  sub.add_argument('--out', required=True, help='folder to make')
  sub.add_argument('--gin_search_path', action='append', default=[], help='repeatable; folder')
  kind = sub.add_mutually_exclusive_group()
  kind.add_argument(
    '--decoder_only',
    action='store_true',
    help="leave out what only compressing needs; decodes the whole codec's files",
  )
  kind.add_argument(
    '--tfc',
    metavar='FOLDER',
    help=("also write the codec here for TensorFlow Compression's tfci and model scripts"),
  )
  _takes_force(sub)


def _add_files(command):
  sub = command('compress', commands.compress, 'compress an image to a file, or a folder of them')
  _takes_codec(sub)
  sub.add_argument('input', help=f'{_INPUT_HELP}; or a folder')
  sub.add_argument(
    'output',
    help=('file to write; for a folder, another, in which what is there already is left as it is'),
  )
  _takes_force(sub)

  sub = command(
    'decompress', commands.decompress, 'decompress a file to an 8-bit RGB PNG, or a folder of them'
  )
  _takes_codec(sub)
  sub.add_argument('input', help='file that `compress` wrote, or a folder of such')
  sub.add_argument(
    'output',
    help=('PNG to write; for a folder, another, in which what is there already is left as it is'),
  )
  _takes_force(sub)

  sub = command('info', commands.info, 'show and check a file')
  sub.add_argument('input', help='file that `compress` wrote')


def _add_comparisons(command):
  sub = command('evaluate', commands.evaluate, 'real bytes and quality over a folder of images')
  sub.add_argument('folder', help='searched for PNG, JPEG and WebP files')
  sub.add_argument(
    '--codec',
    action='append',
    default=[],
    help=(
      'exported codec; repeatable, several make a curve; when nothing is named, '
      f'${CODEC_VARIABLE}, or else ./codec'
    ),
  )
  sub.add_argument(
    '--model_dir',
    action='append',
    default=[],
    help=('run directory, for its train-test mismatch too; repeatable'),
  )
  sub.add_argument('--anchor', help='live anchor, at all its settings, such as x265 or jpeg')
  sub.add_argument('--gin_search_path', action='append', default=[], help='repeatable; folder')
  sub.add_argument('--name', help='of the curve, for legends and tables')
  sub.add_argument(
    '--json',
    help=(
      'also write the curve here, which compressai.utils.plot reads too; what is interrupted goes '
      'on'
    ),
  )
  sub.add_argument('--csv', help='also write a line for each image here')
  sub.set_defaults(default_codec=os.environ.get(CODEC_VARIABLE, 'codec'))
  _takes_force(sub)

  sub = command('bdrate', _comparison('compare'), 'how many percent more bits at equal quality')
  sub.add_argument('anchor', help=f'{_ANCHOR_HELP}; what to compare with')
  sub.add_argument('curves', nargs='+', metavar='curve', help=_CURVE_HELP)
  _takes_axes(sub)
  sub.add_argument(
    '--lowest', type=_positive, metavar='N', help='use the N lowest rates of each curve'
  )

  sub = command(
    'plot', _comparison('plot'), 'draw rate-distortion curves, or the course of training'
  )
  sub.add_argument('curves', nargs='*', metavar='curve', help=_CURVE_HELP)
  sub.add_argument('--out', action='append', required=True, help='PNG or SVG; repeatable')
  sub.add_argument(
    '--anchor', action='append', default=[], help=f'{_ANCHOR_HELP}; drawn dashed; repeatable'
  )
  sub.add_argument(
    '--model_dir',
    action='append',
    default=[],
    help=('instead, run directories to draw one after another: joint stage, post stage'),
  )
  sub.add_argument('--title', default='')
  _takes_axes(sub)
  _takes_force(sub)

  sub = command(
    'sweep', _comparison('sweep'), 'train and evaluate a grid of codecs, or report on it'
  )
  sub.add_argument('file', help='gin file that binds Sweep, such as paper/table_iii.gin')
  sub.add_argument(
    '--results',
    required=True,
    help=('folder for figures; what is finished there is not done again'),
  )
  sub.add_argument(
    '--images', action='append', required=True, help='folder to evaluate on; repeatable'
  )
  sub.add_argument('--model_dir', default='runs', help='folder for run directories')
  sub.add_argument(
    '--gin_bindings',
    action='append',
    default=[],
    help=('repeatable; such as "TRAIN_IMAGES = \'FOLDER\'"; those of Sweep change the sweep'),
  )
  sub.add_argument('--gin_search_path', action='append', default=[], help='repeatable; folder')
  sub.add_argument(
    '--part', default='1/1', metavar='K/N', help='do only the K-th of N parts, for array jobs'
  )
  sub.add_argument('--dry_run', action='store_true', help='print the commands of what is missing')
  sub.add_argument(
    '--report',
    action='store_true',
    help=("print and write the table, the paper's figures beside, and a picture"),
  )
  sub.add_argument(
    '--anchor',
    action='append',
    default=[],
    help=(
      f'of the report: {_ANCHOR_HELP}; repeatable, for several folders of images; by default a '
      'pinned one'
    ),
  )


def _comparison(name):
  """Returns a command of `tfusq.comparisons`, which is imported when it runs: it needs NumPy."""
  return lambda arguments: getattr(importlib.import_module('tfusq.cli.comparisons'), name)(
    arguments
  )


def _takes_axes(sub):
  axes = sub.add_mutually_exclusive_group()
  axes.add_argument('--quality', default='psnr-rgb', choices=['psnr-rgb', 'ms-ssim-rgb'])
  axes.add_argument(
    '--surrogate',
    action='store_true',
    help=('instead, rate and distortion of the training-time forward calculation, which runs have'),
  )


def _positive(text):
  if not text.isdecimal() or int(text) < 1:
    raise argparse.ArgumentTypeError(f'{text} is not a positive number')
  return int(text)


def _add_library(command):
  sub = command('plugins', commands.list_plugins, "list what is registered, ours and others'")
  sub.add_argument(
    '--details',
    action='store_true',
    help='what each one is and admits, or why it is broken (imports them)',
  )

  sub.add_argument(
    '--pairs', action='store_true', help='instead, which surrogate goes with which estimator'
  )

  sub = command('check', commands.check, 'run the conformance checks on a plugin')
  sub.add_argument('name', help='surrogate, estimator, entropy model or codec model')
  sub.add_argument(
    '--gin_bindings',
    action='append',
    default=[],
    help=(
      "repeatable; such as 'SUA.alpha = 3.0'; temperatures that are not bound take typical values"
    ),
  )

  sub = command('analyze', None, "the paper's simulations, and what a run's code costs")
  analysis_arguments.add(sub.add_subparsers(dest='analysis', metavar='ANALYSIS', required=True))

  sub = command(
    'quickstart',
    commands.quickstart,
    'train a small codec on embedded photographs, and compress one it has not seen',
  )
  sub.add_argument('--out', default='quickstart', help='folder for run, codec and pictures')


def main(arguments: argparse.Namespace) -> int:
  """Runs a command.

  Returns:
    The exit code: 0, 1 after an error of use, or 130 when interrupted.
  """
  try:
    arguments.run(arguments)
    return 0
  except BrokenPipeError:
    return 1
  except KeyboardInterrupt:
    print(f'tfusq {arguments.command}: interrupted', file=sys.stderr)
    return 130
  except Exception as error:  # pylint: disable=broad-except
    if not _is_of_use(error):
      raise
    logging.debug('', exc_info=True)
    print(f'tfusq {arguments.command}: {_message(error)}', file=sys.stderr)
    return 1


def _is_of_use(error: Exception) -> bool:
  """Whether an error is the user's to mend: one of ours, or the operating system's."""
  return isinstance(error, OSError) or any(
    cls.__module__.startswith('tfusq.') for cls in type(error).__mro__
  )


def _message(error: Exception) -> str:
  if 'tfusq.config' in sys.modules:
    return sys.modules['tfusq.config'].message(error)
  return str(error)


def run() -> None:
  """Entry point of the console script."""
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  # Imported inside `app.run`, TensorFlow would take its first steps in graph mode without this.
  os.environ.setdefault('TF2_BEHAVIOR', '1')
  logging.get_absl_handler().addFilter(
    lambda record: record.levelno >= 30 or f'{os.sep}tfusq{os.sep}' in record.pathname
  )
  app.run(main, flags_parser=lambda argv: _parser().parse_args(argv[1:]))


if __name__ == '__main__':
  run()
