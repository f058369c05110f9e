"""What a plugin is and admits, in lines for people."""

import inspect

from tfusq import plugins
from tfusq.entropy_models import EntropyModel
from tfusq.estimators import Estimator
from tfusq.surrogates import Surrogate
from tfusq.temperature import temperature_parameters


def describe(name: str) -> list[str]:
  """Returns the first line of a plugin's docstring and what it admits, or why it is broken."""
  try:
    cls = plugins.load(plugins.claims(name))
  except plugins.PluginError as error:
    return [f'BROKEN: {error}']
  lines = [(inspect.getdoc(cls) or 'no docstring').splitlines()[0]]
  if issubclass(cls, Surrogate):
    admitted = ['STE'] + ['PGE'] * cls.differentiable + ['EP'] * cls.has_secant()
    lines.append(f'admits {", ".join(admitted)}')
  if issubclass(cls, Estimator):
    lines.append('for the rate only' if cls.elementwise else 'for rate and distortion')
  if issubclass(cls, EntropyModel):
    lines.append(f'{cls.channels} network outputs per channel; '
                 + ('zero-centre or nonzero-centre' if cls.has_centre() else 'nonzero-centre'))
  temperatures = temperature_parameters(cls)
  if temperatures:
    lines.append(f'temperatures: {", ".join(temperatures)}')
  return lines

