"""What the studies share: the surrogates and estimators they take, and how results are written."""

import ast
import csv
import functools
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from matplotlib.figure import Figure

from tfusq import catalogue, files, plugins
from tfusq.curves import plot
from tfusq.errors import Error
from tfusq.quantization import temperature
from tfusq.quantization.base import Surrogate
from tfusq.quantization.estimators import Estimator
from tfusq.quantization.schedules import Schedule
from tfusq.quantization.temperature import temperature_parameters

_Object = TypeVar('_Object')

# Label of axes over the scale.
SCALES = 'standard deviation of the latent'


class AnalysisError(Error, ValueError):
  """An argument that an analysis can't take."""


class Effort(NamedTuple):
  """How much an analysis computes.

  Attributes:
    full: Whether it computes as much as for publication, or what two cores do in two minutes.
    seed: Seed of everything random.
  """

  full: bool = False
  seed: int = 0

  def scales(self) -> list[float]:
    """Returns standard deviations of latents, from 0.1 to 4 and evenly spaced in logarithms."""
    return np.geomspace(0.1, 4, 25 if self.full else 7).tolist()


class Study(NamedTuple):
  """The results of one analysis.

  Attributes:
    name: Name of its files, without their endings.
    rows: Dictionaries with the same keys; values are numbers or strings.
    figure: A picture of the rows.
    printed: Whether there are few enough rows to print.
  """

  name: str
  rows: list[dict]
  figure: Figure
  printed: bool = True


def surrogates(names: Sequence[str]) -> list[Surrogate]:
  """Returns surrogates that are named by their plugins and temperatures.

  Args:
    names: Names such as `AUN`, `SUA(alpha=5)` or `SUA`, which stands for a surrogate at each of its
      typical temperatures.

  Returns:
    The surrogates in this order, without repetitions.

  Raises:
    AnalysisError: if a name is written otherwise, is not a surrogate's, or can't be built.
    PluginError: if a plugin is unknown or broken.
  """
  named = []
  for name in names:
    named += _build(name)
  return _without_repetitions(named)


def registered_surrogates() -> tuple[list[Surrogate], list[str]]:
  """Returns all registered surrogates, at each of their typical temperatures.

  Returns:
    The surrogates, and why plugins are left out that can't be loaded or built.
  """
  built, left_out = catalogue.build_all(Surrogate)
  return _without_repetitions(built), left_out


def _without_repetitions(built):
  return list({label(surrogate): surrogate for surrogate in built}.values())


def _build(text):
  """Returns the surrogates that a name such as `SUA(alpha=5)` or `SUA` stands for."""
  name, values = _parse(text)
  cls = plugins.load(plugins.claims(name))
  if not issubclass(cls, Surrogate):
    raise AnalysisError(f'{name} is not a surrogate')

  known = temperature_parameters(cls)
  unknown = set(values or ()) - set(known)
  if unknown:
    raise AnalysisError(
      f'{name} has no temperature {", ".join(sorted(unknown))}; it has {", ".join(known) or "none"}'
    )

  try:
    return temperature.instances(cls) if values is None else [cls(**values)]
  except Exception as error:  # whatever a plugin raises
    raise AnalysisError(f'{text} is not built: {type(error).__name__}: {error}') from error


def _parse(text):
  """Returns the plugin's name and the temperatures by name; None where there are no parentheses."""
  try:
    match ast.parse(text, mode='eval').body:
      case ast.Name(id=name):
        return name, None
      case ast.Call(func=ast.Name(id=name), args=[], keywords=keywords):
        return name, {keyword.arg: ast.literal_eval(keyword.value) for keyword in keywords}
  except (SyntaxError, ValueError):
    pass  # reported like any other expression
  raise AnalysisError(f'a surrogate is written NAME or NAME(temperature=NUMBER), not {text}')


@functools.cache
def registered_estimators() -> tuple[list[Estimator], list[str]]:
  """Returns one object of each registered estimator of gradients.

  Returns:
    The estimators, and why plugins are left out that can't be loaded or built.
  """
  built, left_out = catalogue.build_all(Estimator)
  return first_of_each_class(built), left_out


def estimators(surrogate: Surrogate) -> list[Estimator]:
  """Returns the registered estimators of the rate's gradient that a surrogate admits."""
  registered, _ = registered_estimators()
  return [estimator for estimator in registered if _admits(estimator, surrogate)]


def _admits(estimator, surrogate):
  try:
    estimator.check(surrogate)
  except Exception:  # `Undefined`, or whatever a plugin raises
    return False
  return True


class TemperatureAxis(NamedTuple):
  """A class of surrogates and one of its temperatures, along which a study moves it.

  Attributes:
    name: Name of the class; if it has several temperatures, with the one that moves, such as
      `Dithered.alpha`.
    temperatures: Values of the temperature, ascending; only those that the class accepts.
    make: Function that returns the surrogate at a value or with a schedule of this temperature.
  """

  name: str
  temperatures: list[float]
  make: Callable[[float | Schedule], Surrogate]


def annealed(
  subjects: Sequence[Surrogate], count: int, beyond: float = 1.0
) -> list[TemperatureAxis]:
  """Returns an axis for each temperature of each class of surrogates.

  The values go from half the least typical temperature to two and a half times the greatest. If a
  class has several temperatures, the others keep the values of its first object among the subjects,
  or, where the object does not report them, the last of their typical values.

  Args:
    subjects: Surrogates of the classes.
    count: Number of values on an axis, before those are left out that the class refuses.
    beyond: Factor by which the values extend further at both ends.

  Returns:
    The axes; a temperature of which the class accepts no value has none.
  """
  axes = []
  for subject in first_of_each_class(subjects):
    cls = type(subject)
    names = temperature_parameters(cls)
    typical = temperature.typical_temperatures(cls)
    others = typical[-1] | temperature.present_temperatures(subject)

    for name in names:
      make = functools.partial(_make, cls, name, others)
      typical_values = [values[name] for values in typical]
      least = min(typical_values) / (2 * beyond)
      greatest = 2.5 * beyond * max(typical_values)
      values = np.geomspace(least, greatest, count).tolist()
      accepted = [value for value in values if _is_accepted(make, value)]
      if accepted:
        axis_name = cls.__name__ if len(names) == 1 else f'{cls.__name__}.{name}'
        axes.append(TemperatureAxis(axis_name, accepted, make))
  return axes


def first_of_each_class(subjects: Sequence[_Object]) -> list[_Object]:
  """Returns the first object of each class, in their order."""
  first: dict[type, _Object] = {}
  for subject in subjects:
    first.setdefault(type(subject), subject)
  return list(first.values())


def _make(cls, name, others, value):
  return cls(**{**others, name: value})


def _is_accepted(make, value):
  try:
    make(value)
  except Exception:  # whatever a plugin raises
    return False
  return True


def label(surrogate: Surrogate) -> str:
  """Returns what a surrogate is called in tables and legends, such as `SUA(alpha=5)`."""
  return temperature.describe(surrogate).removesuffix('()').replace(' = ', '=')


def write_study(study: Study, folder: Path, force: bool) -> tuple[Path, Path]:
  """Writes a study's rows and its picture.

  Args:
    study: The study.
    folder: Folder for `NAME.csv` and `NAME.png`.
    force: Whether existing files may be replaced.

  Returns:
    The paths of both files.

  Raises:
    Exists: if a file exists that may not be replaced.
  """
  buffer = io.StringIO()
  writer = csv.DictWriter(buffer, study.rows[0], lineterminator='\n')
  writer.writeheader()
  writer.writerows(study.rows)

  csv_path = folder / f'{study.name}.csv'
  picture_path = csv_path.with_suffix('.png')
  files.write(csv_path, buffer.getvalue().encode(), force)
  plot.save(study.figure, picture_path, force)
  return csv_path, picture_path


def format_rows(rows: Sequence[dict]) -> str:
  """Returns rows as a table in plain text, under their keys; numbers are set to the right."""
  lines = [list(rows[0])]
  for row in rows:
    lines.append([format_value(value) for value in row.values()])
  widths = [max(map(len, column)) for column in zip(*lines)]

  aligned = []
  for line in lines:
    cells = []
    for cell, width, value in zip(line, widths, rows[0].values()):
      cells.append(cell.ljust(width) if isinstance(value, str) else cell.rjust(width))
    aligned.append('  '.join(cells).rstrip())
  return '\n'.join(aligned)


def format_value(value: float | str) -> str:
  """Returns a value as it stands in a table: floats with five significant digits."""
  return f'{value:.5g}' if isinstance(value, float) else str(value)
