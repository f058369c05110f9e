"""`tfusq compress`, `tfusq decompress` and `tfusq info`: images to files and back."""

import argparse
from pathlib import Path

from tfusq import files
from tfusq.cli.arguments import Commands, add_codec, add_command, add_force

_INPUT_HELP = (
  'PNG, JPEG, WebP or whatever else Pillow reads; grey becomes RGB, transparency is composed over '
  'white, 16 bits are brought to 8, EXIF orientation is applied'
)


def add(commands: Commands) -> None:
  """Adds the commands."""
  command = add_command(
    commands, 'compress', compress, 'compress an image to a file, or a folder of them'
  )
  add_codec(command)
  command.add_argument('input', help=f'{_INPUT_HELP}; or a folder')
  command.add_argument(
    'output', help='file to write; for a folder, another folder, whose existing files are kept'
  )
  add_force(command)

  command = add_command(
    commands, 'decompress', decompress, 'decompress a file to an 8-bit RGB PNG, or a folder of them'
  )
  add_codec(command)
  command.add_argument('input', help='file that `compress` wrote, or a folder of such')
  command.add_argument(
    'output', help='PNG to write; for a folder, another folder, whose existing files are kept'
  )
  add_force(command)

  command = add_command(commands, 'info', info, 'show and check a file')
  command.add_argument('input', help='file that `compress` wrote')


def compress(arguments: argparse.Namespace) -> None:
  """Compresses an image, or a folder of them."""
  from tfusq import image_files
  from tfusq.export import client, folders

  if Path(arguments.input).is_dir():
    codec = client.ExportedCodec(client.find(arguments.codec, compresses=True))
    print(folders.compress_folder(codec, arguments.input, arguments.output, arguments.force))
    return

  files.check_output(arguments.output, arguments.force, arguments.input)
  image = image_files.read_image(arguments.input)
  codec = client.ExportedCodec(client.find(arguments.codec, compresses=True))
  written = codec.compress(image)
  files.write(arguments.output, written, arguments.force)

  height, width = image.shape[:2]
  print(
    f'{arguments.output}: {len(written)} bytes, {width}x{height}, '
    f'{8 * len(written) / (width * height):.4f} bpp'
  )


def decompress(arguments: argparse.Namespace) -> None:
  """Decompresses a file, or a folder of them."""
  from tfusq import image_files
  from tfusq.export import client, container, folders

  if Path(arguments.input).is_dir():
    text = folders.decompress_folder(
      lambda identity: client.ExportedCodec(client.find(arguments.codec, identity)),
      arguments.input,
      arguments.output,
      arguments.force,
    )
    print(text)
    return

  files.check_output(arguments.output, arguments.force, arguments.input)
  if Path(arguments.output).suffix.lower() != '.png':
    raise image_files.ImageError(f'the output is a PNG; {arguments.output} is named otherwise')

  written = Path(arguments.input).read_bytes()
  header = container.read_header(written)
  codec = client.ExportedCodec(client.find(arguments.codec, header.identity.hex()))
  image = codec.decompress(written)
  files.write(arguments.output, image_files.encode(image, 'png'), arguments.force)
  print(f'{arguments.output}: {header.width}x{header.height}')


def info(arguments: argparse.Namespace) -> None:
  """Prints what a file says of itself, and checks it."""
  from tfusq.export import container

  written = Path(arguments.input).read_bytes()
  header = container.read_header(written)
  intact = container.is_intact(written)
  print(
    f'tfusq file, format version {header.version}\n'
    f'codec     {header.identity.hex()}\n'
    f'image     {header.width}x{header.height}\n'
    f'bytes     {len(written)}: header {header.bytes}, sections '
    f'{", ".join(map(str, header.sections))}\n'
    f'bpp       {8 * len(written) / (header.height * header.width):.4f}\n'
    f'checksum  {"right" if intact else "wrong"}'
  )
  if not intact:
    raise container.ContainerError(f'{arguments.input} is corrupt: wrong checksum')
