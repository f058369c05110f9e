import numpy as np
import pytest
import tensorflow as tf

from making import enliven, make_codec, make_variable_codec
from tfusq import (
  AUN,
  ELIC,
  EP,
  PGE,
  STE,
  SUA,
  Bottleneck,
  Charm,
  MSContext,
  Quantizer,
  Round,
)
from tfusq.transforms.pixels import from_uint8


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
  x = from_uint8(batch['image'])
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
  model, x = codec.model, from_uint8(batch['image'])
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
  x = from_uint8(batch['image'])
  latents = codec.model.latents(x)
  seen = []
  reconstruct = codec.model.reconstruct
  codec.model.reconstruct = lambda y, *size: seen.append(y) or reconstruct(y, *size)
  codec.soft(x, batch['index'])
  np.testing.assert_allclose(
    seen[0], latents['y'] + uniform(codec, latents['y'], 'y', batch), atol=1e-5
  )


def test_distortion_gives_the_mean_no_gradient_when_zero_centre(batch):
  """Sec. 5.3: only the rate reaches the hyper synthesis."""
  codec = make_codec()
  enliven(codec)
  x = from_uint8(batch['image'])
  weights = codec.model.hyper_synthesis.trainable_variables
  with tf.GradientTape(persistent=True) as tape:
    figures = codec.soft(x, batch['index'])
  assert all(g is None for g in tape.gradient(figures.mse, weights))
  assert all(np.abs(g).max() > 0 for g in tape.gradient(figures.bpp, weights))


def test_rounded_forward_is_what_rounding_as_surrogate_gives(batch):
  straight = Quantizer(Round(), STE())
  codec = make_codec(rate=straight, distortion=straight)
  codec.quantizers['z'] = (straight, straight)
  x = from_uint8(batch['image'])
  soft, hard = codec.soft(x, batch['index']), codec.hard(x)
  np.testing.assert_allclose(soft.bpp, hard.bpp, rtol=1e-6)
  np.testing.assert_array_equal(soft.reconstruction, hard.reconstruction)


def test_noise_belongs_to_the_image_not_to_the_batch(batch):
  codec = make_codec()
  x = from_uint8(batch['image'])
  whole = codec.soft(x, batch['index']).reconstruction
  single = codec.soft(x[1:], batch['index'][1:]).reconstruction
  np.testing.assert_allclose(whole[1:], single, atol=1e-5)
  other = codec.soft(x[1:], batch['index'][1:] + 1).reconstruction
  assert np.abs(other - single).max() > 1e-4


def test_a_loss_is_the_weighted_mean_of_what_each_image_costs_by_itself(batch):
  codec = make_variable_codec()
  codec.anneal(tf.constant(30, tf.int64))
  x, index = from_uint8(batch['image']), batch['index']
  step = tf.constant([3, 29])
  whole = codec.soft(x, index, codec.target(step))

  lambdas = codec.variable_rate.all_lambdas()[step]
  expected = {'loss': [], 'bpp': [], 'distortion': []}
  for number, lmbda in enumerate(lambdas):
    image = slice(number, number + 1)
    alone = codec.soft(x[image], index[image], codec.target(step[image]))
    distortion = lmbda * 255**2 * float(alone.mse)
    expected['bpp'].append(float(alone.bpp))
    expected['distortion'].append(distortion)
    # The codec's lambda has the weight 1.
    expected['loss'].append(np.sqrt(0.05 / lmbda) * (float(alone.bpp) + distortion))
  for name, values in expected.items():
    assert values[0] != pytest.approx(values[1], rel=0.1)
    assert float(getattr(whole, name)) == pytest.approx(np.mean(values), rel=1e-5)


@pytest.mark.parametrize('surrogate, estimator', [(SUA(4.0), STE()), (AUN(), PGE())])
def test_all_gains_are_trained_by_every_estimator(surrogate, estimator, batch):
  codec = make_variable_codec(
    distortion=Quantizer(surrogate, estimator), rate=Quantizer(AUN(), EP())
  )
  levels = codec.variable_rate
  variables = [levels.gain.values, levels.inverse_gain.values, levels.widening.values]
  with tf.GradientTape() as tape:
    target = codec.target(tf.constant([4, 24]))
    loss = codec.soft(from_uint8(batch['image']), batch['index'], target).loss
  for gradient in tape.gradient(loss, variables):
    assert gradient.shape == [2, 12]
    assert np.isfinite(gradient).all() and np.all(gradient != 0)


def test_gradients_of_gains_are_those_of_finite_differences(batch):
  """With noise alone, and no offset, nothing stands between the gains and the loss."""
  noise = Quantizer(AUN(), PGE())
  codec = make_variable_codec(
    # So low that rounding errors of the distortion do not hide the rate.
    (2e-5, 3e-4),
    rate=noise,
    distortion=noise,
    zero_centre=False,
    bound=1e-6,
    lively=False,
    lmbda=1e-4,
  )
  codec.quantizers['z'] = noise, noise
  kernel = codec.model.analysis.layers[-1].kernel
  kernel.assign(4 * kernel)
  x, index = from_uint8(batch['image']), batch['index']
  for levels in ('gain', 'inverse_gain', 'widening'):
    values = getattr(codec.variable_rate, levels).values
    start = values.numpy()

    def loss():
      return codec.soft(x, index, codec.target(tf.constant([4, 24]))).loss

    with tf.GradientTape() as tape:
      value = loss()
    gradient = tape.gradient(value, values).numpy()
    # Where the change is largest beside the rounding errors of float32.
    norm = np.linalg.norm(gradient)
    ends = []
    for step in (0.1, -0.1):
      values.assign(start + step * gradient / norm)
      ends.append(float(loss()))
    values.assign(start)
    assert norm == pytest.approx((ends[0] - ends[1]) / 0.2, rel=0.02)


def test_the_inverse_gain_has_the_gradient_of_the_rounded_distortion(batch):
  codec = make_variable_codec(distortion=Quantizer(Round(), STE()))
  x, index = from_uint8(batch['image']), batch['index']
  values = codec.variable_rate.inverse_gain.values
  start = values.numpy()

  def distortion():
    return codec.soft(x, index, codec.target(tf.constant([4, 24]))).distortion

  with tf.GradientTape() as tape:
    value = distortion()
  gradient = tape.gradient(value, values).numpy()
  norm = np.linalg.norm(gradient)
  ends = []
  for step in (0.01, -0.01):
    values.assign(start + step * gradient / norm)
    ends.append(float(distortion()))
  assert norm == pytest.approx((ends[0] - ends[1]) / 0.02, rel=0.01)
