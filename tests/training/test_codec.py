import numpy as np
import pytest
import tensorflow as tf

from making import enliven, make_codec, make_patches
from tfusq import (
  AUN,
  ELIC,
  EP,
  PGE,
  STE,
  SUA,
  Charm,
  Cheng,
  Codec,
  Convolutional,
  Factorized,
  GaussianMixture,
  MSContext,
  MSHyper,
  Quantizer,
  Round,
  Undefined,
)
from tfusq.training.loss import rate_distortion
from tfusq.transforms.pixels import from_uint8


def compile_and_build(codec, learning_rate):
  """Compiles with Adam; variables that a first step made would have it traced twice."""
  codec.compile(tf.keras.optimizers.Adam(learning_rate))
  codec.optimizer.build(codec.trainable_variables)


# Fewer layers than the models' own analysis and synthesis, whose conformance has their gradients.
PLAIN = Convolutional(), Convolutional()


@pytest.mark.parametrize(
  'model, options',
  [
    (MSContext, {'zero_centre': False}),
    (MSContext, {'zero_centre': False, 'train_encoder': False}),
    (
      lambda *arguments: Cheng(*arguments, 24, *PLAIN),
      {'zero_centre': False, 'entropy_model': GaussianMixture()},
    ),
    (lambda *arguments: Charm(*arguments, slices=2), {}),
    (lambda *arguments: ELIC(*arguments, (2, 10), *PLAIN), {}),
  ],
)
def test_a_step_of_every_model_trains_all_that_the_stage_trains(model, options, batch):
  codec = make_codec(
    model=model, rate=Quantizer(SUA(3.0), EP()), distortion=Quantizer(SUA(3.0), STE()), **options
  )
  for variable in codec.model.variables:
    variable.assign_add(0.05 * tf.random.stateless_normal(variable.shape, [1, 2]))
  enliven(codec)
  compile_and_build(codec, 1e-3)
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


def test_post_stage_trains_synthesis_and_entropy_model_only(batch):
  straight = Quantizer(Round(), STE())
  codec = make_codec(train_encoder=False, bound=1e-6, rate=straight, distortion=straight)
  enliven(codec)
  compile_and_build(codec, 1e-2)
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
  x = from_uint8(batch['image'])
  soft, hard = codec.soft(x, batch['index']), codec.hard(x)
  assert figures['rate_mismatch'] == pytest.approx(float(soft.bpp - hard.bpp), abs=1e-5)
  assert figures['soft_loss'] - figures['loss'] == pytest.approx(
    figures['rate_mismatch'] + figures['distortion_mismatch'], abs=1e-3
  )


def test_nonzero_centre_trains(batch):
  codec = make_codec(zero_centre=False)
  compile_and_build(codec, 1e-3)
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
