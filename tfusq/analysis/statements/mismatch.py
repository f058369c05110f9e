"""Statements of Sec. 4.2 and 4.3, on train-test mismatch, and the figures that bear on them."""

import math

import numpy as np

from tfusq.analysis.statements.recorded import Statement, falls

# The surrogates at the paper's temperatures; the studies that are read must have them.
SUBJECTS = (
  'Round',
  'AUN',
  'UQi',
  'UQs',
  'SHA(alpha=5)',
  'SGA(tau=0.1)',
  'SGA(tau=0.5)',
  'SUA(alpha=1)',
  'SUA(alpha=5)',
  'SUA(alpha=10)',
  'SUAn(alpha=1)',
  'SUAn(alpha=5)',
  'SUAn(alpha=10)',
  'SR',
  'SRA(alpha=1)',
  'SRA(alpha=5)',
  'SRA(alpha=10)',
)


def _over_scale(study: str, key: str, **fixed):
  """Returns the function from figures and a surrogate to scales and a figure."""

  def curve(figures, surrogate):
    return figures.curve(study, key, 'scale', surrogate=surrogate, **fixed)

  return curve


_information = _over_scale('information', 'difference', mean=0.0)
_distortion = _over_scale('distortion', 'relative')
_rate = {mean: _over_scale('rate', 'difference', mean=mean) for mean in (0.0, 0.5)}
_best_scale = {mean: _over_scale('rate', 'best_scale_ratio', mean=mean) for mean in (0.0, 0.5)}
_SMALL, _LARGE = 0.3, 2.0


def _greatest(curve, figures, surrogate, low=0.0, high=math.inf):
  """Returns the greatest size of a figure where the scale is in a range."""
  scales, values = curve(figures, surrogate)
  return float(np.nanmax(np.abs(values[(scales >= low) & (scales <= high)])))


def _away(curve, figures, surrogate, low=0.0, high=math.inf):
  """The same of a ratio's distance from 1."""
  return _greatest(lambda *of: (curve(*of)[0], curve(*of)[1] - 1), figures, surrogate, low, high)


def _by_temperature(of, surrogate, temperatures=(1, 5, 10)):
  """Returns a measure whose figures must fall with the temperature."""

  def measure(figures):
    found = {
      f'alpha {value}:': of(figures, f'{surrogate}(alpha={value})') for value in temperatures
    }
    return found, falls(found.values())

  return measure


def _sha_information(figures):
  _, values = figures.curve(
    'information', 'information', 'scale', mean=0.0, surrogate='SHA(alpha=5)'
  )
  return {'least I:': values.min()}, bool(np.isinf(values).all())


def _aun_information(figures):
  small = _greatest(_information, figures, 'AUN', high=_SMALL)
  large = _greatest(_information, figures, 'AUN', low=1.0)
  return {'scale <= 0.3:': small, 'scale >= 1:': large}, small > 0.1 and large < 0.01


def _sr_information(figures):
  scales, values = _information(figures, 'SR')
  return {'at scale 4:': values[-1]}, values[-1] < -0.5


def _sha_distortion(figures):
  greatest = _greatest(_distortion, figures, 'SHA(alpha=5)')
  return {"at most, of rounding's:": greatest}, greatest < 0.1


def _aun_distortion(figures):
  small, large = (
    _away(_distortion, figures, 'AUN', *where) for where in ((0.0, _SMALL), (1.0, math.inf))
  )
  return {'scale <= 0.3:': small, 'scale >= 1:': large}, small > 0.1 and large < 0.02


def _uqi_distortion(figures):
  _, aun = _distortion(figures, 'AUN')
  _, uqi = _distortion(figures, 'UQi')
  apart = float(np.abs(aun - uqi).max())
  return {'greatest difference:': apart}, apart < 0.02


def _denoiser(figures):
  sua, without = (
    _away(_distortion, figures, f'{name}(alpha=10)', low=1.0) for name in ('SUA', 'SUAn')
  )
  return {'SUA:': sua, 'SUA-n:': without}, without > 2 * sua


def _sga_distortion(figures):
  least = min(
    float(np.abs(_distortion(figures, f'SGA(tau={tau:g})')[1] - 1).min()) for tau in (0.1, 0.5)
  )
  return {'least distance:': least}, least > 0.05


def _sr_distortion(figures):
  _, values = _distortion(figures, 'SR')
  return {'at scale 4:': values[-1], 'median distance:': float(np.median(np.abs(values - 1)))}, (
    values[-1] > 1.5 and float(np.median(np.abs(values - 1))) > 0.1
  )


def _noise_after_rounding(figures):
  (row,) = figures.rows('distortion_temperature', surrogate='NoisyRound')
  return {'trained:': row['relative'], 'ideal:': row['ideal_relative']}, (
    row['relative'] > 1.1 and abs(row['ideal_relative'] - 1) < 0.02
  )


def _pairs(figures, surrogate):
  _, values = figures.curve('distortion_of_pairs', 'relative', 'correlation', surrogate=surrogate)
  return values


def _common_noise(figures):
  uqi, uqs, sua = (_pairs(figures, name)[-1] for name in ('UQi', 'UQs', 'SUA(alpha=10)'))
  return {'UQ-i:': uqi, 'SUA10:': sua, 'UQ-s:': uqs}, uqi < 0.7 and sua < 0.9 and abs(
    uqs - 1
  ) < 0.03


def _sha_rate(figures):
  return {
    'estimated less true:': _greatest(_rate[0.5], figures, 'SHA(alpha=5)', high=_SMALL),
    'best scale off by:': _away(_best_scale[0.5], figures, 'SHA(alpha=5)', high=_SMALL),
  }, (_greatest(_rate[0.5], figures, 'SHA(alpha=5)', high=_SMALL) > 0.1)


def _sga_rate(figures):
  error, aun = (
    max(_greatest(_rate[mean], figures, name) for mean in (0.0, 0.5))
    for name in ('SGA(tau=0.1)', 'AUN')
  )
  best = max(_away(_best_scale[mean], figures, 'SGA(tau=0.1)') for mean in (0.0, 0.5))
  return {'SGA:': error, 'AUN:': aun, 'best scale off by:': best}, error < 0.7 * aun and best > 0.5


def _aun_rate(figures):
  error = _greatest(_rate[0.0], figures, 'AUN', high=_SMALL)
  best = max(_away(_best_scale[mean], figures, 'AUN') for mean in (0.0, 0.5))
  return {'scale <= 0.3:': error, 'best scale off by:': best}, error > 0.1 and best < 0.02


def _sua_rate(figures):
  aun, sua = (
    max(_greatest(_rate[mean], figures, name) for mean in (0.0, 0.5))
    for name in ('AUN', 'SUA(alpha=10)')
  )
  best = max(_away(_best_scale[mean], figures, 'SUA(alpha=10)') for mean in (0.0, 0.5))
  return {'AUN:': aun, 'SUA10:': sua, 'best scale off by:': best}, sua < 0.7 * aun and best < 0.02


def _sua_n_rate(figures):
  error = _greatest(_rate[0.5], figures, 'SUAn(alpha=5)', high=_SMALL)
  best, sua = (
    max(_away(_best_scale[mean], figures, name) for mean in (0.0, 0.5))
    for name in ('SUAn(alpha=5)', 'SUA(alpha=5)')
  )
  return {'scale <= 0.3:': error, 'best scale off by:': best, 'of SUA:': sua}, (
    error > 0.1 and best > 2 * sua
  )


def _sr_rate(figures):
  _, values = _rate[0.0](figures, 'SR')
  sra = _greatest(_rate[0.0], figures, 'SRA(alpha=10)')
  share = float((values > 1e-3).mean())
  return {
    'share of scales above:': share,
    'SR at most:': float(values.max()),
    'SRA10 at most:': sra,
  }, share > 0.8 and sra < 0.5 * float(values.max())


def _pair_rates(figures):
  found = {
    name: figures.curve('rate_of_pairs', 'difference', 'correlation', surrogate=name)[1][-1]
    for name in ('AUN', 'UQi', 'SUA(alpha=10)', 'UQs')
  }
  return {f'{name}:': value for name, value in found.items()}, (
    min(found['AUN'], found['UQi']) > 0.1
    and abs(found['UQs']) < abs(found['SUA(alpha=10)']) < found['AUN']
  )


def _small_scales(figures):
  names = [name for name in SUBJECTS if name != 'Round']
  larger = [
    _greatest(_rate[0.0], figures, name, high=_SMALL)
    > _greatest(_rate[0.0], figures, name, low=_LARGE)
    for name in names
  ]
  return {'surrogates of which it is so:': sum(larger), 'of': len(larger)}, (
    sum(larger) >= 0.85 * len(larger)
  )


STATEMENTS = (
  Statement('4.2.1', 'SHA loses no information', _sha_information),
  Statement(
    '4.2.1',
    "AUN's excess is negligible at large scales, substantial at small ones",
    _aun_information,
  ),
  Statement('4.2.1', 'SR carries far less than rounding at large scales too', _sr_information),
  Statement(
    '4.2.1',
    "SUA's difference falls with alpha",
    _by_temperature(lambda figures, name: _greatest(_information, figures, name), 'SUA'),
  ),
  Statement(
    '4.2.1',
    "SRA's difference falls with alpha",
    _by_temperature(lambda figures, name: _greatest(_information, figures, name), 'SRA'),
  ),
  Statement('4.2.2', "SHA's distortion is almost zero", _sha_distortion),
  Statement('4.2.2', "AUN's error is large at small scales and vanishes", _aun_distortion),
  Statement('4.2.2', "UQ-i's distortion is AUN's", _uqi_distortion),
  Statement(
    '4.2.2',
    "SUA's error falls with alpha",
    _by_temperature(lambda figures, name: _away(_distortion, figures, name), 'SUA'),
  ),
  Statement(
    '4.2.2',
    "at small scales SUA-n's error falls with alpha",
    _by_temperature(lambda figures, name: _away(_distortion, figures, name, high=_SMALL), 'SUAn'),
  ),
  Statement('4.2.2', 'a network does not do the denoising that SUA has and SUA-n lacks', _denoiser),
  Statement('4.2.2', "SGA's distortion always differs from rounding", _sga_distortion),
  Statement(
    '4.2.2', "SR's error is large in most cases, beyond rounding at large scales", _sr_distortion
  ),
  Statement(
    '4.2.2',
    "SRA's error falls with alpha",
    _by_temperature(lambda figures, name: _away(_distortion, figures, name, low=1.0), 'SRA'),
  ),
  Statement(
    '4.2.2',
    'noise after rounding costs a network what it costs no ideal decoder',
    _noise_after_rounding,
  ),
  Statement(
    '4.2.2', 'of equal components, UQ-i (and SUA) see too little, UQ-s does not', _common_noise
  ),
  Statement('4.3', 'SHA between integers: large error at small scales', _sha_rate),
  Statement('4.3', 'SGA: smaller error than AUN, but the best scale far off', _sga_rate),
  Statement('4.3', 'AUN: large error at small scales (mean 0), best scale right', _aun_rate),
  Statement('4.3', 'SUA: much smaller error, best scale right', _sua_rate),
  Statement(
    '4.3', 'SUA-n: large error at small scales, best scale further off than SUA', _sua_n_rate
  ),
  Statement('4.3', 'SR estimates too much in most cases (mean 0), SRA much less so', _sr_rate),
  Statement('4.3', 'correlated pairs: AUN and UQ-i far off, SUA better, UQ-s best', _pair_rates),
  Statement('4.3', 'for almost all surrogates the error is larger at small scales', _small_scales),
)
