import numpy as np
import pytest
import tensorflow as tf

from making import make_codec, make_patches
from tfusq import (
  AUN,
  ELIC,
  EP,
  PGE,
  STE,
  SUA,
  Bottleneck,
  Charm,
  Cheng,
  Codec,
  Factorized,
  GaussianMixture,
  MSContext,
  MSHyper,
  Quantizer,
  Round,
  Undefined,
)
from tfusq.training.loss import rate_distortion


@pytest.fixture(scope='module')
def batch():
  return next(iter(make_patches().dataset()))


def as_float(batch):
  return tf.cast(batch['image'], tf.float32) / 255


def enliven(codec):
  """Makes the hyperlatent large enough not to round to 0 everywhere."""
  kernel = codec.model.hyper_analysis.layers[-1].kernel
  kernel.assign(100 * kernel)


def uniform(codec, latent, name, batch):
  number = list(codec.quantizers).index(name)
  return tf.concat(
    [
      tf.random.stateless_uniform(
        [1, *latent.shape[1:]],
        tf.random.experimental.stateless_fold_in(
          tf.constant([codec.seed, number], tf.int64), index
        ),
        -0.5,
        0.5,
      )
      for index in batch['index']
    ],
    0,
  )


def test_loss_is_rate_plus_lambda_distortion_of_the_stated_paths(batch):
  """The loss, written out for this model and these quantizers."""
  codec = make_codec()
  codec.anneal(tf.constant(30, tf.int64))
  x = as_float(batch)
  model = codec.model
  figures = codec.soft(x, batch['index'])

  latents = model.latents(x)
  alpha = codec.quantizers['y'][0].surrogate.alpha(tf.float32)
  assert 1 < float(alpha) < 12
  z_model, y_model = model.entropy_models.values()
  z_bits = z_model.bits(latents['z'] + uniform(codec, latents['z'], 'z', batch), None)
  raw = model.hyper_synthesis(tf.round(latents['z']))
  parameters = y_model.parameters(raw)
  y_tilde = (
    SUA(float(alpha))(latents['y'] - parameters.mean, uniform(codec, latents['y'], 'y', batch))
    + parameters.mean
  )
  y_bits = y_model.bits(y_tilde, parameters)
  mse = tf.reduce_mean((model.synthesis(y_tilde) - x) ** 2)
  bpp = (tf.reduce_sum(z_bits) + tf.reduce_sum(y_bits)) / (2 * 64 * 64)
  assert float(figures.bpp) == pytest.approx(float(bpp), rel=1e-5)
  assert float(figures.mse) == pytest.approx(float(mse), rel=1e-5)
  scalars = {k: float(v) for k, v in codec._scalars(figures).items()}
  assert scalars['loss'] == pytest.approx(float(bpp) + 0.05 * 255**2 * float(mse), rel=1e-5)
  assert scalars['psnr'] == pytest.approx(-10 * np.log10(float(mse)), rel=1e-5)


def test_a_serial_context_reads_the_distortions_latent(batch):
  """The rate sees the surrogate's sample, the context what the synthesis sees too."""
  codec = make_codec(
    model=MSContext,
    zero_centre=False,
    distortion=Quantizer(Round(), STE()),
    rate=Quantizer(AUN(), PGE()),
  )
  enliven(codec)
  model, x = codec.model, as_float(batch)
  model.analysis.layers[-1].kernel.assign(20 * model.analysis.layers[-1].kernel)
  latents = model.latents(x)
  y_model, y_hat = model.entropy_models['y'], tf.round(latents['y'])
  features = model.hyper_synthesis(tf.round(latents['z']))

  def bpp(read):
    raw = model.parameters(tf.concat([model.context(read), features], -1))
    y_bits = y_model.bits(
      latents['y'] + uniform(codec, latents['y'], 'y', batch), y_model.parameters(raw)
    )
    z_bits = model.entropy_models['z'].bits(
      latents['z'] + uniform(codec, latents['z'], 'z', batch), None
    )
    return float(tf.reduce_sum(y_bits) + tf.reduce_sum(z_bits)) / (2 * 64 * 64)

  found = float(codec.soft(x, batch['index']).bpp)
  assert found == pytest.approx(bpp(y_hat), rel=1e-5)
  assert found != pytest.approx(bpp(latents['y']), rel=1e-4)


@pytest.mark.parametrize(
  'make',
  [
    lambda *arguments: Charm(*arguments, slices=3),
    lambda *arguments: ELIC(
      *arguments, groups=(2, 4, 6), analysis=Bottleneck(1, False), synthesis=Bottleneck(1, False)
    ),
  ],
)
@pytest.mark.parametrize('zero_centre', [False, True])
def test_parts_share_the_noise_of_the_whole_latent(make, zero_centre, batch):
  """So that one draw serves a latent however it is cut."""
  codec = make_codec(model=make, zero_centre=zero_centre, distortion=Quantizer(AUN(), PGE()))
  x = as_float(batch)
  latents = codec.model.latents(x)
  seen = []
  reconstruct = codec.model.reconstruct
  codec.model.reconstruct = lambda y, *size: seen.append(y) or reconstruct(y, *size)
  codec.soft(x, batch['index'])
  np.testing.assert_allclose(
    seen[0], latents['y'] + uniform(codec, latents['y'], 'y', batch), atol=1e-5
  )


@pytest.mark.parametrize(
  'model, options',
  [
    (MSContext, {'zero_centre': False}),
    (MSContext, {'zero_centre': False, 'train_encoder': False}),
    (
      lambda *arguments: Cheng(*arguments, hidden=24),
      {'zero_centre': False, 'entropy_model': GaussianMixture()},
    ),
    (lambda *arguments: Charm(*arguments, slices=2), {}),
    (
      lambda *arguments: ELIC(
        *arguments, groups=(2, 10), analysis=Bottleneck(1), synthesis=Bottleneck(1, False)
      ),
      {},
    ),
  ],
)
def test_a_step_of_every_model_trains_all_that_the_stage_trains(model, options, batch):
  codec = make_codec(
    model=model, rate=Quantizer(SUA(3.0), EP()), distortion=Quantizer(SUA(3.0), STE()), **options
  )
  for variable in codec.model.variables:
    variable.assign_add(0.05 * tf.random.stateless_normal(variable.shape, [1, 2]))
  enliven(codec)
  codec.compile(tf.keras.optimizers.Adam(1e-3))
  before = [variable.numpy() for variable in codec.trainable_variables]
  step = tf.function(codec.train_step)
  assert np.isfinite(float(step(batch)['loss']))
  still = [
    variable.name
    for variable, old in zip(codec.trainable_variables, before)
    if (variable.numpy() == old).all()
  ]
  assert not still
  encoder = {
    variable.ref()
    for name in codec.model.encoder_only
    for variable in getattr(codec.model, name).variables
  }
  assert options.get('train_encoder', True) == any(
    variable.ref() in encoder for variable in codec.trainable_variables
  )


def test_a_serial_context_is_not_quantized_zero_centre():
  with pytest.raises(ValueError, match='zero_centre.*MSContext.*serial'):
    make_codec(model=MSContext, zero_centre=True)


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
  frozen = [
    v for name in ('analysis', 'hyper_analysis') for v in getattr(codec.model, name).variables
  ]
  assert not any(moved[v.ref()] for v in frozen)
  trained = [
    v for name in ('synthesis', 'hyper_synthesis') for v in getattr(codec.model, name).variables
  ]
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
    figures['rate_mismatch'] + figures['distortion_mismatch'], abs=1e-3
  )


def test_nonzero_centre_trains(batch):
  codec = make_codec(zero_centre=False)
  codec.compile(tf.keras.optimizers.Adam(1e-3))
  history = codec.fit(make_patches().dataset(), steps_per_epoch=10, epochs=2, verbose=0).history
  assert history['loss'][1] < history['loss'][0]


@pytest.mark.parametrize('surrogate', [AUN(), SUA(2.0)])
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
    Codec(model, noise, noise, noise, noise, lmbda=1.0, zero_centre=True)


def test_gradients_of_the_latent_are_those_of_both_terms():
  noise = Quantizer(AUN(), PGE())
  codec = make_codec(rate=noise, distortion=noise)
  codec.create()
  x, index = tf.random.stateless_uniform([1, 64, 64, 3], [0, 1]), tf.constant([5], tf.int64)
  gradients = codec.latent_gradients(x, index)
  direction = tf.random.stateless_normal(gradients[0].shape, [2, 3])
  ends = []
  for step in (0.02, -0.02):
    visitor = codec._surrogate_visitor(x, index)
    visitor.latents['y'] += step * direction
    figures = rate_distortion(codec.model, x, visitor)
    ends.append((float(figures.bpp), float(codec.lmbda * 255**2 * figures.mse)))
  for gradient, upper, lower in zip(gradients, *ends):
    assert float(tf.reduce_sum(gradient * direction)) == pytest.approx(
      (upper - lower) / 0.04, rel=0.02
    )
