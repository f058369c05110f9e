"""The recipe of a run: the configuration that made it, recorded in its directory.

A recipe is a gin file, `operative_config-N.gin` as of the start at step N. Lines that begin with
`#` are comments, such as the versions of distributions. Lines that begin with `#:` are comments for
gin as well, but part of the recipe: they tell which photographs the run is trained on and which
networks it began with.
"""

import difflib
import os
import re
from typing import NamedTuple

from absl import logging

from tfusq import files
from tfusq.errors import Error

# The name of a recipe, with its number.
RECIPE = re.compile(r'operative_config-(\d+)\.gin')

# Lines that may differ when a run is resumed: others check what they say.
_FREE = re.compile(
  r'#: photographs |(.*/)?Patches\.folder = '
  r'|train\.(steps|accept_changed_photographs|accept_other_versions) = '
)

# Lines that say what all runs did before there was a choice, and which their recipes lack.
_AS_BEFORE = re.compile(
  r'(.*/)?Patches\.(scales = \(1\.0, 1\.0\)|(flip|transpose) = False)'
  r'|train\.(initialization_patches = 0|average_decay = None|fork = 0)'
  r'|(.*/)?KLT\.squared_error = 1\.0'
  r'|(.*/)?Codec\.variable_rate = None'
  r'|(.*/)?MSHyper\.hyper_width = None'
)

# Lines with the versions that the last digits of a training depend on.
_VERSION = re.compile(r'^# (tfusq|tensorflow|tf_keras)(?:-cpu)? (\S+)$', re.MULTILINE)


class TrainingError(Error, RuntimeError):
  """A run that can't be started, resumed or loaded; says why and what is left."""


class Origin(NamedTuple):
  """Where the networks of a run come from.

  Attributes:
    path: Absolute path of a run directory or of an exported codec.
    digest: Hash of its checkpoint or weights, the same wherever it is moved; empty if there is
      none.
    trunk: Line about the trunk that a branch goes on from; empty of other runs.
  """

  path: str
  digest: str
  trunk: str = ''


def newest_recipe(model_dir: str | os.PathLike) -> files.AnyPath:
  """Returns the newest `operative_config-N.gin` of a run.

  Raises:
    TrainingError: if there is none.
  """
  number = last_number(model_dir, RECIPE)
  if number < 0:
    raise TrainingError(f'{model_dir} is no run: it has no operative_config-N.gin')
  return files.to_path(model_dir) / f'operative_config-{number}.gin'


def last_number(folder: str | os.PathLike, name: re.Pattern) -> int:
  """Returns the largest number in the names of a folder's files, or -1 if there is no such file.

  Args:
    folder: Folder, which may be absent.
    name: Pattern of the whole name, whose group is the number.
  """
  path = files.to_path(folder)
  if not path.exists():
    return -1
  matches = [name.fullmatch(entry.name) for entry in path.iterdir()]
  return max((int(match[1]) for match in matches if match), default=-1)


def with_photographs(recipe_text: str, fingerprint: str) -> str:
  """Returns a recipe that records its photographs.

  Args:
    recipe_text: Recipe from gin.
    fingerprint: Number and hash of the photographs.
  """
  return f'{recipe_text}\n#: photographs {fingerprint}\n'


def with_origin(recipe_text: str, origin: Origin) -> str:
  """Returns a recipe that records where its networks come from.

  Args:
    recipe_text: Recipe of a new run.
    origin: Run whose networks it begins with.
  """
  lines = [f'#: networks from {origin.path}', f'#: checkpoint {origin.digest}']
  if origin.trunk:
    lines.append(origin.trunk)
  return '\n'.join([recipe_text, *lines, ''])


def recipe_to_resume(recipe_text: str, origin: Origin | None, path: files.AnyPath) -> str:
  """Returns the recipe to resume a run with, after comparing it with the run's own.

  Args:
    recipe_text: Recipe of this start.
    origin: Run that is given as the origin of the networks at this start; without one, the origin
      that the run has recorded is kept.
    path: Newest recipe of the run.

  Raises:
    TrainingError: if the run was begun with another recipe; shows the difference.
  """
  recorded_text = path.read_text(encoding='utf-8')
  recorded_origin = ''.join(
    re.findall('^#: (?:networks from|checkpoint|trunk) .*\n', recorded_text, re.M)
  )
  if _is_same_origin(origin, recorded_origin):
    recipe_text += recorded_origin and f'\n{recorded_origin}'
  elif origin is not None:
    recipe_text = with_origin(recipe_text, origin)

  require_same(recipe_text, path)
  return recipe_text


def require_same(recipe_text: str, path: files.AnyPath) -> None:
  """Refuses a recipe that is another than the recorded one.

  Args:
    recipe_text: Recipe of this start, with the origin of the networks.
    path: Recipe of the run.

  Raises:
    TrainingError: if the run was begun with another recipe; shows the difference.
  """
  recorded = _read(path.read_text(encoding='utf-8'))
  recipe = _read(recipe_text)
  if recorded.statements != recipe.statements:
    difference = difflib.unified_diff(
      recorded.statements, recipe.statements, str(path), 'this configuration', lineterm='', n=0
    )
    raise TrainingError(
      'the run was begun with another configuration; use it, or another --model_dir '
      '(--init_from takes over the networks):\n' + '\n'.join(difference)
    )
  if recipe.steps < recorded.steps:
    raise TrainingError(
      f'the run was begun with train.steps = {recorded.steps}, which can be raised but not lowered '
      f'to {recipe.steps}'
    )


def require_same_versions(recipe_text: str, path: files.AnyPath, accept_other: bool) -> None:
  """Refuses versions that are others than the recorded ones, unless they are accepted.

  Only under equal versions is a resumed run, bit for bit, what it would be without the stop.

  Args:
    recipe_text: Recipe of this start.
    path: Newest recipe of the run.
    accept_other: Whether other versions are accepted.

  Raises:
    TrainingError: if they are not; says which versions differ.
  """
  recorded = dict(_VERSION.findall(path.read_text(encoding='utf-8')))
  here = dict(_VERSION.findall(recipe_text))
  # Before TensorFlow 2.16, Keras had no version of its own.
  changed = [name for name in recorded if name in here and recorded[name] != here[name]]
  if not changed:
    return

  before = ', '.join(f'{name} {recorded[name]}' for name in changed)
  now = ', '.join(f'{name} {here[name]}' for name in changed)
  change = f'trained with {before} until now, and this is {now}'
  if not accept_other:
    raise TrainingError(
      f'the run can be resumed bit for bit only under the same versions: {change}; restore them, '
      'or go on with these by --accept_other_versions'
    )
  logging.warning('going on under other versions: %s', change)


def _is_same_origin(origin: Origin | None, recorded: str) -> bool:
  """Returns whether an origin is the recorded one, by its place or by its content."""
  if origin is None:
    return True
  lines = recorded.splitlines()
  is_same_checkpoint = bool(origin.digest) and f'#: checkpoint {origin.digest}' in lines
  return f'#: networks from {origin.path}' in lines or is_same_checkpoint


class _Recipe(NamedTuple):
  """What counts of a recipe when a run is resumed.

  Attributes:
    statements: Lines that must be the same; without versions, which may be accepted, and without
      photographs, which have a record of their own.
    steps: Number of steps, which may be raised; 0 if the recipe does not tell it.
  """

  statements: list[str]
  steps: int


def _read(recipe_text: str) -> _Recipe:
  # gin continues a long statement on indented lines.
  joined = re.sub(r'\s*\\?\n[ \t]+', ' ', recipe_text)
  lines = [line for line in joined.splitlines() if line and not re.match('#(?!:)', line)]
  statements = [line for line in lines if not _FREE.match(line) and not _AS_BEFORE.fullmatch(line)]

  # A macro that nothing but these is bound to is as free as they are.
  free = {}
  for line in lines:
    match = re.match(r'(\w+) = (.*)', line)
    if match and _uses(match[1], lines) > _uses(match[1], statements) == 0:
      free[match[1]] = match[2]
      statements.remove(line)

  steps = re.search(r'^train\.steps = %?(\w+)$', joined, re.MULTILINE)
  number = free.get(steps[1], steps[1]) if steps else ''
  return _Recipe(statements, int(number) if number.isdecimal() else 0)


def _uses(macro: str, lines: list[str]) -> int:
  return len(re.findall(rf'%{macro}\b', '\n'.join(lines)))
