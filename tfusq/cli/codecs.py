"""The codec of a command: by `--codec`, or else by the variable, `./codec`, or an installed one.

A codec that `--codec` does not name is named on standard error.
"""

import os
import sys

from tfusq.export import client, installed
from tfusq.export.client import CodecFolder
from tfusq.export.installed import Choice

VARIABLE = 'TFUSQ_CODEC'
FOLDER = './codec'


def to_compress(text: str | None) -> CodecFolder:
  """Finds the codec that a command compresses with, and says which one it is.

  Args:
    text: Name or folder of the codec; None for the default.

  Raises:
    PluginError: if several distributions claim the name, or its package is not found.
    CodecError: if there is no such codec, or more than one to choose from.
  """
  place = text or _default_place()
  choice = installed.default() if place is None else installed.named(place, compresses=True)
  _say(choice, is_named=text is not None)
  return choice.codec


def of_identity(identity: str, text: str | None) -> CodecFolder:
  """Finds the codec that a file names, and says which one it is.

  Args:
    identity: Identity of the codec, hexadecimal.
    text: Name or folder to look for it first; None for the default.

  Raises:
    PluginError: if several distributions claim the name, or its package is not found.
    CodecError: if there is no such codec; lists those available.
  """
  choice = installed.of_identity(identity, text or _default_place())
  is_here = choice.plugin is None or choice.plugin.name == text
  _say(choice, is_named=text is not None and is_here)
  return choice.codec


def _default_place() -> str | None:
  """Returns the name or the folder that counts without `--codec`; None if there is neither."""
  place = os.environ.get(VARIABLE)
  if place:
    return os.path.expanduser(place)
  return FOLDER if client.described(FOLDER) else None


def _say(choice: Choice, is_named: bool) -> None:
  """Prints which codec is taken, where the command does not name it."""
  if choice.remark:
    print(choice.remark, file=sys.stderr)
  if not is_named:
    print(f'codec: {choice.label}', file=sys.stderr)
