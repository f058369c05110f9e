"""Trained syntheses compared with the ideal decoder."""

import numpy as np
import pytest

import tfusq
from tfusq.analysis import quadrature
from tfusq.analysis.synthesis import Source, Training, train


def test_a_trained_synthesis_comes_near_the_ideal_decoder():
  surrogates = (tfusq.Round(), tfusq.AUN(), tfusq.SUA(5.0), tfusq.SHA(5.0))
  sources = []
  for surrogate in surrogates:
    sources += [Source(surrogate, 0.2), Source(surrogate, 1.0)]
  errors = train(sources, Training(steps=600), 'test')
  assert errors.estimated.shape == (8, 2)
  for source, estimated in zip(sources, errors.estimated.mean(1)):
    if isinstance(source.surrogate, tfusq.SHA):  # invertible
      assert estimated < 0.1 * min(source.scale**2, 1 / 12)
    else:
      ideal = quadrature.mmse(quadrature.law(source.surrogate, 0.0, source.scale))
      assert estimated == pytest.approx(ideal, rel=0.03), source
  # A synthesis trained on rounding sees just that.
  assert errors.rounded[0] == pytest.approx(errors.estimated[0])


def test_pairs_with_common_noise_keep_their_distortion_and_others_do_not():
  sources = []
  for surrogate in (tfusq.UQs(), tfusq.UQi()):
    sources += [Source(surrogate, 1.0, 0.0), Source(surrogate, 1.0, 0.99)]
  apart, close, apart_i, close_i = train(sources, Training(steps=400), 'test').estimated.mean(1)
  assert apart == pytest.approx(apart_i, rel=0.04) and close_i < 0.85 * close


def test_a_source_is_trained_alike_with_one_seed():
  source = Source(tfusq.Round(), 0.5)
  training = Training(steps=20, repeats=1)
  first = train([source], training, 'test')
  again = train([source], training, 'test')
  np.testing.assert_array_equal(first.estimated, again.estimated)
  other_seed = train([source], training._replace(seed=1), 'test')
  assert first.estimated[0, 0] != other_seed.estimated[0, 0]
