import numpy as np
import pytest
import tensorflow as tf

from conftest import make_codec, make_patches
from tfusq import AUN, EP, PGE, STE, SUA, Codec, Factorized, MSHyper, Quantizer, Round, Undefined


@pytest.fixture(scope='module')
def batch():
  return next(iter(make_patches().dataset()))


def as_float(batch):
  return tf.cast(batch['image'], tf.float32) / 255


def enliven(codec):
  """Makes the hyperlatent large enough not to round to 0 everywhere."""
  kernel = codec.model.hyper_analysis.layers[-1].kernel
  kernel.assign(100 * kernel)


def test_loss_is_rate_plus_lambda_distortion_of_the_stated_paths(batch):
  """The loss, written out for this model and these quantizers."""
  codec = make_codec()
  codec.anneal(tf.constant(30, tf.int64))
  x = as_float(batch)
  model = codec.model
  figures = codec.soft(x, batch['index'])

  latents = model.latents(x)
  def noise(name, number):
    return tf.concat([tf.random.stateless_uniform(
        [1, *latents[name].shape[1:]], tf.random.experimental.stateless_fold_in(
            tf.constant([codec.seed, number], tf.int64), index), -.5, .5)
        for index in batch['index']], 0)
  alpha = codec.quantizers['y'][0].surrogate.alpha(tf.float32)
  assert 1 < float(alpha) < 12
  z_model, y_model = model.entropy_models.values()
  z_bits = z_model.bits(latents['z'] + noise('z', 0), None)
  raw = model.hyper_synthesis(tf.round(latents['z']))
  parameters = y_model.parameters(raw)
  y_tilde = SUA(float(alpha))(latents['y'] - parameters.mean, noise('y', 1)) + parameters.mean
  y_bits = y_model.bits(y_tilde, parameters)
  mse = tf.reduce_mean((model.synthesis(y_tilde) - x)**2)
  bpp = (tf.reduce_sum(z_bits) + tf.reduce_sum(y_bits)) / (2 * 64 * 64)
  assert float(figures.bpp) == pytest.approx(float(bpp), rel=1e-5)
  assert float(figures.mse) == pytest.approx(float(mse), rel=1e-5)
  scalars = {k: float(v) for k, v in codec._scalars(figures, codec._loss(figures)).items()}
  assert scalars['loss'] == pytest.approx(float(bpp) + .05 * 255**2 * float(mse), rel=1e-5)
  assert scalars['psnr'] == pytest.approx(-10 * np.log10(float(mse)), rel=1e-5)


def test_distortion_gives_the_mean_no_gradient_when_zero_centre(batch):
  """Sec. 5.3: only the rate reaches the hyper synthesis."""
  codec = make_codec()
  enliven(codec)
  x = as_float(batch)
  weights = codec.model.hyper_synthesis.trainable_variables
  with tf.GradientTape(persistent=True) as tape:
    figures = codec.soft(x, batch['index'])
  assert all(g is None for g in tape.gradient(figures.mse, weights))
  assert all(np.abs(g).max() > 0 for g in tape.gradient(figures.bpp, weights))


def test_rounded_forward_is_what_rounding_as_surrogate_gives(batch):
  straight = Quantizer(Round(), STE())
  codec = make_codec(rate=straight, distortion=straight)
  codec.quantizers['z'] = (straight, straight)
  x = as_float(batch)
  soft, hard = codec.soft(x, batch['index']), codec.hard(x)
  np.testing.assert_allclose(soft.bpp, hard.bpp, rtol=1e-6)
  np.testing.assert_array_equal(soft.reconstruction, hard.reconstruction)


def test_noise_belongs_to_the_image_not_to_the_batch(batch):
  codec = make_codec()
  x = as_float(batch)
  whole = codec.soft(x, batch['index']).reconstruction
  single = codec.soft(x[1:], batch['index'][1:]).reconstruction
  np.testing.assert_allclose(whole[1:], single, atol=1e-5)
  other = codec.soft(x[1:], batch['index'][1:] + 1).reconstruction
  assert np.abs(other - single).max() > 1e-4


def test_post_stage_trains_synthesis_and_entropy_model_only(batch):
  straight = Quantizer(Round(), STE())
  codec = make_codec(train_encoder=False, bound=1e-6, rate=straight, distortion=straight)
  enliven(codec)
  codec.compile(tf.keras.optimizers.Adam(1e-2))
  before = {v.ref(): v.numpy() for v in codec.model.variables}
  codec.fit(make_patches().dataset(), steps_per_epoch=2, verbose=0)
  moved = {v.ref(): not np.array_equal(v, before[v.ref()]) for v in codec.model.variables}
  frozen = [v for name in ('analysis', 'hyper_analysis')
            for v in getattr(codec.model, name).variables]
  assert not any(moved[v.ref()] for v in frozen)
  trained = [v for name in ('synthesis', 'hyper_synthesis')
             for v in getattr(codec.model, name).variables]
  trained += codec.model.entropy_models['z'].trainable_variables
  assert all(moved[v.ref()] for v in trained)


def test_validation_reports_the_mismatch_of_each_term(batch):
  codec = make_codec()
  codec.compile(tf.keras.optimizers.Adam())
  figures = {k: float(v) for k, v in codec.test_step(batch).items()}
  x = as_float(batch)
  soft, hard = codec.soft(x, batch['index']), codec.hard(x)
  assert figures['rate_mismatch'] == pytest.approx(float(soft.bpp - hard.bpp), abs=1e-5)
  assert figures['soft_loss'] - figures['loss'] == pytest.approx(
      figures['rate_mismatch'] + figures['distortion_mismatch'], abs=1e-3)


def test_nonzero_centre_trains(batch):
  codec = make_codec(zero_centre=False)
  codec.compile(tf.keras.optimizers.Adam(1e-3))
  history = codec.fit(make_patches().dataset(), steps_per_epoch=10, epochs=2, verbose=0).history
  assert history['loss'][1] < history['loss'][0]


@pytest.mark.parametrize('surrogate', [AUN(), SUA(2.)])
def test_expected_gradient_for_the_distortion_is_refused(surrogate):
  with pytest.raises(Undefined, match='Codec.distortion.*PGE or STE'):
    make_codec(distortion=Quantizer(surrogate, EP()))


def test_what_cannot_be_built_is_named():
  with pytest.raises(ValueError, match='lmbda'):
    make_codec(lmbda=0)
  class Uncentred(Factorized):
    channels = 2
  model = MSHyper(Uncentred(), Factorized(), 4, 6)
  noise = Quantizer(AUN(), PGE())
  with pytest.raises(ValueError, match='no centre'):
    Codec(model, noise, noise, noise, noise, lmbda=1., zero_centre=True)
