"""`tfusq compress`, `tfusq decompress` and `tfusq info`: images to files and back."""

import argparse
from pathlib import Path

from tfusq.cli.arguments import IMAGES_HELP, Commands, add_codec, add_command, add_force

_IMAGE_HELP = (
  'PNG, JPEG, WebP or any other format that Pillow reads, of one picture; colours are converted to '
  'sRGB by the ICC profile in the file, grey becomes RGB, transparency is composed over white, 16 '
  'bits are reduced to 8, EXIF orientation is applied'
)


def add(commands: Commands) -> None:
  """Adds the commands."""
  command = add_command(
    commands, 'compress', compress, 'compress an image to a file, or a folder of images'
  )
  add_codec(command)
  command.add_argument('input', help=f'{_IMAGE_HELP}; or a folder, {IMAGES_HELP}')
  command.add_argument(
    'output', help='file to write; for a folder, another folder, whose existing files are kept'
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
  add_codec(command)
  command.add_argument('input', help='file that `compress` wrote, or a folder of such files')
  command.add_argument(
    'output', help='PNG to write; for a folder, another folder, whose existing files are kept'
  )
  add_force(command)

  command = add_command(commands, 'info', info, 'show and check a file')
  command.add_argument('input', help='file that `compress` wrote')


def compress(arguments: argparse.Namespace) -> None:
  """Compresses an image, or a folder of images."""
  from tfusq.export import client, folders

  def load():
    return client.ExportedCodec(client.find(arguments.codec, compresses=True))

  is_folder = Path(arguments.input).is_dir()
  convert = folders.compress_folder if is_folder else folders.compress_file
  result = convert(load, arguments.input, arguments.output, arguments.force, arguments.first_frame)
  print(f'{arguments.output}: {", ".join(filter(None, [result.description, result.rate]))}')


def decompress(arguments: argparse.Namespace) -> None:
  """Decompresses a file, or a folder of files."""
  from tfusq.export import client, folders

  def load(identity):
    return client.ExportedCodec(client.find(arguments.codec, identity))

  is_folder = Path(arguments.input).is_dir()
  convert = folders.decompress_folder if is_folder else folders.decompress_file
  result = convert(load, arguments.input, arguments.output, arguments.force)
  print(f'{arguments.output}: {result.description}')


def info(arguments: argparse.Namespace) -> None:
  """Prints the header of a file, and checks the file."""
  from tfusq.export import container

  data = Path(arguments.input).read_bytes()
  header = container.read_header(data)

  # Imported after the header was read, because TensorFlow takes seconds.
  from tfusq.export import container_ops

  intact = container_ops.is_intact(data, header)
  sections = ', '.join(map(str, header.sections))
  bpp = 8 * len(data) / (header.height * header.width)
  print(
    f'tfusq file, format version {header.version}\n'
    f'codec     {header.identity.hex()}\n'
    f'image     {header.width}x{header.height}\n'
    f'bytes     {len(data)}: header {header.bytes}, sections {sections}\n'
    f'bpp       {bpp:.4f}\n'
    f'checksum  {"right" if intact else "wrong"}'
  )
  if not intact:
    raise container.ContainerError(f'{arguments.input} is corrupt: wrong checksum')
