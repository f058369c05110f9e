"""The picture of a run between mismatch and noise."""

import math

import pytest

from tfusq.analysis.studies import tradeoff
from tfusq.analysis.studies.diagnosis import Diagnosis


def test_the_picture_has_the_way_of_both_terms(make_state):
  diagnosis = Diagnosis(
    [
      make_state(step=10, rate_mismatch=0.5, rate_noise=0.0),
      make_state(step=20, rate_mismatch=0.01),
    ],
    [
      make_state(rate_temperature=1.0, distortion_noise=1e3),
      make_state(rate_temperature=5.0),
      make_state(rate_temperature=8.0),
    ],
    'STE',
  )
  study = tradeoff.study(diagnosis)
  assert [(row['at'], row['step']) for row in study.rows] == [
    ('checkpoint', 10),
    ('checkpoint', 20),
    *[('ladder', 10)] * 3,
  ]
  for axes in study.figure.axes:
    assert 'mismatch' in axes.get_xlabel()
    low, high = zip(axes.get_xlim(), axes.get_ylim())
    ways = [line.get_xydata() for line in axes.lines if line.get_marker() == 'o']
    assert [len(way) for way in ways] == [3, 2, 1]
    assert all((way > low).all() and (way < high).all() for way in ways)
  assert [text.get_text() for text in study.figure.axes[0].texts] == [
    'temperature 1',
    'temperature 8',
  ]


def test_what_is_beyond_the_picture_is_at_its_edge(make_state):
  diagnosis = Diagnosis(
    [make_state(distortion_noise=math.inf, rate_noise=math.nan), make_state(rate_mismatch=-0.3)],
    [],
    'STE',
  )
  rate, distortion = tradeoff.study(diagnosis).figure.axes
  assert distortion.lines[0].get_ydata()[0] < distortion.get_ylim()[1] < 1e4
  assert rate.lines[0].get_xdata()[1] == pytest.approx(30.0) and rate.get_xlim()[1] > 30


def test_a_term_without_temperature_has_no_ladder(make_diagnosis, make_state):
  ladder = [make_state(temperature=math.nan, rate_temperature=value) for value in (1.0, 5.0)]
  diagnosis = make_diagnosis(ladder, temperature=math.nan, distortion_noise=9.0)
  figure = tradeoff.study(diagnosis).figure
  rate, distortion = figure.axes
  assert [text.get_text() for text in rate.texts] == ['temperature 1', 'temperature 5']
  (legend,) = figure.legends
  assert [text.get_text() for text in legend.get_texts()] == [
    'the newest at other temperatures',
    'checkpoints',
    'the newest, step 10',
    'thresholds of the rules',
  ]
  assert rate.lines[1].get_color() == distortion.lines[0].get_color()
  assert not distortion.texts
