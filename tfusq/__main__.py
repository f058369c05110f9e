"""The command line: `tfusq COMMAND`, or `python -m tfusq COMMAND`.

    tfusq train --model_dir RUN --gin_file FILE ... [--gin_bindings 'NAME = VALUE' ...]
    tfusq summary --gin_file MODEL
    tfusq export --model_dir RUN --out CODEC
    tfusq compress --codec CODEC IMAGE FILE      (or FOLDER FOLDER)
    tfusq decompress --codec CODEC FILE PNG      (or FOLDER FOLDER)
    tfusq info FILE
    tfusq evaluate --codec CODEC FOLDER [--json FILE]
    tfusq plugins [--details | --pairs]
    tfusq check NAME [--gin_bindings 'NAME.parameter = VALUE' ...]
    tfusq analyze table2 [--samples N]
    tfusq analyze code_length --model_dir RUN FOLDER
    tfusq quickstart [--out FOLDER]

TensorFlow is imported only by the commands that need it. Errors of use are one line on standard
error and exit code 1; `--verbosity=1` before the command adds the traceback.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from absl import app, logging
from absl.flags import argparse_flags

from tfusq import container, files, plugins

CODEC_VARIABLE = 'TFUSQ_CODEC'
_INPUT_HELP = ('PNG, JPEG, WebP or whatever else Pillow reads; grey becomes RGB, transparency is '
               'composed over white, 16 bits are brought to 8, EXIF orientation is applied')


def _train(arguments):
  from tfusq import config
  if not (arguments.gin_file or arguments.gin_bindings):
    raise config.ConfigError('say what to train: give --gin_file')
  config.parse(arguments.gin_file, arguments.gin_bindings, arguments.gin_search_path)
  config.build('train')(
      model_dir=arguments.model_dir, recipe=config.recipe, init_from=arguments.init_from,
      dry_run=arguments.dry_run)


def _export(arguments):
  from tfusq import run
  if arguments.tfc:
    from tfusq import tfc_client
    tfc_client.outputs(arguments.out, arguments.tfc, arguments.force)
  identity = run.export_run(arguments.model_dir, arguments.out, arguments.gin_search_path,
                            arguments.force, arguments.decoder_only)
  print(f'{arguments.out}: codec {identity}')
  if arguments.tfc:
    for path in tfc_client.export_for_tfc(arguments.out, arguments.tfc, arguments.force):
      print(path)


def _compress(arguments):
  from tfusq import bulk, data, exported
  if Path(arguments.input).is_dir():
    codec = exported.ExportedCodec(exported.find(arguments.codec, compresses=True))
    print(bulk.compress_folder(codec, arguments.input, arguments.output, arguments.force))
    return
  files.check_output(arguments.output, arguments.force, arguments.input)
  image = data.read_image(arguments.input)
  codec = exported.ExportedCodec(exported.find(arguments.codec, compresses=True))
  written = codec.compress(image)
  files.write(arguments.output, written, arguments.force)
  height, width = image.shape[:2]
  print(f'{arguments.output}: {len(written)} bytes, {width}x{height}, '
        f'{8 * len(written) / (width * height):.4f} bpp')


def _decompress(arguments):
  from tfusq import bulk, data, exported
  if Path(arguments.input).is_dir():
    print(bulk.decompress_folder(
        lambda identity: exported.ExportedCodec(exported.find(arguments.codec, identity)),
        arguments.input, arguments.output, arguments.force))
    return
  files.check_output(arguments.output, arguments.force, arguments.input)
  if Path(arguments.output).suffix.lower() != '.png':
    raise container.ContainerError(f'the output is a PNG; {arguments.output} is named otherwise')
  written = Path(arguments.input).read_bytes()
  header = container.read_header(written)
  codec = exported.ExportedCodec(exported.find(arguments.codec, header.identity.hex()))
  files.write(arguments.output, data.encode_image(codec.decompress(written), 'png'),
              arguments.force)
  print(f'{arguments.output}: {header.width}x{header.height}')


def _info(arguments):
  written = Path(arguments.input).read_bytes()
  header = container.read_header(written)
  intact = container.is_intact(written)
  print(f'tfusq file, format version {header.version}\n'
        f'codec     {header.identity.hex()}\n'
        f'image     {header.width}x{header.height}\n'
        f'bytes     {len(written)}: header {header.bytes}, sections '
        f'{", ".join(map(str, header.sections))}\n'
        f'bpp       {8 * len(written) / (header.height * header.width):.4f}\n'
        f'checksum  {"right" if intact else "wrong"}')
  if not intact:
    raise container.ContainerError(f'{arguments.input} is corrupt: wrong checksum')


def _evaluate(arguments):
  from tfusq import data, evaluate, exported
  if arguments.json:
    files.check_output(arguments.json, arguments.force)
  found = exported.find(arguments.codec, compresses=True)
  codec = exported.ExportedCodec(found)
  rows, errors = evaluate.evaluate_folder(codec, arguments.folder)
  if rows:
    print(evaluate.table([*rows, evaluate.mean(rows)]))
    if arguments.json:
      report = json.dumps(evaluate.report(rows, codec), indent=2)
      files.write(arguments.json, report.encode(), arguments.force)
  if errors:
    raise data.ImageError('; '.join(map(str, errors)))


def _summary(arguments):
  from tfusq import config, summary
  if not arguments.gin_file:
    raise config.ConfigError('say which model: give --gin_file')
  # What the stage says of the bound does not matter here, nor which quantizers train it.
  config.parse(['quantizers/aun_pge.gin', *arguments.gin_file],
               ['BOUND = 0.11', 'Codec.lmbda = 1.0', *arguments.gin_bindings],
               arguments.gin_search_path)
  codec = config.build_configurable('Codec')
  codec.create()
  print(summary.table(codec))


def _plugins(arguments):
  if arguments.pairs:
    from tfusq import details
    print(details.pairs())
    return
  for plugin in plugins.discover():
    print(f'{plugin.group:<22} {plugin.name:<16} {plugin.origin}')
    if arguments.details:
      from tfusq import details
      print('\n'.join(f'    {line}' for line in details.describe(plugin.name)))


def _check(arguments):
  from tfusq import config, testing
  cls = plugins.load(plugins.claims(arguments.name))
  config.parse([], arguments.gin_bindings, [])
  try:
    subjects = testing.instances(cls) if not arguments.gin_bindings else testing.instances(
        cls, config.bound_parameters(arguments.name),
        lambda **values: config.build_configurable(arguments.name, **values))
  except (config.ConfigError, plugins.PluginError, testing.Unchecked):
    raise
  except Exception as error:
    raise plugins.PluginError(
        f'{arguments.name} is not built: {type(error).__name__}: {error}') from error
  failed = 0
  for subject in subjects:
    print(testing.describe(subject))
    for check in testing.checks_of(subject):
      name = check.check.__name__
      try:
        reason = check()
        print(f'  none    {name}: {reason}' if reason else f'  passed  {name}')
      except Exception as violation:  # what a plugin raises costs that check
        failed += 1
        kind = '' if isinstance(violation, testing.NonConformance) else (
            f'{type(violation).__name__}: ')
        print(f'  FAILED  {name}: {kind}{violation}')
  if failed:
    raise plugins.PluginError(f'{arguments.name} fails {failed} checks')


def _table2(arguments):
  from tfusq.analysis import gradient
  gradient.print_table2(arguments.samples)


def _code_length(arguments):
  from tfusq import run
  from tfusq.analysis import code_length
  code_length.print_code_length(
      run.load_run(arguments.model_dir, arguments.gin_search_path), arguments.folder)


def _quickstart(arguments):
  from tfusq import quickstart
  quickstart.quickstart(arguments.out)


def _parser() -> argparse.ArgumentParser:
  parser = argparse_flags.ArgumentParser(
      prog='tfusq', description='Uniform scalar quantization for learned image compression.')
  commands = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)

  def command(name, run, description):
    sub = commands.add_parser(name, help=description, description=description)
    sub.set_defaults(run=run)
    return sub

  _add_training(command)
  _add_files(command)
  _add_library(command)
  return parser


def _takes_codec(sub):
  sub.add_argument('--codec', default=os.environ.get(CODEC_VARIABLE, 'codec'), help=(
      "exported codec, or a folder of several to find a file's in; by default "
      f'${CODEC_VARIABLE}, or else ./codec'))


def _takes_gin(sub):
  sub.add_argument('--gin_file', action='append', default=[], help='repeatable; see tfusq/gin')
  sub.add_argument('--gin_bindings', action='append', default=[],
                   help="repeatable; such as 'Codec.lmbda = 0.01'")
  sub.add_argument('--gin_search_path', action='append', default=[], help='repeatable; folder')


def _takes_force(sub):
  sub.add_argument('--force', action='store_true', help='replace an existing output')


def _add_training(command):
  sub = command('train', _train, 'train a codec as gin files say, or go on with a run')
  sub.add_argument('--model_dir', required=True, help='run directory')
  _takes_gin(sub)
  sub.add_argument('--init_from', help=(
      'run directory whose networks a new run starts from, as far as they fit'))
  sub.add_argument('--dry_run', action='store_true',
                   help='build everything and evaluate one batch; write nothing')

  sub = command('summary', _summary, 'parameters and multiply-accumulates of a model')
  _takes_gin(sub)

  sub = command('export', _export, "write a run's codec as a SavedModel")
  sub.add_argument('--model_dir', required=True, help='run directory')
  sub.add_argument('--out', required=True, help='folder to make')
  sub.add_argument('--gin_search_path', action='append', default=[], help='repeatable; folder')
  kind = sub.add_mutually_exclusive_group()
  kind.add_argument('--decoder_only', action='store_true',
                    help="leave out what only compressing needs; decodes the whole codec's files")
  kind.add_argument('--tfc', metavar='FOLDER', help=(
      "also write the codec here for TensorFlow Compression's tfci and model scripts"))
  _takes_force(sub)


def _add_files(command):
  sub = command('compress', _compress, 'compress an image to a file, or a folder of them')
  _takes_codec(sub)
  sub.add_argument('input', help=f'{_INPUT_HELP}; or a folder')
  sub.add_argument('output', help=(
      'file to write; for a folder, another, in which what is there already is left as it is'))
  _takes_force(sub)

  sub = command('decompress', _decompress,
                'decompress a file to an 8-bit RGB PNG, or a folder of them')
  _takes_codec(sub)
  sub.add_argument('input', help='file that `compress` wrote, or a folder of such')
  sub.add_argument('output', help=(
      'PNG to write; for a folder, another, in which what is there already is left as it is'))
  _takes_force(sub)

  sub = command('info', _info, 'show and check a file')
  sub.add_argument('input', help='file that `compress` wrote')

  sub = command('evaluate', _evaluate, 'real bytes and quality over a folder of images')
  _takes_codec(sub)
  sub.add_argument('folder', help='searched for PNG, JPEG and WebP files')
  sub.add_argument('--json', help='also write the figures here')
  _takes_force(sub)


def _add_library(command):
  sub = command('plugins', _plugins, 'list what is registered, ours and others\'')
  sub.add_argument('--details', action='store_true',
                   help='what each one is and admits, or why it is broken (imports them)')

  sub.add_argument('--pairs', action='store_true',
                   help='instead, which surrogate goes with which estimator')

  sub = command('check', _check, 'run the conformance checks on a plugin')
  sub.add_argument('name', help='surrogate, estimator, entropy model or codec model')
  sub.add_argument('--gin_bindings', action='append', default=[], help=(
      "repeatable; such as 'SUA.alpha = 3.0'; temperatures that are not bound take typical "
      'values'))

  sub = command('analyze', None, "the paper's simulations, and what a run's code costs")
  analyses = sub.add_subparsers(dest='analysis', metavar='ANALYSIS', required=True)
  sub = analyses.add_parser('table2', help=(
      'bias and variance of gradient estimators of the rate, beside the paper\'s'))
  sub.set_defaults(run=_table2)
  sub.add_argument('--samples', type=int, default=8000, help='noise samples at each point')
  sub = analyses.add_parser('code_length', help=(
      'bytes of a run\'s strings over the images of a folder, beside the float64 ideal'))
  sub.set_defaults(run=_code_length)
  sub.add_argument('--model_dir', required=True, help='run directory')
  sub.add_argument('--gin_search_path', action='append', default=[], help='repeatable; folder')
  sub.add_argument('folder', help='searched for PNG, JPEG and WebP files')

  sub = command('quickstart', _quickstart,
                'train a small codec on embedded photographs, and compress one it has not seen')
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
      cls.__module__.startswith('tfusq.') for cls in type(error).__mro__)


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
      lambda record: record.levelno >= 30 or f'{os.sep}tfusq{os.sep}' in record.pathname)
  app.run(main, flags_parser=lambda argv: _parser().parse_args(argv[1:]))


if __name__ == '__main__':
  run()
