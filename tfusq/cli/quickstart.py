"""`tfusq quickstart`: all steps on embedded photographs."""

import argparse

from tfusq.cli.arguments import Commands, add_command, local_path


def add(commands: Commands) -> None:
  """Adds the command."""
  command = add_command(
    commands,
    'quickstart',
    quickstart,
    'train a small codec on embedded photographs, and compress one it has not seen',
  )
  command.add_argument(
    '--out',
    type=local_path,
    default='quickstart',
    help='folder for the run, the codec and pictures',
  )


def quickstart(arguments: argparse.Namespace) -> None:
  """Trains a light codec on embedded photographs and compares it with JPEG and WebP."""
  from tfusq.quickstart import train_and_compare

  print(train_and_compare(arguments.out))
