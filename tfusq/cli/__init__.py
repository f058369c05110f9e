"""The command line: `tfusq COMMAND`, or `python -m tfusq COMMAND`.

Each module of this package adds its commands by a function `add` and has the function that each of
them runs. TensorFlow is imported only by the commands that need it. An error that the user can mend
is one line on standard error and exit code 1; `--verbosity=1` before the command adds the
traceback.
"""

import argparse
import io
import os
import sys
from logging import WARNING, LogRecord

from absl import app, logging
from absl.flags import argparse_flags

import tfusq
from tfusq.cli import (
  analyze,
  comparing,
  files,
  new,
  packing,
  plugins,
  quickstart,
  sweeping,
  training,
)
from tfusq.errors import Error, message

_MODULES = (training, packing, files, comparing, sweeping, plugins, new, analyze, quickstart)


def parser() -> argparse.ArgumentParser:
  """Returns the parser of all commands; what it parses has the function to call as `run`."""
  program = argparse_flags.ArgumentParser(
    prog='tfusq', description='Uniform scalar quantization for learned image compression.'
  )
  program.add_argument('--version', action='version', version=f'tfusq {tfusq.__version__}')
  commands = program.add_subparsers(dest='command', metavar='COMMAND', required=True)

  for module in _MODULES:
    module.add(commands)

  return program


def main(arguments: argparse.Namespace) -> int:
  """Runs a command.

  Args:
    arguments: Arguments that `parser` parsed.

  Returns:
    The exit code: 0, 1 after an error that the user can mend, or 130 when interrupted.
  """
  try:
    arguments.run(arguments)
    return 0
  except BrokenPipeError:
    return 1
  except KeyboardInterrupt:
    print(f'tfusq {arguments.command}: interrupted', file=sys.stderr)
    return 130
  except (Error, OSError) as error:
    logging.debug('', exc_info=True)
    print(f'tfusq {arguments.command}: {message(error)}', file=sys.stderr)
    return 1


def run() -> None:
  """Runs the command of `sys.argv` and exits: the entry point of the console script."""
  # TensorFlow prints dozens of lines about devices and libraries otherwise.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  # Imported inside `app.run`, TensorFlow would take its first steps in graph mode without this.
  os.environ.setdefault('TF2_BEHAVIOR', '1')

  # A name that is not UTF-8 is printed with the bytes that it has.
  for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
      stream.reconfigure(errors='surrogateescape')

  logging.get_absl_handler().addFilter(_is_shown)
  app.run(main, flags_parser=lambda argv: parser().parse_args(argv[1:]))


def _is_shown(record: LogRecord) -> bool:
  """Returns whether a log record is shown: every warning, and from this package all others."""
  package = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
  return record.levelno >= WARNING or record.pathname.startswith(package)
