"""Each rule at its threshold, and rules together."""

import math

import pytest

from tfusq.analysis.studies import advice


def asks(diagnosis, words):
  """Returns whether a sentence has these words, and checks that no two sentences do."""
  sentences = [sentence for sentence in advice.recommend(diagnosis) if words in sentence]
  assert len(sentences) <= 1
  return bool(sentences)


def test_where_nothing_is_wrong_nothing_is_asked(make_diagnosis):
  assert advice.recommend(make_diagnosis()) == []


@pytest.mark.parametrize(
  'name, threshold, others, words',
  [
    ('distortion_mismatch', advice.GREATEST_MISMATCH, {}, 'train a post stage'),
    ('rate_mismatch', advice.GREATEST_MISMATCH, {}, 'anneal further'),
    ('rate_mismatch', advice.GREATEST_MISMATCH, {'rate_temperature': math.nan}, 'such as SUA'),
    (
      'rate_mismatch',
      advice.GREATEST_MISMATCH,
      {'bound': 1e-6, 'small': 0.5},
      'raise the bound',
    ),
    ('distortion_noise', advice.GREATEST_NOISE, {}, 'take STE in place of PGE'),
    ('at_bound', advice.GREATEST_BOUND_SHARE, {}, 'lower the bound'),
  ],
)
def test_each_rule_has_its_threshold(make_diagnosis, name, threshold, others, words):
  assert asks(make_diagnosis(**{name: 1.01 * threshold}, **others), words)
  assert advice.recommend(make_diagnosis(**{name: 0.99 * threshold}, **others)) == []


def test_rules_do_not_ask_for_more_and_less_at_once(make_diagnosis):
  held = make_diagnosis(rate_mismatch=0.05, bound=0.05, small=1.0, at_bound=1.0)
  assert asks(held, 'raise the bound') and not asks(held, 'lower the bound')
  noisy = make_diagnosis(rate_mismatch=0.05, distortion_noise=9.0)
  assert not asks(noisy, 'anneal further') and asks(noisy, 'rate is +5.0 % off')
  assert asks(make_diagnosis(estimator='STE', distortion_noise=9.0), 'a surrogate of less noise')


def test_the_nearest_temperature_within_the_threshold_is_named(make_diagnosis, make_state):
  ladder = [
    make_state(temperature=1.0),
    make_state(temperature=3.0, distortion_noise=2.0),
    make_state(temperature=5.0, distortion_noise=9.0),
  ]
  diagnosis = make_diagnosis(ladder, distortion_noise=9.0)
  assert asks(diagnosis, 'the temperature of 5 is too far; at 3 the same networks have 2')


def test_a_term_without_temperature_is_not_cooled(make_diagnosis, make_state):
  ladder = [make_state(temperature=math.nan, rate_temperature=value) for value in (1.0, 5.0)]
  diagnosis = make_diagnosis(ladder, temperature=math.nan, distortion_noise=9.0)
  assert asks(diagnosis, 'take STE in place of PGE')
