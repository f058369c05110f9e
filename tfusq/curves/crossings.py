"""Where two rate-distortion curves cross, and which of them needs fewer bits on either side."""

from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

# Points at which the curves are compared between two neighbouring points of either.
_SAMPLES = 32
# Differences of log rate that are no more than rounding errors.
_EQUAL = 1e-9


class Crossing(NamedTuple):
  """A quality at which two curves need equal rates.

  Attributes:
    quality: The quality, dB.
    rate: Rate of both there.
    better_below: Whether the tested curve needs fewer bits just below it, and more above.
  """

  quality: float
  rate: float
  better_below: bool


def find(
  anchor_rates: np.ndarray,
  anchor_qualities: np.ndarray,
  rates: np.ndarray,
  qualities: np.ndarray,
) -> list[Crossing]:
  """Returns where curves cross within the qualities that both reach, by increasing quality.

  Between points the logarithms of the rates are interpolated by pchip, as for the BD-rate.

  Args:
    anchor_rates: Anchor's rates, positive.
    anchor_qualities: Anchor's qualities, strictly ascending.
    rates: Tested curve's rates, positive.
    qualities: Tested curve's qualities, strictly ascending.
  """
  anchor = PchipInterpolator(anchor_qualities, np.log(anchor_rates))
  test = PchipInterpolator(qualities, np.log(rates))

  def difference(quality):
    return test(quality) - anchor(quality)

  low = max(anchor_qualities[0], qualities[0])
  high = min(anchor_qualities[-1], qualities[-1])
  knots = np.unique(np.clip(np.concatenate([anchor_qualities, qualities]), low, high))
  positions = np.arange(_SAMPLES * (len(knots) - 1) + 1) / _SAMPLES
  samples = np.interp(positions, np.arange(len(knots)), knots)

  # Where the curves touch or coincide, neither needs fewer bits.
  differences = difference(samples)
  apart = np.abs(differences) > _EQUAL
  samples = samples[apart]
  signs = np.sign(differences[apart])

  crossings = []
  for index in np.flatnonzero(signs[1:] != signs[:-1]):
    quality = float(brentq(difference, samples[index], samples[index + 1]))
    crossings.append(Crossing(quality, float(np.exp(anchor(quality))), bool(signs[index] < 0)))
  return crossings


def describe(crossings: list[Crossing], rate: str) -> str:
  """Returns crossings in words; empty if there are none.

  Args:
    crossings: Crossings by increasing quality.
    rate: Name of the rate.
  """
  if not crossings:
    return ''

  parts = []
  for crossing in crossings:
    bits = _bits(crossing.better_below)
    parts.append(f'{bits} up to {crossing.quality:.2f} dB ({rate} {crossing.rate:.4f})')
  return f'{", ".join(parts)}, {_bits(not crossings[-1].better_below)} above'


def _bits(is_better: bool) -> str:
  return 'fewer bits' if is_better else 'more bits'
