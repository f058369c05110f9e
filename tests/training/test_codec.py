import numpy as np
import pytest
import tensorflow as tf

import placement
import tfusq
from making import eager, enliven, make_codec, make_patches, make_variable_codec
from matrix import classes_of
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
  Residual,
  Round,
  Undefined,
  VariableRate,
)
from tfusq.export import container_ops
from tfusq.testing import instances
from tfusq.training.learning_rate import PiecewiseConstantDecay
from tfusq.transforms.pixels import from_uint8


def compile_and_build(codec, learning_rate):
  """Compiles with Adam; variables that a first step made would have it traced twice."""
  schedule = PiecewiseConstantDecay([2, 4], [learning_rate, learning_rate / 2, learning_rate / 4])
  codec.compile(tf.keras.optimizers.Adam(schedule, global_clipnorm=10.0))
  codec.optimizer.build(codec.trainable_variables)


@pytest.mark.parametrize(
  'model, options',
  [
    (MSContext, {'zero_centre': False, 'variable_rate': VariableRate((0.02, 0.3))}),
    (MSHyper, {'train_encoder': False}),
    pytest.param(
      lambda *arguments: Cheng(*arguments, hidden=24, analysis=Residual(attention=True)),
      {'zero_centre': False, 'entropy_model': GaussianMixture()},
      marks=pytest.mark.long,
    ),
    pytest.param(lambda *arguments: Charm(*arguments, slices=2), {}, marks=pytest.mark.long),
    pytest.param(
      lambda *arguments: ELIC(
        *arguments, groups=(2, 10), analysis=Bottleneck(1), synthesis=Bottleneck(1)
      ),
      {},
      marks=pytest.mark.long,
    ),
  ],
)
def test_a_step_of_every_model_stays_on_the_device_and_trains_all_that_the_stage_trains(
  model, options, batch
):
  codec = make_codec(
    model=model, rate=Quantizer(SUA(3.0), EP()), distortion=Quantizer(SUA(3.0), STE()), **options
  )
  for variable in codec.model.variables:
    variable.assign_add(0.05 * tf.random.stateless_normal(variable.shape, [1, 2]))
  enliven(codec)
  compile_and_build(codec, 1e-3)
  before = [variable.numpy() for variable in codec.trainable_variables]
  step = tf.function(codec.train_step, autograph=False)
  traced = step.get_concrete_function(batch)
  # No operation is admitted on the host, and no copy to it.
  assert not placement.findings(traced)
  # Runs are equal bit for bit.
  assert placement.most_terms(traced) <= 2
  # Once, in eager execution: TensorFlow optimizes a graph for longer than many steps take.
  assert np.isfinite(float(codec.train_step(batch)['loss']))
  codec.require_progress()
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


def test_all_that_a_step_may_be_made_of_stays_on_the_device():
  """Every schedule, surrogate, estimator and entropy model, in one trace."""
  schedules = [instances(cls)[0] for cls in classes_of(tfusq.Schedule)]
  surrogates = [instances(cls)[0] for cls in classes_of(tfusq.Surrogate)]
  entropy_models = [instances(cls)[0] for cls in classes_of(tfusq.EntropyModel)]
  for entropy_model in entropy_models:
    entropy_model.build(4)

  def quantized(y, seed):
    for surrogate in surrogates:
      for estimator in (cls() for cls in classes_of(tfusq.Estimator)):
        try:
          quantizer = Quantizer(surrogate, estimator)
        except Undefined:
          continue
        yield quantizer.evaluate(tf.square, y, quantizer.noise(y, seed))

  def bits(y):
    for entropy_model in entropy_models:
      parameters = entropy_model.parameters(tf.tile(y, [1, 1, 1, entropy_model.channels]))
      yield entropy_model.bits(y, parameters)
      if entropy_model.has_centre():
        yield entropy_model.centre(parameters)

  def step(y, seed, number):
    with tf.GradientTape() as tape:
      tape.watch(y)
      values = [*quantized(y, seed), *bits(y)]
    return values, tape.gradient(values, y), [schedule(number) for schedule in schedules]

  traced = tf.function(step, autograph=False).get_concrete_function(
    tf.TensorSpec([2, 3, 3, 4]), tf.TensorSpec([2], tf.int64), tf.TensorSpec([], tf.int64)
  )
  assert {'Erf', 'Floor', 'StatelessRandomUniformFullIntV2'} <= placement.operations(traced)
  assert not placement.findings(traced)


@pytest.mark.parametrize(
  'kind, function',
  [
    ('python', lambda x: tf.numpy_function(lambda x: x, [x], tf.float32)),
    ('no kernel', lambda x: tf.strings.as_string(x)),
    ('copy', lambda x: container_ops.verified(x, (tf.reduce_all(2 * x > 0), 'negative'))),
    ('copy', lambda x: tf.cond(2 * x[0] > 0, lambda: x, lambda: -x)),
    ('copy', lambda x: tf.reduce_sum(tf.cast(2 * x, tf.int32))),
    ('copy', lambda x: tf.reshape(x, tf.cast(2 * x, tf.int32))),
    ('copy', lambda x: tf.random.stateless_uniform([2], tf.cast(2 * x, tf.int64))),
    ('copy', lambda x: tf.map_fn(lambda y: tf.cond(y > 0, lambda: y, lambda: -y), 2 * x)),
  ],
)
def test_what_does_not_stay_on_the_device_is_found(kind, function):
  traced = tf.function(function).get_concrete_function(tf.TensorSpec([2]))
  assert kind in {finding.kind for finding in placement.findings(traced)}


def test_what_is_pinned_to_the_host_is_found():
  def pinned(x):
    with tf.device('CPU:0'):
      return tf.exp(2 * x) + x

  traced = tf.function(pinned).get_concrete_function(tf.TensorSpec([2]))
  assert {finding.kind for finding in placement.findings(traced)} == {'pinned'}


def test_a_serial_context_is_not_quantized_zero_centre():
  with pytest.raises(ValueError, match='zero_centre.*MSContext.*serial'):
    make_codec(model=MSContext, zero_centre=True)


def test_post_stage_trains_synthesis_and_entropy_model_only(batch):
  straight = Quantizer(Round(), STE())
  codec = make_codec(train_encoder=False, bound=1e-6, rate=straight, distortion=straight)
  enliven(codec)
  compile_and_build(codec, 1e-2)
  before = {v.ref(): v.numpy() for v in codec.model.variables}
  codec.train_step(batch)
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


def test_the_post_stage_freezes_the_gain_and_trains_what_decoding_needs_of_a_quality(batch):
  codec = make_variable_codec(train_encoder=False)
  compile_and_build(codec, 1e-2)
  levels = codec.variable_rate
  variables = [levels.gain.values, levels.inverse_gain.values, levels.widening.values]
  before = [variable.numpy() for variable in variables]
  with eager():
    codec.train_step(batch)
  gain, inverse_gain, widening = (
    np.abs(variable - value).max() for variable, value in zip(variables, before)
  )
  assert gain == 0 and inverse_gain > 0 and widening > 0
  trained = {variable.ref() for variable in codec.trainable_variables}
  assert levels.gain.values.ref() not in trained
  assert {levels.inverse_gain.values.ref(), levels.widening.values.ref()} < trained


def test_a_step_is_trained_at_the_qualities_of_its_images(batch):
  codec = make_variable_codec()
  compile_and_build(codec, 1e-3)
  x, index = from_uint8(batch['image']), batch['index']
  step = codec.variable_rate.spread(index)
  assert step[0] != step[1]
  codec.anneal(tf.constant(0, tf.int64))
  expected = codec.soft(x, index, codec.target(step)), codec.hard(x, codec.target(step))
  with eager():
    validated = {name: float(value) for name, value in codec.test_step(batch).items()}
    for metric in codec.metrics:
      metric.reset_state()
    trained = {name: float(value) for name, value in codec.train_step(batch).items()}
  assert trained['loss'] == pytest.approx(float(expected[0].loss), rel=1e-5)
  assert validated['loss'] == pytest.approx(float(expected[1].loss), rel=1e-5)
  assert trained['gradient/variable_rate'] > 0


def test_without_a_quality_a_codec_of_variable_rate_is_that_of_its_middle_level(batch):
  codec = make_variable_codec((0.02, 0.1, 0.5))
  x = from_uint8(batch['image'])
  terms = codec.hard(x)
  assert float(terms.bpp) == float(codec.hard(x, codec.target(tf.constant([32, 32]))).bpp)
  assert float(terms.distortion) == pytest.approx(0.1 * 255**2 * float(terms.mse), rel=1e-5)


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
    visitor = codec._surrogate_visitor(x, index, codec.target())
    visitor.latents['y'] += step * direction
    figures = codec._rate_distortion(x, visitor, codec.target())
    ends.append((float(figures.bpp), float(codec.lmbda * 255**2 * figures.mse)))
  for gradient, upper, lower in zip(gradients, *ends):
    assert float(tf.reduce_sum(gradient * direction)) == pytest.approx(
      (upper - lower) / 0.04, rel=0.02
    )
