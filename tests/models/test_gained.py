"""A model between gains, against the model itself and against NumPy."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import tfusq
from making import last_convolution, make_codec, make_patches, make_variable_codec
from tfusq.models import GainedModel, Gains
from tfusq.transforms import pad_to_multiple
from tfusq.transforms.pixels import from_uint8


def slices(*arguments):
  return tfusq.Charm(*arguments, slices=3)


def groups(*arguments):
  bottleneck = tfusq.Bottleneck(1, False)
  return tfusq.ELIC(*arguments, groups=(2, 4, 6), analysis=bottleneck, synthesis=bottleneck)


MODELS = {
  'MS-hyper': {},
  'Charm': {'model': slices},
  'ELIC': {'model': groups},
  'MS-context': {
    'model': tfusq.MSContext,
    'entropy_model': tfusq.GaussianMixture(2),
    'zero_centre': False,
  },
}


@pytest.fixture(params=MODELS)
def centred_model(request):
  codec = make_codec(**MODELS[request.param])
  last = last_convolution(codec.model.analysis)
  last.kernel.assign(30 * last.kernel)
  return codec.centred_model


@pytest.fixture(scope='module')
def x():
  return from_uint8(np.stack([make_patches().patch(index) for index in range(2)]))


def all_gains(gain, inverse_gain, widening, channels=12):
  """Gains that are equal in all channels, of one image each."""
  factors = (
    np.broadcast_to(np.float32(value).reshape(-1, 1, 1, 1), [np.size(value), 1, 1, channels])
    for value in (gain, inverse_gain, widening)
  )
  return Gains(*map(tf.constant, factors))


def walked(centred_model, x, gains=None):
  """Returns the bits of each part, `[parts, batch]`, and the reconstruction."""
  visitor = centred_model.rounding_visitor(x, gains)
  y_hat = visitor.model.walk(visitor, *x.shape[:3])
  return np.stack(visitor.bits), visitor.model.reconstruct(y_hat, *x.shape[1:3]).numpy()


def test_with_gains_of_1_it_is_the_model(centred_model, x):
  bits, reconstruction = walked(centred_model, x)
  gained_bits, gained = walked(centred_model, x, all_gains(1, 1, 0))
  np.testing.assert_array_equal(gained_bits, bits)
  np.testing.assert_array_equal(gained, reconstruction)
  assert bits[-1].min() > 100


def test_each_image_has_its_own_gains(centred_model, x):
  """Those of one change nothing in another."""
  bits, reconstruction = walked(centred_model, x)
  gains = all_gains([1, 3], [1, 0.3], [0, 0.7])
  gained_bits, gained = walked(centred_model, x, gains)
  np.testing.assert_array_equal(gained_bits[:, 0], bits[:, 0])
  np.testing.assert_array_equal(gained[0], reconstruction[0])
  assert gained_bits[1:, 1].sum() > 1.05 * bits[1:, 1].sum()
  assert np.abs(gained[1] - reconstruction[1]).max() > 1e-3

  alone_bits, alone = walked(centred_model, x[1:], all_gains(3, 0.3, 0.7))
  np.testing.assert_allclose(gained_bits[:, 1], alone_bits[:, 0], rtol=1e-4)
  np.testing.assert_allclose(gained[1], alone[0], atol=1e-5 * np.abs(alone).max())


def test_bits_are_those_of_the_gained_latent_in_the_widened_density(x):
  """Gaussian and zero-centre, written out in NumPy and float64."""
  codec = make_variable_codec()
  # Scales at which no symbol's mass is below what float32 can tell.
  last = codec.model.hyper_synthesis.layers[-1]
  last.kernel.assign(0.03 * last.kernel)
  last.bias.assign(12 * [0.0] + 12 * [4.5])
  step = tf.constant([5, 30])
  gains = codec.variable_rate.gains(step)
  bits, reconstruction = walked(codec.centred_model, x, gains)

  gain, inverse_gain, widening = (gain.numpy().astype(np.float64) for gain in gains)
  y = codec.model.analysis(x).numpy().astype(np.float32) * gains.gain.numpy()
  z = codec.model.hyper_analysis(pad_to_multiple(y, 4))
  raw = codec.model.hyper_synthesis(tf.round(z)).numpy()
  mean, log_scale = np.split(raw.astype(np.float64), 2, -1)
  scale = np.clip(np.exp(log_scale + widening), 0.11, 256)
  symbols = np.round(y - mean)
  assert np.abs(symbols).max() > 2 and np.ptp(gain) > 1 and np.any(np.round(z))

  # Symmetric: of the side where both are small.
  upper, lower = ((side - np.abs(symbols)) / scale for side in (0.5, -0.5))
  mass = scipy.stats.norm.cdf(upper) - scipy.stats.norm.cdf(lower)
  assert mass.min() > 1e-8
  np.testing.assert_allclose(bits[1], -np.log2(mass).sum((1, 2, 3)), rtol=1e-5)

  y_hat = ((symbols + mean) * inverse_gain).astype(np.float32)
  expected = codec.model.synthesis(y_hat).numpy()
  np.testing.assert_allclose(reconstruction, expected, atol=1e-5 * np.abs(expected).max())


def test_later_stages_of_the_analysis_see_the_gained_latent(x):
  codec = make_codec()
  gains = all_gains(3, 1, 0)
  latents = codec.centred_model.at(gains).latents(x)
  plain = codec.model.latents(x)
  np.testing.assert_allclose(latents['y'], 3 * plain['y'], rtol=1e-6)
  expected = codec.model.hyper_analysis(pad_to_multiple(3 * plain['y'], 4))
  np.testing.assert_allclose(latents['z'], expected, rtol=1e-4, atol=1e-6)


def test_a_model_of_one_stage_has_the_gain_of_its_own_latent_alone(x):
  class Whole(tfusq.MSHyper):
    def analysis_stages(self):
      return tfusq.Model.analysis_stages(self)

  codec = make_codec(model=Whole)
  latents = GainedModel(codec.model, all_gains(3, 1, 0)).latents(x)
  plain = codec.model.latents(x)
  np.testing.assert_array_equal(latents['y'], 3 * plain['y'])
  np.testing.assert_array_equal(latents['z'], plain['z'])


def test_a_codec_of_fixed_rate_is_its_model_at_any_quality():
  codec = make_codec()
  assert codec.centred_model.at(None) is codec.model
  assert codec.centred_model.weights() == {'model': codec.model}
  assert not any('gain' in variable.name for variable in codec.variables)


def test_a_codec_of_variable_rate_has_its_gains_among_its_weights():
  codec = make_variable_codec()
  assert len(codec.centred_model.variables()) == len(codec.model.variables) + 3
  levels = codec.variable_rate
  own = {part.values.ref() for part in (levels.gain, levels.inverse_gain, levels.widening)}
  assert own == {variable.ref() for variable in codec.centred_model.variables()[-3:]}
  # Only the gain itself is not needed to decode.
  assert codec.variable_rate.gain in codec.centred_model.encoder_only()
