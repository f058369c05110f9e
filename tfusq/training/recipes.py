"""The recipe of a run: the configuration that made it, recorded in its directory.

A recipe is a gin file, `operative_config-N.gin` as of the start at step N. Lines that begin with
`#` are comments, for example versions, and may differ when a run is resumed. Lines that begin with
`#:` are comments for gin as well, but part of the recipe: they tell which photographs the run is
trained on and which networks it began with.
"""

import difflib
import os
import re
from pathlib import Path

from tfusq.errors import Error


class TrainingError(Error, RuntimeError):
  """A run that can't be started, resumed or loaded; says why and what is left."""


def newest_recipe(model_dir: str | os.PathLike) -> Path:
  """Returns the newest `operative_config-N.gin` of a run.

  Raises:
    TrainingError: if there is none.
  """
  recipes = Path(model_dir).glob('operative_config-*.gin')
  newest = max(recipes, key=_step, default=None)
  if newest is None:
    raise TrainingError(f'{model_dir} is no run: it has no operative_config-N.gin')
  return newest


def _step(path: Path) -> int:
  # As a number: 900 comes before 1000.
  return int(re.sub(r'\D', '', path.stem))


def with_photographs(recipe_text: str, fingerprint: str) -> str:
  """Returns a recipe that records its photographs.

  Args:
    recipe_text: Recipe from gin.
    fingerprint: Number and hash of the photographs.
  """
  return f'{recipe_text}\n#: photographs {fingerprint}\n'


def with_origin(recipe_text: str, init_from: str) -> str:
  """Returns a recipe that records where its networks come from.

  Args:
    recipe_text: Recipe of a new run.
    init_from: Run directory.
  """
  return f'{recipe_text}#: networks from {os.path.abspath(init_from)}\n'


def recipe_to_resume(recipe_text: str, init_from: str | None, path: Path) -> str:
  """Returns the recipe to resume a run with, after comparing it with the run's own.

  Args:
    recipe_text: Recipe of this start, with photographs.
    init_from: Run directory that is given as the origin of the networks at this start; without
      one, the origin that the run has recorded is kept.
    path: Newest recipe of the run.

  Raises:
    TrainingError: if the run was begun with another recipe; shows the difference.
  """
  recorded_text = path.read_text()
  if init_from:
    recipe_text = with_origin(recipe_text, init_from)
  else:
    origin = re.search('^#: networks from .*\n', recorded_text, re.MULTILINE)
    recipe_text += origin[0] if origin else ''

  # Versions may differ: whoever resumes a run with another TensorFlow has chosen to.
  recorded_lines = _significant_lines(recorded_text)
  lines = _significant_lines(recipe_text)
  if recorded_lines != lines:
    difference = difflib.unified_diff(
      recorded_lines, lines, str(path), 'this configuration', lineterm='', n=0
    )
    raise TrainingError(
      'the run was begun with another configuration; use it, or another --model_dir '
      '(--init_from takes over the networks):\n' + '\n'.join(difference)
    )
  return recipe_text


def _significant_lines(recipe_text: str) -> list[str]:
  """Returns the lines in which a resumed run must agree with its beginning."""
  return [
    line
    for line in recipe_text.splitlines()
    if line.startswith('#:') or not line.startswith('#') and line
  ]
