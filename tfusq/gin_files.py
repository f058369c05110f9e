"""Finding and reading gin files.

gin would look for an included file as a resource of a Python package first: `models/ms_hyper.gin`
in whatever package or folder `models` is importable. Here the names of files mean files alone, and
includes are resolved before gin reads anything. With `tfusq.config`, this is the only module that
imports gin.
"""

import collections.abc
import io
import math
import os
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gin
from absl import logging

from tfusq import files
from tfusq.errors import Error

# Types that are checked, with the names of what messages ask for.
_NAMES = {
  bool: 'True or False',
  int: 'an integer',
  float: 'a finite number',
  str: 'a text in quotes',
}

# TensorFlow's integers have 64 bits.
_INT_LIMIT = 2**63

# Characters of a text that stands in a message.
_LONGEST = 600

_REQUIRED = '%gin.REQUIRED'


class ConfigError(Error, ValueError):
  """A configuration that can't be found or parsed, or a value in it that is refused."""


class Binding(NamedTuple):
  """One line `key = value` of a configuration.

  Attributes:
    key: Scope, configurable and parameter as they are written, or the name of a macro.
    is_macro: Whether the key is the name of a macro.
    value: The value; references and macros in it are strings as they are written, of type
      `Reference`.
  """

  key: str
  is_macro: bool
  value: object

  @property
  def hands_on_a_macro(self) -> bool:
    """Whether the value is a macro, such as in `Gaussian.bound = %BOUND`."""
    return isinstance(self.value, Reference) and self.value.startswith('%')


class Reference(str):
  """A reference such as `@SUA()`, or a macro such as `%BOUND`, as it is written."""


def search_path() -> list[str]:
  """Returns the folders with the gin files that come with the package: a wheel's, a checkout's."""
  package = Path(__file__).resolve().parent
  candidates = [package / 'gin', package.parent / 'gin']
  return [str(folder) for folder in candidates if (folder / 'quickstart.gin').is_file()]


def parse_files(names: list[str], folders: list[str]) -> None:
  """Makes gin parse files in order, and warns where one overrides another unseen.

  A later file may override what an earlier one binds. Where the file that overrides a macro is only
  included by the later file, the user has not asked for that: a model includes an entropy model,
  for example, which would replace the one given before it.

  Args:
    names: Names of files in the current folder or in `folders`.
    folders: Folders to search, also for included files.

  Raises:
    ConfigError: if a file is not found or can't be parsed; names it.
  """
  earlier: dict[str, tuple[object, str]] = {}
  for name in names:
    try:
      macros = _parse_file(name, folders, ())
    except ConfigError:
      raise
    except Exception as error:  # gin raises many kinds of errors; most messages have the line
      raise ConfigError(f'{name}: {one_line(error)}') from error

    for macro, (value, file) in macros.items():
      if macro in earlier and file != name:
        _warn_if_overridden(macro, earlier[macro], (value, file), name)
    earlier.update(macros)


def _warn_if_overridden(
  macro: str, earlier: tuple[object, str], later: tuple[object, str], including: str
) -> None:
  old_value, old_file = earlier
  new_value, new_file = later
  if old_value in (new_value, _REQUIRED):
    return
  logging.warning(
    '%s includes %s, which binds the macro %s to %s instead of %s as %s does; '
    'give %s after %s if that is to count',
    including,
    new_file,
    macro,
    new_value,
    old_value,
    old_file,
    old_file,
    including,
  )


def one_line(error: Exception) -> str:
  """Returns the text of an error in one line, which is no page."""
  return shortened(' '.join(str(error).split()))


def shortened(text: str) -> str:
  """Returns a text without its middle, if it is too long to be read in a message."""
  if len(text) <= _LONGEST:
    return text
  half = _LONGEST // 2
  return f'{text[:half]} ... {text[-half:]}'


def bindings(text: str | io.TextIOBase) -> list[Binding]:
  """Returns the bindings of a configuration, in the order in which they stand."""
  return [
    _binding(statement)
    for statement in _statements(text)
    if isinstance(statement, gin.config_parser.BindingStatement)
  ]


def checked(parameter: str, value: Any, kind: Any) -> Any:
  """Returns a value of a parameter as its type hint wants it.

  Args:
    parameter: Name for messages, such as `MSHyper.filters`.
    value: Value as it is written; references, which are objects only later, pass.
    kind: Type hint. Numbers, texts, truth values and sequences of numbers are checked.

  Returns:
    The value; a whole float such as 4e0 is an integer where one is wanted.

  Raises:
    ConfigError: if the value is of another kind or not finite; names the parameter.
  """
  kinds = list(typing.get_args(kind)) if _is_union(kind) else [kind]
  if isinstance(value, gin.config.ConfigurableReference) or (
    value is None and types.NoneType in kinds
  ):
    return value

  kinds = [kind for kind in kinds if kind is not types.NoneType]
  if len(kinds) > 1:
    return _checked_union(parameter, value, kinds)

  (kind,) = kinds
  if kind in _NAMES:
    return _checked_simple(parameter, value, kind)

  if typing.get_origin(kind) is collections.abc.Sequence and typing.get_args(kind)[0] in _NAMES:
    (item,) = typing.get_args(kind)
    if not isinstance(value, list | tuple):
      raise ConfigError(f'{parameter} must be a list, not {value!r}')
    return type(value)(checked(f'{parameter}[{i}]', each, item) for i, each in enumerate(value))
  return value


def _is_union(kind: Any) -> bool:
  return typing.get_origin(kind) in (types.UnionType, typing.Union)


def _checked_union(parameter: str, value: Any, kinds: Sequence[Any]) -> Any:
  """Returns a value as the first of several kinds that admits it; raises what the first raises."""
  errors = []
  for kind in kinds:
    # A value that is written out is no object of a class such as a schedule.
    if isinstance(kind, type) and kind not in _NAMES:
      continue
    try:
      return checked(parameter, value, kind)
    except ConfigError as error:
      errors.append(error)

  if errors:
    raise errors[0]
  return value


def _checked_simple(parameter: str, value: Any, kind: type) -> Any:
  if kind is int and isinstance(value, float) and value.is_integer():
    value = int(value)

  if kind is bool:
    is_right = value in (0, 1)
  elif kind is int:
    is_right = _is_number(value, int)
  elif kind is float:
    is_right = _is_number(value, int | float)
  else:
    is_right = isinstance(value, kind)

  if not is_right:
    raise ConfigError(f'{parameter} must be {_NAMES[kind]}, not {_shown(value)}')
  return value


def _is_number(value: Any, kind: Any) -> bool:
  if isinstance(value, bool) or not isinstance(value, kind):
    return False
  return math.isfinite(value) if isinstance(value, float) else abs(value) < _INT_LIMIT


def _shown(value: Any) -> str:
  try:
    return shortened(repr(value))
  except ValueError:  # Python writes no integer of more than 4300 digits
    return 'a number of thousands of digits'


def parse_statement(text: str, folders: list[str]) -> None:
  """Makes gin parse statements that stand in no file.

  Args:
    text: Bindings, or statements that include files.
    folders: Folders to search for included files.
  """
  _parse_text('', text, folders, ())


def _parse_file(
  name: str, folders: list[str], including: tuple[str, ...]
) -> dict[str, tuple[object, str]]:
  """Makes gin parse a file.

  Args:
    name: Name of the file.
    folders: Folders to search.
    including: Real paths of the files that include it, the outermost first.

  Returns:
    Macros with their values and the names of the files that bind them.
  """
  path = _find(name, folders)
  real_path = path if files.is_remote(path) else os.path.realpath(path)
  if real_path in including:
    chain = ' includes '.join([*including[including.index(real_path) :], real_path])
    raise ConfigError(f'a gin file includes itself: {shortened(chain)}')

  values = _parse_text(path, _read(path), folders, (*including, real_path))
  return {macro: (value, file or name) for macro, (value, file) in values.items()}


def _parse_text(
  path: str, text: str, folders: list[str], including: tuple[str, ...]
) -> dict[str, tuple[object, str]]:
  """Makes gin parse a text, and the files that it includes at their places.

  Args:
    path: Path of the text, for messages.
    text: Statements.
    folders: Folders to search.
    including: Real paths of the file and of those that include it, the outermost first.

  Returns:
    Macros with their values and the names of the included files that bind them; an empty name
    stands for the text itself.
  """
  lines = text.splitlines(keepends=True)
  # All of them before the first is parsed: a syntax error leaves the configuration as it was.
  statements = list(_statements(_Excerpt(path, lines, 0, len(lines))))
  macros: dict[str, tuple[object, str]] = {}
  begin = 0

  for statement in statements:
    if isinstance(statement, gin.config_parser.IncludeStatement):
      include_line = statement.location.line_num - 1
      gin.parse_config(_Excerpt(path, lines, begin, include_line))
      macros |= _parse_file(statement.filename, folders, including)
      begin = include_line + 1
    elif isinstance(statement, gin.config_parser.BindingStatement):
      binding = _binding(statement)
      if binding.is_macro:
        macros[binding.key] = (binding.value, '')

  gin.parse_config(_Excerpt(path, lines, begin, len(lines)))
  return macros


def _read(path: str) -> str:
  try:
    return files.to_path(path).read_text()
  except (OSError, UnicodeDecodeError) as error:
    raise ConfigError(f"can't read {path}: {error}") from error


class _Excerpt(io.StringIO):
  """Some lines of a file at their places, so that gin's errors have the right name and number."""

  def __init__(self, path: str, lines: list[str], begin: int, end: int):
    super().__init__('\n' * begin + ''.join(lines[begin:end]))
    self.name = path


def _find(name: str, folders: list[str]) -> str:
  # The recipe of a run in a store has a whole path.
  candidates = [name] if files.is_remote(name) else [os.path.join(f, name) for f in ('', *folders)]
  for path in candidates:
    if files.to_path(path).is_file():
      return path
  raise ConfigError(f'no gin file {name}; searched here, {", ".join(folders)}')


def _statements(text: str | io.TextIOBase) -> Iterator[tuple]:
  """Yields the statements of a configuration, named tuples of `gin.config_parser`."""
  return gin.config_parser.ConfigParser(text, _AsWritten())


def _binding(statement: gin.config_parser.BindingStatement) -> Binding:
  scope = f'{statement.scope}/' if statement.scope else ''
  # The parser takes the name of a macro for a configurable without a parameter.
  is_macro = not statement.arg_name
  parameter = '' if is_macro else f'.{statement.arg_name}'
  return Binding(f'{scope}{statement.selector}{parameter}', is_macro, statement.value)


class _AsWritten(gin.config_parser.ParserDelegate):
  """Makes the parser return references and macros as they are written."""

  def configurable_reference(self, scoped_configurable_name, evaluate):
    call = '()' if evaluate else ''
    return Reference(f'@{scoped_configurable_name}{call}')

  def macro(self, macro_name):
    return Reference(f'%{macro_name}')
