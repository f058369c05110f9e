"""Statements of Sec. 4.4, on gradient estimation risk, and the figures that bear on them."""

import numpy as np

from tfusq.analysis.statements.recorded import Statement, falls


def _risk(figures, key, surrogate, estimator, scale=0.3):
  (row,) = figures.rows('gradient', surrogate=surrogate, estimator=estimator, scale=scale)
  return row[key]


def _sua_bias(figures):
  found = [_risk(figures, 'bias', f'SUA(alpha={value})', 'STE') for value in (1, 5, 10)]
  return dict(zip(('alpha 1:', 'alpha 5:', 'alpha 10:'), found)), falls(found[::-1])


def _sra_bias(figures):
  found = [_risk(figures, 'bias', name, 'STE') for name in ('SR', 'SRA(alpha=5)', 'SRA(alpha=10)')]
  return dict(zip(('SR:', 'alpha 5:', 'alpha 10:'), found)), max(found) < 1.1 * min(found)


def _bias_by_scale(figures):
  small, large = (_risk(figures, 'bias', 'SUA(alpha=5)', 'STE', scale) for scale in (0.3, 1.0))
  return {'scale 0.3:': small, 'scale 1:': large}, large < small


def _pge_variance(figures):
  found = [_risk(figures, 'variance', f'SUA(alpha={value})', 'PGE') for value in (1, 5, 10)]
  return dict(zip(('alpha 1:', 'alpha 5:', 'alpha 10:'), found)), (
    found[2] > 10 * found[1] > 100 * found[0]
  )


def _variance_by_scale(figures):
  small, large = (_risk(figures, 'variance', 'SUA(alpha=5)', 'STE', scale) for scale in (0.3, 1.0))
  return {'scale 0.3:': small, 'scale 1:': large}, large < small


def _ste_variance(figures):
  pge, ste = (_risk(figures, 'variance', 'SUA(alpha=10)', name) for name in ('PGE', 'STE'))
  return {'PGE:': pge, 'STE:': ste}, ste < 0.1 * pge


def _sra_variance(figures):
  ratios = [
    _risk(figures, 'variance', f'SRA(alpha={value})', 'STE', scale)
    / _risk(figures, 'variance', f'SUA(alpha={value})', 'STE', scale)
    for value in (5, 10)
    for scale in (0.3, 1.0)
  ]
  return {'least ratio:': min(ratios)}, min(ratios) > 1


def _network(figures):
  rows = figures.rows('network', surrogate='SR')
  biases = np.log([row['greatest_bias'] for row in rows])
  trends = {
    f'correlation with the {part}:': float(
      np.corrcoef(np.log([row[part] for row in rows]), biases)[0, 1]
    )
    for part in ('analysis', 'synthesis')
  }
  return trends, min(trends.values()) > 0.2


def _laplacian(figures, method, transform):
  """Returns costs, R + slope D, by slope."""
  return figures.curve('laplacian', 'cost', 'slope', method=method, transform=transform)[1]


def _expected_beats_ste(figures):
  gaps = {
    transform: _laplacian(figures, 'SR+STE', transform) - _laplacian(figures, 'SR+EP', transform)
    for transform in ('linear', 'residual blocks')
  }
  return {f'{transform}, least:': float(gap.min()) for transform, gap in gaps.items()}, (
    min(gap.min() for gap in gaps.values()) > 0
  )


def _gap_by_transform(figures):
  linear, residual = (
    (_laplacian(figures, 'SR+STE', transform) - _laplacian(figures, 'SR+EP', transform)).mean()
    for transform in ('linear', 'residual blocks')
  )
  return {'linear:': float(linear), 'residual:': float(residual)}, residual > max(2 * linear, 0.01)


def _gap_by_rate(figures):
  gap = _laplacian(figures, 'SR+STE', 'residual blocks') - _laplacian(
    figures, 'SR+EP', 'residual blocks'
  )
  return {'lowest rate:': float(gap[0]), 'highest rate:': float(gap[-1])}, (
    gap[0] > max(2 * gap[-1], 0.01)
  )


def _rounding_linear(figures):
  gap = _laplacian(figures, 'SR+STE', 'linear') - _laplacian(figures, 'Round+STE', 'linear')
  return {'least gain over SR:': float(gap.min())}, gap.min() > 0


def _rounding_residual(figures):
  loss = _laplacian(figures, 'Round+STE', 'residual blocks') - _laplacian(
    figures, 'Round+STE', 'linear'
  )
  return {'greatest loss:': float(loss.max())}, loss.max() > 0.1


def _mix(figures):
  rounding, mixed, linear = (
    _laplacian(figures, *where)
    for where in (('Round+STE', 'residual blocks'), ('MIX', 'residual blocks'), ('MIX', 'linear'))
  )
  return {
    'mean gain over rounding:': float((rounding - mixed).mean()),
    'greatest loss against linear:': float((mixed - linear).max()),
  }, ((rounding - mixed).mean() > 0 and (mixed - linear).max() > 0.05)


STATEMENTS = (
  Statement('4.4.2', "STE: SUA's bias grows with alpha", _sua_bias),
  Statement('4.4.2', "STE: SRA's bias hardly depends on alpha", _sra_bias),
  Statement('4.4.2', 'STE: the bias is smaller at a larger scale', _bias_by_scale),
  Statement('4.4.2', "STE's greatest bias grows with the networks", _network),
  Statement('4.4.2', 'SR: the expected gradient always beats STE', _expected_beats_ste),
  Statement('4.4.2', '... by more with non-linear transforms', _gap_by_transform),
  Statement('4.4.2', '... and by more at low rates', _gap_by_rate),
  Statement('4.4.2', 'linear transforms: rounding beats SR', _rounding_linear),
  Statement('4.4.2', 'non-linear transforms: rounding is extremely poor', _rounding_residual),
  Statement('4.4.2', '... and MIX slightly better, but fails too', _mix),
  Statement('4.4.3', "PGE: SUA's variance grows rapidly with alpha", _pge_variance),
  Statement('4.4.3', 'STE lowers the variance', _ste_variance),
  Statement('4.4.3', 'the variance is smaller at a larger scale', _variance_by_scale),
  Statement('4.4.3', "STE: SRA's variance is above SUA's", _sra_variance),
)
