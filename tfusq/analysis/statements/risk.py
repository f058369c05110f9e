"""Statements of Sec. 4.4, on gradient estimation risk."""

import numpy as np

from tfusq.analysis.statements.recorded import RecordedStudies, Statement, falls

# What a statement measures by name, and whether it holds.
_Evidence = tuple[dict[str, float], bool]


def _risk(recorded, column, surrogate, estimator, scale=0.3):
  """Returns a column of the study of gradients; the scale is one of Table II's."""
  (row,) = recorded.rows('gradient', surrogate=surrogate, estimator=estimator, scale=scale)
  return row[column]


def _of_sua(recorded, column, estimator):
  """Returns a column at three temperatures of SUA, by what they are called in the report."""
  measured = {}
  for alpha in (1, 5, 10):
    measured[f'alpha {alpha}:'] = _risk(recorded, column, f'SUA(alpha={alpha})', estimator)
  return measured


def _sua_bias(recorded: RecordedStudies) -> _Evidence:
  measured = _of_sua(recorded, 'bias', 'STE')
  return measured, falls(reversed(measured.values()))


def _sra_bias(recorded: RecordedStudies) -> _Evidence:
  measured = {
    'SR:': _risk(recorded, 'bias', 'SR', 'STE'),
    'alpha 5:': _risk(recorded, 'bias', 'SRA(alpha=5)', 'STE'),
    'alpha 10:': _risk(recorded, 'bias', 'SRA(alpha=10)', 'STE'),
  }
  return measured, max(measured.values()) < 1.1 * min(measured.values())


def _falls_with_scale(recorded, column):
  """Returns the evidence that SUA's risk by STE is smaller at the larger of Table II's scales."""
  small = _risk(recorded, column, 'SUA(alpha=5)', 'STE', 0.3)
  large = _risk(recorded, column, 'SUA(alpha=5)', 'STE', 1.0)
  return {'scale 0.3:': small, 'scale 1:': large}, large < small


def _bias_by_scale(recorded: RecordedStudies) -> _Evidence:
  return _falls_with_scale(recorded, 'bias')


def _pge_variance(recorded: RecordedStudies) -> _Evidence:
  measured = _of_sua(recorded, 'variance', 'PGE')
  low, middle, high = measured.values()
  return measured, high > 10 * middle > 100 * low


def _variance_by_scale(recorded: RecordedStudies) -> _Evidence:
  return _falls_with_scale(recorded, 'variance')


def _ste_variance(recorded: RecordedStudies) -> _Evidence:
  pge = _risk(recorded, 'variance', 'SUA(alpha=10)', 'PGE')
  ste = _risk(recorded, 'variance', 'SUA(alpha=10)', 'STE')
  return {'PGE:': pge, 'STE:': ste}, ste < 0.1 * pge


def _sra_variance(recorded: RecordedStudies) -> _Evidence:
  ratios = []
  for alpha in (5, 10):
    for scale in (0.3, 1.0):
      sra = _risk(recorded, 'variance', f'SRA(alpha={alpha})', 'STE', scale)
      sua = _risk(recorded, 'variance', f'SUA(alpha={alpha})', 'STE', scale)
      ratios.append(sra / sua)
  return {'least ratio:': min(ratios)}, min(ratios) > 1


def _network(recorded: RecordedStudies) -> _Evidence:
  rows = recorded.rows('network', surrogate='SR')
  log_bias = np.log([row['greatest_bias'] for row in rows])

  correlations = {}
  for network in ('analysis', 'synthesis'):
    log_size = np.log([row[network] for row in rows])
    correlation = np.corrcoef(log_size, log_bias)[0, 1]
    correlations[f'correlation with the {network}:'] = float(correlation)
  return correlations, min(correlations.values()) > 0.2


def _cost(recorded, method, transform):
  """Returns the costs R + slope D of a Laplacian source, by ascending slope: by rising rate."""
  _, costs = recorded.curve('laplacian', 'cost', 'slope', method=method, transform=transform)
  return costs


def _gain_of_expected_gradient(recorded, transform):
  """Returns by how much EP lowers SR's cost relative to STE, by slope."""
  return _cost(recorded, 'SR+STE', transform) - _cost(recorded, 'SR+EP', transform)


def _expected_beats_ste(recorded: RecordedStudies) -> _Evidence:
  linear = float(_gain_of_expected_gradient(recorded, 'linear').min())
  residual = float(_gain_of_expected_gradient(recorded, 'residual blocks').min())
  measured = {'linear, least:': linear, 'residual blocks, least:': residual}
  return measured, linear > 0 and residual > 0


def _gain_by_transform(recorded: RecordedStudies) -> _Evidence:
  linear = float(_gain_of_expected_gradient(recorded, 'linear').mean())
  residual = float(_gain_of_expected_gradient(recorded, 'residual blocks').mean())
  return {'linear:': linear, 'residual:': residual}, residual > max(2 * linear, 0.01)


def _gain_by_rate(recorded: RecordedStudies) -> _Evidence:
  gain = _gain_of_expected_gradient(recorded, 'residual blocks')
  lowest, highest = float(gain[0]), float(gain[-1])
  return {'lowest rate:': lowest, 'highest rate:': highest}, lowest > max(2 * highest, 0.01)


def _rounding_linear(recorded: RecordedStudies) -> _Evidence:
  gain = _cost(recorded, 'SR+STE', 'linear') - _cost(recorded, 'Round+STE', 'linear')
  least = float(gain.min())
  return {'least gain over SR:': least}, least > 0


def _rounding_residual(recorded: RecordedStudies) -> _Evidence:
  residual = _cost(recorded, 'Round+STE', 'residual blocks')
  loss = residual - _cost(recorded, 'Round+STE', 'linear')
  greatest = float(loss.max())
  return {'greatest loss:': greatest}, greatest > 0.1


def _mix(recorded: RecordedStudies) -> _Evidence:
  rounding = _cost(recorded, 'Round+STE', 'residual blocks')
  mix = _cost(recorded, 'MIX', 'residual blocks')
  linear = _cost(recorded, 'MIX', 'linear')

  gain = float((rounding - mix).mean())
  loss = float((mix - linear).max())
  measured = {'mean gain over rounding:': gain, 'greatest loss against linear:': loss}
  return measured, gain > 0 and loss > 0.05


STATEMENTS = (
  Statement('4.4.2', "STE: SUA's bias grows with alpha", _sua_bias),
  Statement('4.4.2', "STE: SRA's bias hardly depends on alpha", _sra_bias),
  Statement('4.4.2', 'STE: the bias is smaller at a larger scale', _bias_by_scale),
  Statement('4.4.2', "STE's greatest bias grows with the networks", _network),
  Statement('4.4.2', 'SR: the expected gradient always beats STE', _expected_beats_ste),
  Statement('4.4.2', '... by more with non-linear transforms', _gain_by_transform),
  Statement('4.4.2', '... and by more at low rates', _gain_by_rate),
  Statement('4.4.2', 'linear transforms: rounding beats SR', _rounding_linear),
  Statement('4.4.2', 'non-linear transforms: rounding is extremely poor', _rounding_residual),
  Statement('4.4.2', '... and MIX slightly better, but fails too', _mix),
  Statement('4.4.3', "PGE: SUA's variance grows rapidly with alpha", _pge_variance),
  Statement('4.4.3', 'STE lowers the variance', _ste_variance),
  Statement('4.4.3', 'the variance is smaller at a larger scale', _variance_by_scale),
  Statement('4.4.3', "STE: SRA's variance is above SUA's", _sra_variance),
)
