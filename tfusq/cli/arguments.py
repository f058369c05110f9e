"""Arguments that several commands take, and how a command is added."""

import argparse
import math
import os
from collections.abc import Callable

from tfusq import files
from tfusq.export import effort

ANCHOR_HELP = 'name of a pinned anchor, or JSON'
IMAGES_HELP = (
  'searched with its sub-folders for files of every format that Pillow reads; hidden ones do not '
  'count, links are followed, and what is left out is counted'
)
# What is taken where `--codec` is not given, see `tfusq.cli.codecs`.
DEFAULT_CODEC_HELP = (
  'by default that of the variable TFUSQ_CODEC, or else ./codec, or else the one that tfusq brings '
  'or that alone is installed'
)

Commands = argparse._SubParsersAction


def add_command(
  commands: Commands, name: str, run: Callable[[argparse.Namespace], None], description: str
) -> argparse.ArgumentParser:
  """Adds a command.

  Args:
    commands: The parser's commands.
    name: Name that the user types.
    run: Function that is called with the parsed arguments.
    description: One line for the help.

  Returns:
    The command's parser, to which arguments can be added.
  """
  command = commands.add_parser(name, help=description, description=description)
  command.set_defaults(run=run)
  return command


def add_codec(command: argparse.ArgumentParser, meaning: str) -> None:
  """Adds `--codec`.

  Args:
    command: Parser of the command.
    meaning: Codecs that can be named, for the help.
  """
  command.add_argument('--codec', type=any_path, help=f'{meaning}; {DEFAULT_CODEC_HELP}')


def add_gin(command: argparse.ArgumentParser) -> None:
  """Adds `--gin_file`, `--gin_bindings` and `--gin_search_path`."""
  command.add_argument(
    '--gin_file',
    type=local_path,
    action='append',
    default=[],
    help='gin file, such as models/ms_hyper.gin; repeatable, later files override earlier ones',
  )
  add_gin_bindings(command, "such as 'Codec.lmbda = 0.01'")
  add_gin_search_path(command)


def add_gin_bindings(command: argparse.ArgumentParser, example: str) -> None:
  """Adds `--gin_bindings`.

  Args:
    command: Parser of the command.
    example: Example for the help.
  """
  command.add_argument('--gin_bindings', action='append', default=[], help=f'repeatable; {example}')


def add_gin_search_path(command: argparse.ArgumentParser) -> None:
  """Adds `--gin_search_path`."""
  command.add_argument(
    '--gin_search_path',
    type=local_path,
    action='append',
    default=[],
    help='folder with gin files; repeatable',
  )


def add_force(command: argparse.ArgumentParser) -> None:
  """Adds `--force`."""
  command.add_argument('--force', action='store_true', help='replace an existing output')


def add_effort(command: argparse.ArgumentParser) -> None:
  """Adds `--refine` and `--seconds`."""
  command.add_argument(
    '--refine',
    type=iterations,
    metavar='EFFORT',
    help='optimize the latents of each image before they are coded: `fast` chooses symbols by '
    'their rate, `good` and `best` take 100 and 500 iterations, a number as many; the decoder does '
    'not notice',
  )
  command.add_argument(
    '--seconds',
    type=positive_number,
    help='seconds of optimization for each image at most; without --refine, so many',
  )


def effort_of(arguments: argparse.Namespace) -> effort.Effort | None:
  """Returns the effort that `--refine` and `--seconds` ask for; None for none."""
  if arguments.refine is None and arguments.seconds is None:
    return None
  return effort.Effort(arguments.refine, arguments.seconds)


def add_axes(command: argparse.ArgumentParser) -> None:
  """Adds `--quality` and `--surrogate`, which choose the axes of a curve."""
  axes = command.add_mutually_exclusive_group()
  axes.add_argument(
    '--quality',
    default='psnr-rgb',
    choices=['psnr-rgb', 'psnr-of-mean-mse', 'ms-ssim-rgb'],
    help=(
      'mean PSNR over images, by default; PSNR of the mean squared error over images, which stays '
      'finite where an image is decoded without error; or mean MS-SSIM, compared in dB'
    ),
  )
  axes.add_argument(
    '--surrogate',
    action='store_true',
    help=(
      'instead, rate and distortion of the training-time forward calculation, which curves of '
      '--model_dir have'
    ),
  )


def any_path(text: str) -> str:
  """Returns a path, local or in a store, with `~` expanded; the type of an argument."""
  return os.path.expanduser(text)


def local_path(text: str) -> str:
  """Returns a local path, with `~` expanded; the type of an argument."""
  if files.is_remote(text):
    raise argparse.ArgumentTypeError(
      f'{text} is in a store, where only runs, codecs and images can be'
    )
  return os.path.expanduser(text)


def positive(text: str) -> int:
  """Returns a positive integer; the type of an argument."""
  if not text.isdecimal() or int(text) < 1:
    raise argparse.ArgumentTypeError(f'{text} is not a positive number')
  return int(text)


def positive_number(text: str) -> float:
  """Returns a positive number; the type of an argument."""
  try:
    number = float(text)
  except ValueError:
    number = math.nan
  if not 0 < number < math.inf:
    raise argparse.ArgumentTypeError(f'{text} is not a positive number')
  return number


def iterations(text: str) -> int:
  """Returns iterations of a refinement, by a preset's name or a number; the type of an argument."""
  try:
    return effort.named(text)
  except effort.EffortError as error:
    raise argparse.ArgumentTypeError(str(error)) from error


def seed(text: str) -> int:
  """Returns a non-negative integer; the type of an argument."""
  if not text.isdecimal():
    raise argparse.ArgumentTypeError(f'a seed is a non-negative integer, not {text}')
  return int(text)
