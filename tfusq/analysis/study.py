"""What the analyses share: which surrogates they are of, and how their figures are kept."""

import ast
import csv
import functools
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from tfusq import files, plugins, testing
from tfusq.curves import plot
from tfusq.errors import Error
from tfusq.quantization.estimators import Estimator
from tfusq.quantization.surrogates import Surrogate
from tfusq.quantization.temperature import Schedule, temperature_parameters

SCALES = 'standard deviation of the latent'


class AnalysisError(Error, ValueError):
  """An argument that an analysis can't take."""


class Effort(NamedTuple):
  """How much an analysis does.

  Attributes:
    full: Whether as much as for publication, or what two cores do in two minutes.
    seed: Of all that is random.
  """

  full: bool = False
  seed: int = 0

  def scales(self) -> list[float]:
    """Returns standard deviations of latents, from 0.1 to 4."""
    return np.geomspace(0.1, 4, 25 if self.full else 7).tolist()


class Study(NamedTuple):
  """The figures of one analysis.

  Attributes:
    name: Of its files.
    rows: Dictionaries with the same keys; numbers or strings.
    figure: The same as a picture.
    printed: Whether its rows are few enough to print.
  """

  name: str
  rows: list[dict]
  figure: Figure
  printed: bool = True


def surrogates(names: Sequence[str]) -> list[Surrogate]:
  """Returns surrogates by plugin name, such as `AUN`, `SUA(alpha=5)` or, at each of its typical
  temperatures, `SUA`; what is named twice, once.

  Args:
    names: Which; if empty all that are registered, but for those that can't be loaded or built,
      which are listed on standard error.

  Raises:
    AnalysisError: if one is written otherwise, is no surrogate, or can't be built.
    PluginError: if one is unknown or broken.
  """
  found = (
    [instance for cls in _registered(Surrogate) for instance in testing.instances(cls)]
    if not names
    else [instance for name in names for instance in _named(name)]
  )
  return list({label(instance): instance for instance in found}.values())


def _named(text):
  try:
    call = ast.parse(text, mode='eval').body
    name, arguments = (call.func, call.keywords) if isinstance(call, ast.Call) else (call, None)
    if not isinstance(name, ast.Name) or isinstance(call, ast.Call) and call.args:
      raise ValueError
    values = {each.arg: ast.literal_eval(each.value) for each in arguments or ()}
  except (SyntaxError, ValueError):
    raise AnalysisError(
      f'a surrogate is written NAME or NAME(temperature=NUMBER), not {text}'
    ) from None
  cls = plugins.load(plugins.claims(name.id))
  if not issubclass(cls, Surrogate):
    raise AnalysisError(f'{name.id} is no surrogate')
  others = values.keys() - set(temperature_parameters(cls))
  if others:
    raise AnalysisError(
      f'{name.id} has no temperature {", ".join(sorted(others))}; it has '
      f'{", ".join(temperature_parameters(cls)) or "none"}'
    )
  try:
    return testing.instances(cls) if arguments is None else [cls(**values)]
  except Exception as error:  # whatever a plugin raises
    raise AnalysisError(f'{text} is not built: {type(error).__name__}: {error}') from error


@functools.cache
def estimators_by_name() -> dict[str, Estimator]:
  """Returns the registered estimators of gradients that can be built."""
  return {cls.__name__: testing.instances(cls)[0] for cls in _registered(Estimator)}


def estimators(surrogate: Surrogate) -> list[Estimator]:
  """Returns the registered estimators of the rate's gradient that a surrogate admits."""
  return [each for each in estimators_by_name().values() if _admits(each, surrogate)]


def _admits(estimator, surrogate):
  try:
    estimator.check(surrogate)
  except Exception:  # Undefined, or what a plugin raises
    return False
  return True


def _registered(base) -> list[type]:
  """Returns the plugins of a kind that load and build; the others cost their own row only."""
  loaded, errors = plugins.load_all()
  left_out = [str(error) for error in errors.values()]
  found = []
  for cls in loaded.values():
    if issubclass(cls, base):
      try:
        testing.instances(cls)
      except Exception as error:
        left_out.append(f'{cls.__name__} is not built: {type(error).__name__}: {error}')
      else:
        found.append(cls)
  for reason in left_out:
    print(f'left out: {reason}', file=sys.stderr)
  return found


class Annealed(NamedTuple):
  """A kind of surrogate with a temperature to move.

  Attributes:
    name: Of the kind; where it has more temperatures than one, with that which moves, such as
      `Kind.tau`.
    temperatures: From half the least of its typical values to two and a half times the greatest,
      as far as it takes them.
    make: Gives the surrogate from a temperature or a schedule; where there are more temperatures
      than one, the others are those of the first of its kind, or if they are not told, the last of
      their typical values.
  """

  name: str
  temperatures: list[float]
  make: Callable[[float | Schedule], Surrogate]


def annealed(subjects: Sequence[Surrogate], count: int, beyond: float = 1.0) -> list[Annealed]:
  """Returns each temperature of each kind of surrogate, with those of `count` values it takes.

  Args:
    subjects: Of the kinds.
    count: How many values.
    beyond: By what factor further to go on both sides.
  """
  kinds = []
  for cls in dict.fromkeys(map(type, subjects)):
    names = temperature_parameters(cls)
    typical = testing.typical_temperatures(cls)
    subject = next(each for each in subjects if type(each) is cls)
    others = {**typical[-1], **testing.present_temperatures(subject)}
    for name in names:
      make = functools.partial(_make, cls, name, others)
      values = [each[name] for each in typical]
      values = np.geomspace(min(values) / (2 * beyond), 2.5 * beyond * max(values), count).tolist()
      taken = [value for value in values if _takes(make, value)]
      if taken:
        kinds.append(
          Annealed(cls.__name__ if len(names) == 1 else f'{cls.__name__}.{name}', taken, make)
        )
  return kinds


def _make(cls, name, others, temperature):
  return cls(**{**others, name: temperature})


def _takes(make, value):
  try:
    make(value)
  except Exception:  # whatever a plugin raises
    return False
  return True


def label(surrogate: Surrogate) -> str:
  """Returns what a surrogate is called in tables and legends, such as `SUA(alpha=5)`."""
  return testing.describe(surrogate).removesuffix('()').replace(' = ', '=')


def keep(study: Study, folder: Path, force: bool) -> None:
  """Prints a study's rows, and writes them and its picture.

  Args:
    study: What.
    folder: For `NAME.csv` and `NAME.png`.
    force: Whether existing files may be replaced.

  Raises:
    Exists: if they may not.
  """
  if study.printed:
    print(table(study.rows))
  buffer = io.StringIO()
  writer = csv.DictWriter(buffer, study.rows[0], lineterminator='\n')
  writer.writeheader()
  writer.writerows(study.rows)
  path = folder / f'{study.name}.csv'
  files.write(path, buffer.getvalue().encode(), force)
  plot.save(study.figure, path.with_suffix('.png'), force)
  print(f'{path} {path.with_suffix(".png")}\n')


def table(rows: list[dict]) -> str:
  """Returns rows as text: a line for each, under their keys; numbers are set to the right."""
  cells = [list(rows[0]), *([cell(value) for value in row.values()] for row in rows)]
  widths = [max(map(len, column)) for column in zip(*cells)]
  sides = ['<' if isinstance(value, str) else '>' for value in rows[0].values()]
  return '\n'.join(
    '  '.join(f'{cell:{side}{width}}' for cell, side, width in zip(line, sides, widths)).rstrip()
    for line in cells
  )


def cell(value: float | str) -> str:
  """Returns a value as it stands in a table."""
  return f'{value:.5g}' if isinstance(value, float) else str(value)
