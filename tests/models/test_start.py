"""A model that starts from data has, everywhere, the scales that its latents have on average."""

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from making import SMALLEST, build_small, make_patches
from tfusq import transforms
from tfusq.models import RawLayers


@pytest.fixture(scope='module')
def images():
  return np.stack([make_patches().patch(index) for index in range(4)]).astype(np.float32) / 255


def means_of(codec, images):
  latents = codec.model.latents(tf.constant(images))
  return {name: np.abs(y).mean((0, 1, 2)) for name, y in latents.items()}


@pytest.mark.parametrize('model', ['ms_hyper', 'ms_context', 'cheng_anchor', 'charm', 'elic_zero'])
def test_scales_begin_at_the_mean_absolute_coefficients(model, images):
  sizes = next(sizes for family, sizes in SMALLEST.items() if model.startswith(family))
  name = sizes[0].split('.')[0]
  codec = build_small(model, f'{name}.entropy_model = @Laplacian()', 'Laplacian.bound = 1e-6')
  codec.model.initialize_from_data(images)

  expected = means_of(codec, images)['y']
  found = np.zeros_like(expected)
  for part, parameters in codec.entropy_parameters(tf.constant(images)):
    if part.latent == 'y':
      # Of all positions and images one value.
      assert np.ptp(parameters.scale, (0, 1, 2)).max() == 0 and not np.any(parameters.mean)
      found[part.channels] = parameters.scale[0, 0, 0]
  np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_components_of_a_mixture_are_an_octave_apart(images):
  codec = build_small('charm', 'Charm.entropy_model = @GaussianMixture()')
  codec.model.initialize_from_data(100 * images)
  expected = means_of(codec, 100 * images)['y']
  for part, parameters in codec.entropy_parameters(tf.constant(images)):
    if part.latent == 'y':
      octaves = expected[part.channels, None] * [0.5, 1, 2]
      np.testing.assert_allclose(parameters[2][0, 0, 0], np.log(np.maximum(octaves, 0.11)), 1e-4)


def test_the_hyperlatents_density_begins_as_wide_as_the_hyperlatent():
  model = tfusq.Factorized()
  model.build(3)
  expected = np.array([0.25, 3.0, 20.0])
  model.initialize_from_data(expected)

  # The mean absolute deviation from the median is the integral of the smaller tail.
  y = np.linspace(-500, 500, 100_001, dtype=np.float32)[:, None]
  below, above = np.exp(model.density.log_cdf(y)), np.exp(model.density.log_survival(y))
  np.testing.assert_allclose(np.minimum(below, above).sum(0) * 0.01, expected, rtol=1e-3)


def test_a_layer_that_is_none_of_the_package_is_refused(images):
  class Foreign(tfusq.MSHyper):
    def raw_layers(self):
      return [RawLayers(slice(None), [transforms.leaky()])]

  model = Foreign(tfusq.Gaussian(), tfusq.Factorized(), 4, 6)
  with pytest.raises(TypeError, match='must come from a layer of tfusq.transforms'):
    model.initialize_from_data(images)
