import numpy as np
import pytest
import tensorflow as tf

import tfusq
from conftest import IMAGES, make_codec
from tfusq.analysis import scales
from tfusq.analysis.studies import AnalysisError


def test_scales_are_those_of_the_rounded_latents_parameters(trained, photograph):
  image = photograph[:128, :192]
  found = scales.scales_of(trained, image)
  (z, _), (y, parameters) = trained.entropy_parameters(
      tf.image.convert_image_dtype(image, tf.float32)[None])
  assert (z.latent, y.latent) == ('z', 'y')
  assert found == pytest.approx(np.ravel(parameters.scale))
  assert len(found) == 8 * 12 * trained.model.entropy_models['y'].channels // 2 * 12
  assert found.min() >= .11 * (1 - 1e-6)


def test_a_codec_is_called_by_its_quantizers_bound_and_lambda(trained):
  assert scales.name_of(trained) == 'SUA+EP | SUA+STE, bound 0.11, lambda 0.05'


def test_the_share_at_the_bound_is_counted():
  codecs = []
  for bound in (1e-4, .5, 20.):
    codec = make_codec(bound=bound)
    codec.create()
    codecs.append(scales.Subject(f'{bound}', codec))
  quantiles, histograms = scales.run(codecs, str(IMAGES / 'heldout'), 1)
  at_bound = [row['at_bound'] for row in quantiles.rows]
  assert at_bound[0] == 0 and at_bound[2] == 1 and at_bound == sorted(at_bound)
  assert quantiles.rows[2]['percentile_50'] == pytest.approx(20., rel=1e-5)
  for name in ('0.0001', '0.5', '20.0'):
    shares = [row['share'] for row in histograms.rows if row['codec'] == name]
    assert sum(shares) == pytest.approx(1)
  assert quantiles.figure.axes[0].get_xlabel() == 'estimated scale'


def test_codecs_of_one_name_are_told_apart():
  codec = make_codec()
  codec.create()
  quantiles, histograms = scales.run(
      [scales.Subject('name', codec)] * 2, str(IMAGES / 'heldout'), 1)
  assert [row['codec'] for row in quantiles.rows] == ['name', 'name, number 2']
  assert {row['codec'] for row in histograms.rows} == {'name', 'name, number 2'}


def test_an_entropy_model_without_a_bound_is_refused():
  class Other(tfusq.Gaussian):
    """Another kind, which has scales of its own."""

  codec = make_codec(entropy_model=Other())
  del codec.model.entropy_models['y'].bound
  with pytest.raises(AnalysisError, match='Other has no bounded scale'):
    scales.run([scales.Subject('name', codec)], str(IMAGES / 'heldout'), 1)
