import numpy as np
import pytest
import tensorflow as tf

import tfusq
from making import IMAGES, make_codec
from tfusq.analysis.studies import scales
from tfusq.analysis.study import AnalysisError


def test_scales_are_those_of_the_rounded_latents_parameters(trained, photograph):
  image = photograph[:128, :192]
  found = scales.scales_of(trained, image)
  (z, _), (y, parameters) = trained.entropy_parameters(
    tf.image.convert_image_dtype(image, tf.float32)[None]
  )
  assert (z.latent, y.latent) == ('z', 'y')
  assert found == pytest.approx(np.ravel(parameters.scale))
  assert len(found) == 8 * 12 * trained.model.entropy_models['y'].channels // 2 * 12
  assert found.min() >= 0.11 * (1 - 1e-6)


def test_quantizers_are_those_of_rate_and_distortion(trained):
  assert scales.quantizers_of(trained) == 'SUA+EP | SUA+STE'


def test_the_share_at_the_bound_is_counted():
  codecs = []
  for bound in (1e-4, 0.5, 20.0):
    codec = make_codec(bound=bound)
    codec.create()
    codecs.append(codec)
  quantiles, histograms = scales.measure(codecs, str(IMAGES / 'heldout'), 1)
  at_bound = [row['at_bound'] for row in quantiles.rows]
  assert at_bound[0] == 0 and at_bound[2] == 1 and at_bound == sorted(at_bound)
  assert quantiles.rows[2]['percentile_50'] == pytest.approx(20.0, rel=1e-5)
  for number in (1, 2, 3):
    shares = [row['share'] for row in histograms.rows if row['codec'] == number]
    assert sum(shares) == pytest.approx(1)
  assert quantiles.figure.axes[0].get_xlabel() == 'estimated scale'


def test_a_picture_has_a_panel_for_each_pair_of_quantizers():
  noise = tfusq.Quantizer(tfusq.AUN(), tfusq.PGE())
  codecs = [make_codec(), make_codec(rate=noise, distortion=noise), make_codec(bound=0.5)]
  for codec in codecs:
    codec.create()
  quantiles, histograms = scales.measure([*codecs, codecs[0]], str(IMAGES / 'heldout'), 1)
  first, second = quantiles.figure.axes
  assert (first.get_title(), second.get_title()) == ('SUA+EP | SUA+STE', 'AUN+PGE | AUN+PGE')
  assert (len(first.lines), len(second.lines)) == (3, 1)
  (legend,) = quantiles.figure.legends
  lmbda = f'lambda {codecs[0].lmbda:g}'
  assert [text.get_text() for text in legend.get_texts()] == [
    f'bound 0.11, {lmbda}',
    f'bound 0.5, {lmbda}',
    f'bound 0.11, {lmbda}, codec 4',
  ]
  assert first.lines[0].get_color() == second.lines[0].get_color()
  assert {row['codec'] for row in histograms.rows} == {1, 2, 3, 4}


def test_scales_that_are_not_finite_are_refused():
  codec = make_codec()
  codec.create()
  for variable in codec.model.hyper_synthesis.trainable_variables:
    variable.assign(tf.fill(variable.shape, np.nan))
  with pytest.raises(AnalysisError, match='codec 1 estimates scales that are not finite'):
    scales.measure([codec], str(IMAGES / 'heldout'), 1)


def test_an_entropy_model_without_a_bound_is_refused():
  class Other(tfusq.Gaussian):
    """Another kind, which has scales of its own."""

  codec = make_codec(entropy_model=Other())
  del codec.model.entropy_models['y'].bound
  with pytest.raises(AnalysisError, match='Other has no bounded scale'):
    scales.measure([codec], str(IMAGES / 'heldout'), 1)
