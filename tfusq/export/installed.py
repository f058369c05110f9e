"""Codecs by name: those that packages bring, and which codec is meant.

A package names a codec by an entry point in the group `tfusq.codecs`, see `tfusq.plugins`. A user
names a codec by that name or by a folder. A file names its codec by an identity, with which a codec
is as good wherever it lies.
"""

import os
from typing import NamedTuple

from tfusq import plugins
from tfusq.errors import message
from tfusq.export import client
from tfusq.export.client import AbsentCodec, CodecError, CodecFolder

# The distribution whose codec is the default among several.
_OWN = __name__.partition('.')[0]


class Choice(NamedTuple):
  """A codec that is not loaded, and where it is from.

  Attributes:
    codec: The codec.
    plugin: Its entry point; None if it was named by its folder.
    remark: Sentence about another codec that could have been meant; empty if there is none.
  """

  codec: CodecFolder
  plugin: plugins.Plugin | None = None
  remark: str = ''

  @property
  def place(self) -> str:
    """Name and distribution, or the folder, written so that it is not taken for a name."""
    if self.plugin is not None:
      return f'{self.plugin.name} of {self.plugin.origin}'
    path = str(self.codec.path)
    return path if os.sep in path else os.path.join(os.curdir, path)

  @property
  def label(self) -> str:
    """Place and identity."""
    return f'{self.place} ({self.codec.identity})'


def names() -> list[str]:
  """Returns the names of the installed codecs, sorted."""
  return sorted({plugin.name for plugin in plugins.codecs()})


def read(plugin: plugins.Plugin) -> Choice:
  """Reads the description of an installed codec.

  Args:
    plugin: One of `plugins.codecs`.

  Raises:
    PluginError: if its package is not found.
    CodecError: if there is no codec in it, or a damaged one.
  """
  folder = plugins.codec_folder(plugin)
  try:
    return Choice(client.read_folder(folder), plugin)
  except CodecError as error:
    raise CodecError(f'the codec {plugin.name} of {plugin.origin} is broken: {error}') from error


def read_all() -> tuple[list[Choice], list[str]]:
  """Reads the descriptions of all installed codecs.

  Returns:
    The codecs, and for each that is broken one line that says why.
  """
  choices = []
  broken = []
  for plugin in plugins.codecs():
    try:
      choices.append(read(plugin))
    except (plugins.PluginError, CodecError) as error:
      broken.append(message(error))
  return choices, broken


def named(text: str, compresses: bool = False) -> Choice:
  """Finds the codec that a name or a folder means.

  A folder that holds a codec comes before an installed codec of its name.

  Args:
    text: Name of an installed codec, or folder of an exported codec.
    compresses: Whether the codec has to compress.

  Raises:
    PluginError: if several distributions claim the name, or its package is not found.
    CodecError: if there is no such codec, a damaged one, or several in the folder.
  """
  claimed = _claims(text)
  if client.described(text):
    codec = client.find(text, compresses=compresses)
    return Choice(codec, remark=_remark(text, claimed))
  if not claimed:
    raise _unknown(text)

  choice = read(plugins.only(claimed))
  if compresses and choice.codec.decoder_only:
    raise CodecError(f'the codec {choice.place} decompresses only')
  return choice


def default() -> Choice:
  """Finds the codec that compresses where none is named: tfusq's own, or else the only one.

  Raises:
    CodecError: if none is installed, or several that are equally near.
  """
  installed, broken = read_all()
  choices = [choice for choice in installed if not choice.codec.decoder_only]
  own = [choice for choice in choices if choice.plugin and choice.plugin.distribution == _OWN]
  nearest = own or choices
  if len(nearest) > 1:
    listing = ', '.join(choice.label for choice in nearest)
    raise CodecError(f'several codecs are installed, name one by --codec: {listing}')
  if not nearest:
    reasons = ''.join(f'; {reason}' for reason in broken)
    raise CodecError(f'no codec is named, there is no ./codec, and none is installed{reasons}')
  return nearest[0]


def of_identity(identity: str, text: str | None = None) -> Choice:
  """Finds the codec that a file names.

  Args:
    identity: Identity of the codec, hexadecimal.
    text: Name or folder to look for it first; None for the installed codecs alone.

  Raises:
    PluginError: if several distributions claim the name, or its package is not found.
    CodecError: if there is no codec of that name or folder.
    AbsentCodec: if there is none of that identity; lists those that are here.
  """
  found = _here(text)
  broken: list[str] = []
  if identity not in found:
    installed, broken = read_all()
    for choice in installed:
      found.setdefault(choice.codec.identity, choice)
  if identity in found:
    return found[identity]

  listing = ', '.join(choice.label for choice in found.values())
  here = f'those here are {listing}' if found else 'none is installed'
  reasons = ''.join(f'; {reason}' for reason in broken)
  raise AbsentCodec(f'give its folder by --codec; {here}{reasons}')


def _here(text: str | None) -> dict[str, Choice]:
  """Returns the codecs that a name or a folder means, by identity."""
  if text is None:
    return {}
  if not client.described(text):
    choice = named(text)
    return {choice.codec.identity: choice}

  return {identity: Choice(codec) for identity, codec in client.find_all(text).items()}


def describe(plugin: plugins.Plugin) -> list[str]:
  """Describes an installed codec in a few lines, or says why it is broken."""
  try:
    choice = read(plugin)
    size = sum(path.stat().st_size for path in plugins.codec_folder(plugin).rglob('*'))
  except (plugins.PluginError, CodecError, OSError) as error:
    return [f'BROKEN: {message(error)}']

  does = 'decompresses only' if choice.codec.decoder_only else 'compresses and decompresses'
  return [f'identity {choice.codec.identity}, {size / 1e6:.1f} MB', does]


def _claims(name: str) -> list[plugins.Plugin]:
  return [plugin for plugin in plugins.codecs() if plugin.name == name]


def _remark(text: str, claimed: list[plugins.Plugin]) -> str:
  """Returns a sentence about the installed codec that has the name of a folder."""
  if not claimed:
    return ''
  origins = ' and '.join(plugin.origin for plugin in claimed)
  return f'{text} is taken for the folder, not for the codec of that name of {origins}'


def _unknown(text: str) -> CodecError:
  listing = f'those installed are {", ".join(names())}' if names() else 'none is installed'
  return CodecError(f'no exported codec in {text}, and no codec of that name; {listing}')
