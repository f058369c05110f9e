"""Statements of Sec. 4.2 and 4.3, on train-test mismatch."""

import math
from collections.abc import Callable

import numpy as np

from tfusq.analysis.statements.recorded import RecordedStudies, Statement, falls

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


# Curves are functions from recorded studies and a surrogate to scales and values at them.
_Curve = Callable[[RecordedStudies, str], tuple[np.ndarray, np.ndarray]]
# What a statement measures by name, and whether it holds.
_Evidence = tuple[dict[str, float], bool]

# Scales up to the one and from the other are "small" and "large" where a statement says no more.
_SMALL, _LARGE = 0.3, 2.0
_MEANS = (0.0, 0.5)


def _over_scale(study: str, column: str, **coordinates) -> _Curve:
  def curve(recorded, surrogate):
    return recorded.curve(study, column, 'scale', surrogate=surrogate, **coordinates)

  return curve


_information = _over_scale('information', 'difference', mean=0.0)
_distortion = _over_scale('distortion', 'relative')
_rate = {mean: _over_scale('rate', 'difference', mean=mean) for mean in _MEANS}
_best_scale = {mean: _over_scale('rate', 'best_scale_ratio', mean=mean) for mean in _MEANS}


def _greatest(curve, recorded, surrogate, low=0.0, high=math.inf):
  """Returns the greatest absolute value of a curve where the scale is in a range."""
  scales, values = curve(recorded, surrogate)
  in_range = (scales >= low) & (scales <= high)
  return float(np.nanmax(np.abs(values[in_range])))


def _greatest_from_one(curve, recorded, surrogate, low=0.0, high=math.inf):
  """Returns the greatest distance from 1 of a curve of ratios, where the scale is in a range."""

  def distance(recorded, surrogate):
    scales, ratios = curve(recorded, surrogate)
    return scales, ratios - 1

  return _greatest(distance, recorded, surrogate, low, high)


def _rate_error(recorded, surrogate):
  """Returns the greatest error of the estimated rate over all scales and means."""
  return max(_greatest(_rate[mean], recorded, surrogate) for mean in _MEANS)


def _best_scale_error(recorded, surrogate):
  """Returns how far the model's best scale is from the latent's at most, relative to it."""
  return max(_greatest_from_one(_best_scale[mean], recorded, surrogate) for mean in _MEANS)


def _falls_with_alpha(surrogate: str, measure, curve: _Curve, **scale_range):
  """Returns a statement's measure: that a number falls as the temperature of a surrogate rises."""

  def evidence(recorded):
    measured = {}
    for alpha in (1, 5, 10):
      name = f'{surrogate}(alpha={alpha})'
      measured[f'alpha {alpha}:'] = measure(curve, recorded, name, **scale_range)
    return measured, falls(measured.values())

  return evidence


def _sha_information(recorded: RecordedStudies) -> _Evidence:
  _, values = recorded.curve(
    'information', 'information', 'scale', mean=0.0, surrogate='SHA(alpha=5)'
  )
  return {'least I:': values.min()}, bool(np.isinf(values).all())


def _aun_information(recorded: RecordedStudies) -> _Evidence:
  small = _greatest(_information, recorded, 'AUN', high=_SMALL)
  large = _greatest(_information, recorded, 'AUN', low=1.0)
  return {'scale <= 0.3:': small, 'scale >= 1:': large}, small > 0.1 and large < 0.01


def _sr_information(recorded: RecordedStudies) -> _Evidence:
  _, values = _information(recorded, 'SR')
  at_greatest = float(values[-1])
  return {'at scale 4:': at_greatest}, at_greatest < -0.5


def _sha_distortion(recorded: RecordedStudies) -> _Evidence:
  greatest = _greatest(_distortion, recorded, 'SHA(alpha=5)')
  return {"at most, of rounding's:": greatest}, greatest < 0.1


def _aun_distortion(recorded: RecordedStudies) -> _Evidence:
  small = _greatest_from_one(_distortion, recorded, 'AUN', high=_SMALL)
  large = _greatest_from_one(_distortion, recorded, 'AUN', low=1.0)
  return {'scale <= 0.3:': small, 'scale >= 1:': large}, small > 0.1 and large < 0.02


def _uqi_distortion(recorded: RecordedStudies) -> _Evidence:
  _, aun = _distortion(recorded, 'AUN')
  _, uqi = _distortion(recorded, 'UQi')
  difference = float(np.abs(aun - uqi).max())
  return {'greatest difference:': difference}, difference < 0.02


def _denoiser(recorded: RecordedStudies) -> _Evidence:
  sua = _greatest_from_one(_distortion, recorded, 'SUA(alpha=10)', low=1.0)
  without_denoiser = _greatest_from_one(_distortion, recorded, 'SUAn(alpha=10)', low=1.0)
  return {'SUA:': sua, 'SUA-n:': without_denoiser}, without_denoiser > 2 * sua


def _sga_distortion(recorded: RecordedStudies) -> _Evidence:
  distances = []
  for surrogate in ('SGA(tau=0.1)', 'SGA(tau=0.5)'):
    _, ratios = _distortion(recorded, surrogate)
    distances.append(float(np.abs(ratios - 1).min()))
  least = min(distances)
  return {'least distance:': least}, least > 0.05


def _sr_distortion(recorded: RecordedStudies) -> _Evidence:
  _, ratios = _distortion(recorded, 'SR')
  at_greatest = float(ratios[-1])
  median = float(np.median(np.abs(ratios - 1)))
  measured = {'at scale 4:': at_greatest, 'median distance:': median}
  return measured, at_greatest > 1.5 and median > 0.1


def _noise_after_rounding(recorded: RecordedStudies) -> _Evidence:
  (row,) = recorded.rows('distortion_temperature', surrogate='NoisyRound')
  trained, ideal = row['relative'], row['ideal_relative']
  return {'trained:': trained, 'ideal:': ideal}, trained > 1.1 and abs(ideal - 1) < 0.02


def _at_greatest_correlation(recorded, study, column, surrogate):
  _, values = recorded.curve(study, column, 'correlation', surrogate=surrogate)
  return float(values[-1])


def _common_noise(recorded: RecordedStudies) -> _Evidence:
  study = 'distortion_of_pairs'
  uqi = _at_greatest_correlation(recorded, study, 'relative', 'UQi')
  uqs = _at_greatest_correlation(recorded, study, 'relative', 'UQs')
  sua = _at_greatest_correlation(recorded, study, 'relative', 'SUA(alpha=10)')
  holds = uqi < 0.7 and sua < 0.9 and abs(uqs - 1) < 0.03
  return {'UQ-i:': uqi, 'SUA10:': sua, 'UQ-s:': uqs}, holds


def _sha_rate(recorded: RecordedStudies) -> _Evidence:
  error = _greatest(_rate[0.5], recorded, 'SHA(alpha=5)', high=_SMALL)
  best_scale = _greatest_from_one(_best_scale[0.5], recorded, 'SHA(alpha=5)', high=_SMALL)
  return {'estimated minus true:': error, 'best scale off by:': best_scale}, error > 0.1


def _sga_rate(recorded: RecordedStudies) -> _Evidence:
  sga = _rate_error(recorded, 'SGA(tau=0.1)')
  aun = _rate_error(recorded, 'AUN')
  best_scale = _best_scale_error(recorded, 'SGA(tau=0.1)')
  measured = {'SGA:': sga, 'AUN:': aun, 'best scale off by:': best_scale}
  return measured, sga < 0.7 * aun and best_scale > 0.5


def _aun_rate(recorded: RecordedStudies) -> _Evidence:
  error = _greatest(_rate[0.0], recorded, 'AUN', high=_SMALL)
  best_scale = _best_scale_error(recorded, 'AUN')
  measured = {'scale <= 0.3:': error, 'best scale off by:': best_scale}
  return measured, error > 0.1 and best_scale < 0.02


def _sua_rate(recorded: RecordedStudies) -> _Evidence:
  aun = _rate_error(recorded, 'AUN')
  sua = _rate_error(recorded, 'SUA(alpha=10)')
  best_scale = _best_scale_error(recorded, 'SUA(alpha=10)')
  measured = {'AUN:': aun, 'SUA10:': sua, 'best scale off by:': best_scale}
  return measured, sua < 0.7 * aun and best_scale < 0.02


def _sua_n_rate(recorded: RecordedStudies) -> _Evidence:
  error = _greatest(_rate[0.5], recorded, 'SUAn(alpha=5)', high=_SMALL)
  without_denoiser = _best_scale_error(recorded, 'SUAn(alpha=5)')
  sua = _best_scale_error(recorded, 'SUA(alpha=5)')
  measured = {'scale <= 0.3:': error, 'best scale off by:': without_denoiser, 'of SUA:': sua}
  return measured, error > 0.1 and without_denoiser > 2 * sua


def _sr_rate(recorded: RecordedStudies) -> _Evidence:
  _, errors = _rate[0.0](recorded, 'SR')
  share = float((errors > 1e-3).mean())
  greatest = float(errors.max())
  sra = _greatest(_rate[0.0], recorded, 'SRA(alpha=10)')
  measured = {'share of scales above:': share, 'SR at most:': greatest, 'SRA10 at most:': sra}
  return measured, share > 0.8 and sra < 0.5 * greatest


def _pair_rates(recorded: RecordedStudies) -> _Evidence:
  study = 'rate_of_pairs'
  aun = _at_greatest_correlation(recorded, study, 'difference', 'AUN')
  uqi = _at_greatest_correlation(recorded, study, 'difference', 'UQi')
  sua = _at_greatest_correlation(recorded, study, 'difference', 'SUA(alpha=10)')
  uqs = _at_greatest_correlation(recorded, study, 'difference', 'UQs')
  holds = min(aun, uqi) > 0.1 and abs(uqs) < abs(sua) < aun
  return {'AUN:': aun, 'UQi:': uqi, 'SUA(alpha=10):': sua, 'UQs:': uqs}, holds


def _small_scales(recorded: RecordedStudies) -> _Evidence:
  surrogates = [name for name in SUBJECTS if name != 'Round']
  count = 0
  for surrogate in surrogates:
    at_small = _greatest(_rate[0.0], recorded, surrogate, high=_SMALL)
    at_large = _greatest(_rate[0.0], recorded, surrogate, low=_LARGE)
    count += at_small > at_large
  measured: dict[str, float] = {'surrogates that satisfy it:': count, 'of': len(surrogates)}
  # "Almost all".
  return measured, count >= 0.85 * len(surrogates)


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
    _falls_with_alpha('SUA', _greatest, _information),
  ),
  Statement(
    '4.2.1',
    "SRA's difference falls with alpha",
    _falls_with_alpha('SRA', _greatest, _information),
  ),
  Statement('4.2.2', "SHA's distortion is almost zero", _sha_distortion),
  Statement('4.2.2', "AUN's error is large at small scales and vanishes", _aun_distortion),
  Statement('4.2.2', "UQ-i's distortion is AUN's", _uqi_distortion),
  Statement(
    '4.2.2',
    "SUA's error falls with alpha",
    _falls_with_alpha('SUA', _greatest_from_one, _distortion),
  ),
  Statement(
    '4.2.2',
    "at small scales SUA-n's error falls with alpha",
    _falls_with_alpha('SUAn', _greatest_from_one, _distortion, high=_SMALL),
  ),
  Statement('4.2.2', 'a network does not do the denoising that SUA has and SUA-n lacks', _denoiser),
  Statement('4.2.2', "SGA's distortion always differs from rounding", _sga_distortion),
  Statement(
    '4.2.2', "SR's error is large in most cases, beyond rounding at large scales", _sr_distortion
  ),
  Statement(
    '4.2.2',
    "SRA's error falls with alpha",
    _falls_with_alpha('SRA', _greatest_from_one, _distortion, low=1.0),
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
