"""What plugins are and admit, for people."""

from tfusq import plugins
from tfusq.entropy_models import EntropyModel
from tfusq.quantization.estimators import Estimator, Undefined
from tfusq.quantization.surrogates import Surrogate
from tfusq.quantization.temperature import temperature_parameters
from tfusq.testing import instances


def describe(name: str) -> list[str]:
  """Returns the first line of a plugin's docstring and what it admits, or why it is broken."""
  try:
    return _describe(plugins.load(plugins.claims(name)))
  except plugins.PluginError as error:
    return [f'BROKEN: {error}']
  except Exception as error:  # a class that only looks like a plugin
    return [f'BROKEN: {type(error).__name__}: {error}']


def _describe(cls):
  lines = [(cls.__doc__ or 'no docstring').strip().splitlines()[0]]
  if issubclass(cls, Surrogate):
    admitted = ['STE'] + ['PGE'] * cls.differentiable + ['EP'] * cls.has_secant()
    lines.append(f'admits {", ".join(admitted)}')
  if issubclass(cls, Estimator):
    lines.append('for the rate only' if cls.elementwise else 'for rate and distortion')
  if issubclass(cls, EntropyModel):
    lines.append(
      f'{cls.channels} network outputs per channel; '
      + ('zero-centre or nonzero-centre' if cls.has_centre() else 'nonzero-centre')
    )
  temperatures = temperature_parameters(cls)
  if temperatures:
    lines.append(f'temperatures: {", ".join(temperatures)}')
  return lines


def pairs() -> str:
  """Returns which surrogate goes with which estimator, as a Markdown table.

  "rate" and "distortion" are the terms of the loss in which a pair is defined; where there is no
  pair, building the quantizer raises `Undefined`, and where only the rate is, building the codec.
  """
  classes, errors = plugins.load_all()
  left_out = [f'\nBROKEN: {error}' for error in errors.values()]
  made = {Surrogate: [], Estimator: []}
  for plugin, cls in classes.items():
    for base, objects in made.items():
      if issubclass(cls, base):
        try:
          objects.append(instances(cls)[0])
        except Exception as error:  # it needs arguments, or more
          left_out.append(f'\n{plugin.name} is not built: {type(error).__name__}: {error}')
  surrogates, estimators = made.values()
  lines = [
    '| | ' + ' | '.join(type(estimator).__name__ for estimator in estimators) + ' |',
    '| --- |' + ' --- |' * len(estimators),
  ]
  for surrogate in surrogates:
    cells = []
    for estimator in estimators:
      try:
        estimator.check(surrogate)
      except Undefined:
        cells.append('')
      except Exception as error:
        cells.append(type(error).__name__)
      else:
        cells.append('rate' if estimator.elementwise else 'rate, distortion')
    lines.append(f'| {type(surrogate).__name__} | ' + ' | '.join(cells) + ' |')
  return '\n'.join(lines + left_out)
