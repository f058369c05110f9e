"""Rules that say what to change in a training run, from its mismatch and its gradient noise."""

import numpy as np

from tfusq.analysis.studies.diagnosis import Diagnosis, State

# Largest relative mismatch of rate or distortion.
GREATEST_MISMATCH = 0.02
# Largest noise of the distortion's gradient, variance over squared mean. That of AUN is 2.
GREATEST_NOISE = 4.0
# A lower bound of scales below this is small: the paper's good range begins at 0.11 for Gaussians
# and at 0.08 for Laplacians.
SMALL_BOUND = 0.08
# Largest share of scales below 0.11.
GREATEST_SMALL_SHARE = 0.3
# Largest share of scales at the bound.
GREATEST_BOUND_SHARE = 0.95


def recommend(diagnosis: Diagnosis) -> list[str]:
  """Returns what to change, a sentence for each rule that the newest checkpoint breaks."""
  newest = diagnosis.checkpoints[-1]
  noisy = newest.distortion_noise > GREATEST_NOISE
  mismatched = abs(newest.rate_mismatch) > GREATEST_MISMATCH

  sentences = []
  if noisy:
    sentences.append(
      f'the gradient of the distortion has {newest.distortion_noise:.2g} times as much noise as '
      f'signal (more than {GREATEST_NOISE:g}): {_against_noise(diagnosis)}'
    )
  if mismatched:
    sentences.append(
      f'the training-time rate is {100 * newest.rate_mismatch:+.1f} % off (more than '
      f'{100 * GREATEST_MISMATCH:g} %): {_against_mismatch(newest, noisy)}'
    )
  if abs(newest.distortion_mismatch) > GREATEST_MISMATCH:
    sentences.append(
      f'the training-time distortion is {100 * newest.distortion_mismatch:+.1f} % off (more than '
      f'{100 * GREATEST_MISMATCH:g} %): train a post stage, or take rounding with STE for the '
      'distortion'
    )
  # Not where the rule of the mismatch asks for a higher bound.
  raises_bound = mismatched and _bound_is_small(newest)
  if newest.at_bound > GREATEST_BOUND_SHARE and not raises_bound:
    sentences.append(
      f'{100 * newest.at_bound:.0f} % of the scales are at the bound of {newest.bound:g} (more '
      f'than {100 * GREATEST_BOUND_SHARE:g} %), so that the entropy model hardly adapts: lower the '
      'bound, or raise lambda'
    )
  return sentences


def _against_noise(diagnosis: Diagnosis) -> str:
  newest = diagnosis.checkpoints[-1]

  def distance(state):
    return abs(state.temperature - newest.temperature)

  # A term without a temperature has the distance nan, and is not among these.
  quieter = []
  for state in diagnosis.ladder:
    if state.distortion_noise <= GREATEST_NOISE and distance(state) > 0:
      quieter.append(state)

  if quieter:
    nearest = min(quieter, key=distance)
    return (
      f'the temperature of {newest.temperature:.3g} is too far; at {nearest.temperature:.3g} '
      f'the same networks have {nearest.distortion_noise:.2g}'
    )
  if diagnosis.estimator != 'STE':
    return f'take STE in place of {diagnosis.estimator} for the distortion'
  return 'take a surrogate of less noise, or greater batches'


def _against_mismatch(newest: State, noisy: bool) -> str:
  if _bound_is_small(newest):
    return (
      f'{100 * newest.small:.0f} % of the scales are below 0.11, where no surrogate estimates '
      f'well: raise the bound from {newest.bound:g} to 0.11'
    )
  if np.isnan(newest.rate_temperature):
    return 'take an annealed surrogate such as SUA'
  # Annealing further would add to the noise.
  return 'train a post stage' if noisy else 'anneal further'


def _bound_is_small(state: State) -> bool:
  return state.bound < SMALL_BOUND and state.small > GREATEST_SMALL_SHARE
