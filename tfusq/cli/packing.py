"""`tfusq pack`: many photographs in few files."""

import argparse

from tfusq.cli.arguments import (
  IMAGES_HELP,
  Commands,
  add_command,
  add_force,
  any_path,
  positive,
)

# Few files for a network disk, and small ones for the memory and for an interruption.
_SHARD_BYTES = 2**27


def add(commands: Commands) -> None:
  """Adds the command."""
  command = add_command(
    commands, 'pack', pack, 'pack a folder of photographs into a few TFRecord files to train on'
  )
  command.add_argument('folder', type=any_path, help=f'photographs, {IMAGES_HELP}')
  command.add_argument(
    'out',
    type=any_path,
    help='folder to write; after an interruption the same command goes on with it',
  )
  command.add_argument(
    '--shard_bytes',
    type=positive,
    default=_SHARD_BYTES,
    metavar='N',
    help='length at which a file is full and the next one begins; by default 134217728',
  )
  add_force(command)


def pack(arguments: argparse.Namespace) -> None:
  """Packs a folder of photographs."""
  from tfusq.training import packing

  packed = packing.pack(arguments.folder, arguments.out, arguments.shard_bytes, arguments.force)
  shards = '1 file' if packed.shards == 1 else f'{packed.shards} files'
  count = '1 photograph' if packed.photographs == 1 else f'{packed.photographs} photographs'
  print(f'{arguments.out}: {count}, {packed.bytes:,} bytes in {shards}')
