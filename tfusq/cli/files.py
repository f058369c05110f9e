"""`tfusq compress`, `tfusq decompress` and `tfusq info`: images to files and back."""

import argparse
import sys

from tfusq import files
from tfusq.cli.arguments import (
  IMAGES_HELP,
  Commands,
  add_codec,
  add_command,
  add_force,
  any_path,
  positive,
)
from tfusq.errors import Error

_IMAGE_HELP = (
  'PNG, JPEG, WebP or any other format that Pillow reads, of one picture; colours are converted to '
  'sRGB by the ICC profile in the file, grey becomes RGB, transparency is composed over white, 16 '
  'bits are reduced to 8, EXIF orientation is applied'
)
_OUTPUT_HELP = '`-` is standard output; for a folder, another folder, whose existing files are kept'


class TerminalError(Error, RuntimeError):
  """An output in bytes that would go to a terminal."""


def add(commands: Commands) -> None:
  """Adds the commands."""
  command = add_command(
    commands, 'compress', compress, 'compress an image to a file, or a folder of images'
  )
  add_codec(command, 'folder of an exported codec, or name of one that `tfusq plugins` lists')
  command.add_argument(
    'input',
    type=any_path,
    help=f'{_IMAGE_HELP}; `-` is standard input; or a folder, {IMAGES_HELP}',
  )
  command.add_argument(
    'output',
    nargs='?',
    type=any_path,
    help=(
      "file to write; by default the input's name with the suffix .usq, each image's for a folder; "
      f'{_OUTPUT_HELP}'
    ),
  )
  goal = command.add_mutually_exclusive_group()
  goal.add_argument(
    '--quality',
    type=float,
    help='quality of a codec of variable rate, from 1 to its number of levels, often 8; fractions '
    'are rounded to 1/32',
  )
  goal.add_argument(
    '--bytes',
    type=positive,
    help='greatest length of a file: the best quality that fits is taken, for each image by itself',
  )
  goal.add_argument(
    '--psnr',
    type=float,
    help='least PSNR in dB: the lowest quality that reaches it is taken, for each image by itself',
  )
  command.add_argument(
    '--first_frame',
    action='store_true',
    help='take the first picture of an animation, or of a file with several pages',
  )
  add_force(command)

  command = add_command(
    commands,
    'decompress',
    decompress,
    'decompress a file to an 8-bit RGB PNG, or a folder of files',
  )
  add_codec(
    command,
    'codec, or folder of codecs, in which the one that a file names is looked for before the '
    'installed ones',
  )
  command.add_argument(
    'input',
    type=any_path,
    help='file that `compress` wrote, or a folder of such files; `-` is standard input',
  )
  command.add_argument('output', type=any_path, help=f'PNG to write; {_OUTPUT_HELP}')
  add_force(command)

  command = add_command(commands, 'info', info, 'show and check files')
  command.add_argument(
    'inputs',
    nargs='+',
    metavar='input',
    type=any_path,
    help='file that `compress` wrote; `-` is standard input',
  )


def compress(arguments: argparse.Namespace) -> None:
  """Compresses an image, or a folder of images."""
  from tfusq.cli import codecs
  from tfusq.export import client, folders
  from tfusq.export.goals import DEFAULT, Goal

  goal = Goal(arguments.quality, arguments.bytes, arguments.psnr)

  def load():
    codec = codecs.to_compress(arguments.codec)
    # Before TensorFlow is loaded, and once for a folder.
    if goal != DEFAULT:
      qualities = codec.require_qualities()
      if goal.quality is not None:
        qualities.step(goal.quality)
    return client.ExportedCodec(codec)

  output = arguments.output or folders.default_output(arguments.input)
  _check_standard_output(output)
  is_folder = files.to_path(arguments.input).is_dir()
  convert = folders.compress_folder if is_folder else folders.compress_file
  result = convert(load, arguments.input, output, arguments.force, arguments.first_frame, goal)
  _report(output, ', '.join(filter(None, [result.description, result.rate])))


def decompress(arguments: argparse.Namespace) -> None:
  """Decompresses a file, or a folder of files."""
  from tfusq.cli import codecs
  from tfusq.export import client, folders

  def load(identity):
    return client.ExportedCodec(codecs.of_identity(identity, arguments.codec))

  _check_standard_output(arguments.output)
  is_folder = files.to_path(arguments.input).is_dir()
  convert = folders.decompress_folder if is_folder else folders.decompress_file
  result = convert(load, arguments.input, arguments.output, arguments.force)
  _report(arguments.output, result.description)


def info(arguments: argparse.Namespace) -> None:
  """Prints the headers of files, and checks the files.

  A file that is none does not keep the others from being shown.

  Raises:
    BulkError: if some of several files are missing, corrupt or no files of `compress`.
  """
  from tfusq.export import folders

  if len(arguments.inputs) == 1:
    _print_info(arguments.inputs[0])
    return

  errors = []
  for path in arguments.inputs:
    print(path)
    try:
      _print_info(path)
    except (Error, OSError) as error:
      errors.append(folders.failure(path, error))
    print()

  if errors:
    raise folders.BulkError('\n  '.join([f'{len(errors)} files are not intact:', *errors]))


def _print_info(path: str) -> None:
  """Prints the header of a file, and checks the file."""
  from tfusq.export import container, folders

  data = files.read(path)
  with folders.naming(path):
    header = container.read_header(data)

  # Imported after the header was read, because TensorFlow takes seconds.
  from tfusq.export import container_ops

  intact = container_ops.is_intact(data, header)
  sections = ', '.join(map(str, header.sections))
  metadata = f', metadata {header.metadata}' if header.metadata else ''
  bpp = 8 * len(data) / (header.height * header.width)
  print(
    f'tfusq file, format version {header.version}, arithmetic {header.arithmetic}\n'
    f'codec     {header.identity.hex()}\n'
    f'image     {header.width}x{header.height}\n'
    f'quality   step {header.step}\n'
    f'bytes     {len(data)}: header {header.bytes}, sections {sections}{metadata}\n'
    f'bpp       {bpp:.4f}\n'
    f'checksum  {"right" if intact else "wrong"}'
  )
  if not intact:
    raise container.ContainerError(f'{path} is corrupt: wrong checksum')


def _check_standard_output(output: str) -> None:
  """Refuses to write bytes to a terminal, which takes some of them for commands."""
  if files.is_standard_output(output) and sys.stdout.isatty():
    raise TerminalError('a terminal takes no bytes; redirect standard output, or name a file')


def _report(output: str, text: str) -> None:
  """Prints what was written; standard output has only the file if that is where it went."""
  if files.is_standard_output(output):
    print(f'standard output: {text}', file=sys.stderr)
  else:
    print(f'{output}: {text}')
