import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_compression as tfc
from scipy import integrate, stats

from tfusq import AUN, EP, PGE, STE, SUA, Gaussian, Quantizer, Round, Undefined
from tfusq.entropy_models import gaussian_bits
from tfusq.soft_rounding import soft_round, soft_round_slope


def rate(mean=0., scale=1.):
  return lambda v: gaussian_bits(v, tf.constant(mean, v.dtype), tf.constant(scale, v.dtype))


def test_expected_gradient_matches_the_reference(reference, gradients):
  for name, make in (('AUN_EP_y', lambda alpha: AUN()), ('SUA_EP_y', SUA)):
    for row in reference['pointwise'][::3]:
      quantizer = Quantizer(make(row['alpha']), EP())
      y = tf.constant([row['y']], tf.float64)
      _, (by_y, _) = gradients(
          lambda y, u: quantizer.evaluate(rate(row['mu'], row['sigma']), y, u), y, y * 0 + .2)
      assert float(by_y[0]) == pytest.approx(row[name], rel=1e-6, abs=1e-6), row


@pytest.mark.parametrize('y, alpha, scale', [(.3, 5., .3), (1., 12., 1.), (-.5, 8., .5),
                                             (2.25, 1., .2), (0., 12., .11)])
def test_expected_gradient_is_the_derivative_of_the_loss_by_quadrature(y, alpha, scale):
  """E l = int l(w) s'(w - 1/2) dw over [y - 1/2, y + 1/2], differentiated numerically."""
  def bits(w):
    d = abs(w)
    return -np.log2(np.exp(stats.norm.logcdf((.5 - d) / scale)) -
                    np.exp(stats.norm.logcdf((-.5 - d) / scale)))

  def slope(w):
    e = w - .5 - np.floor(w - .5) - .5
    return alpha / (2 * np.tanh(alpha / 2)) / np.cosh(alpha * e)**2

  def expected(y):
    kink = [np.floor(y) + .5] if abs(np.floor(y) + .5 - y) < .5 else None
    return integrate.quad(lambda w: bits(w) * slope(w), y - .5, y + .5, epsabs=1e-12,
                          epsrel=1e-12, limit=400, points=kink)[0]

  h = 1e-4
  numeric = (expected(y + h) - expected(y - h)) / (2 * h)
  with tf.GradientTape() as tape:
    t = tf.constant([y], tf.float64)
    tape.watch(t)
    loss = Quantizer(SUA(alpha), EP()).evaluate(rate(scale=scale), t, tf.zeros_like(t))
  assert float(tape.gradient(loss, t)[0]) == pytest.approx(numeric, rel=2e-5, abs=1e-5)


@pytest.mark.parametrize('surrogate, y', [(AUN(), .3), (AUN(), .5), (SUA(5.), .3), (SUA(5.), 1.),
                                          (SUA(5.), -.5), (SUA(8.), .25)])
def test_pathwise_gradient_has_the_expected_gradient_as_its_mean(surrogate, y):
  samples = 400_000
  f = rate(scale=.7)
  latent = tf.fill([samples], tf.constant(y))
  u = surrogate.noise(latent, [11, 12])

  def gradient(estimator):
    with tf.GradientTape() as tape:
      tape.watch(latent)
      loss = Quantizer(surrogate, estimator).evaluate(f, latent, u)
    return tape.gradient(loss, latent).numpy().astype(np.float64)

  pathwise, expected = gradient(PGE()), gradient(EP())
  assert np.ptp(expected) == 0, 'EP does not depend on the sample'
  z = (pathwise.mean() - expected[0]) / (pathwise.std() / np.sqrt(samples))
  assert abs(z) < 4


def test_straight_through_mean_and_variance_match_the_reference(reference):
  rows = [row for row in reference['pointwise'] if row['alpha'] == 5 and row['sigma'] == 1][:6]
  assert rows
  for row in rows:
    surrogate = SUA(5.)
    latent = tf.fill([200_000], tf.constant(row['y']))
    u = surrogate.noise(latent, [21, 22])
    with tf.GradientTape() as tape:
      tape.watch(latent)
      loss = Quantizer(surrogate, STE()).evaluate(rate(row['mu'], row['sigma']), latent, u)
    sample = tape.gradient(loss, latent).numpy().astype(np.float64)
    error = sample.std() / np.sqrt(sample.size)
    assert abs(sample.mean() - row['SUA_STE_mean']) < 4 * error + 1e-6, row
    assert sample.var() == pytest.approx(row['SUA_STE_var'], rel=.03, abs=1e-6), row


def test_straight_through_keeps_the_soft_slope_and_nothing_else(latents, gradients):
  alpha = tf.constant(5.)
  _, (by_y, _) = gradients(Quantizer(SUA(5.), STE()), latents, tf.zeros_like(latents))
  np.testing.assert_allclose(by_y, soft_round_slope(latents, alpha), rtol=1e-6)
  value, (by_y, _) = gradients(Quantizer(Round(), STE()), latents, tf.zeros_like(latents))
  np.testing.assert_array_equal(value, tf.round(latents))
  np.testing.assert_array_equal(by_y, tf.ones_like(latents))


def test_expected_gradient_equals_perturb_and_apply(gradients):
  """TFC's route: the loss of SUA as a function of s(y) + u."""
  y = tf.constant(np.linspace(-2.2, 2.2, 45) + .003, tf.float64)
  mean, scale = tf.fill(y.shape, tf.constant(.2, tf.float64)), tf.fill(
      y.shape, tf.constant(.6, tf.float64))

  alpha, two = tf.constant(5., tf.float64), tf.constant(2., tf.float64)

  def theirs(y, mean, scale):
    def loss(v, mean, scale):
      prior = tfc.NoisySoftRoundedNormal(alpha=alpha, loc=mean, scale=scale)
      return -prior.log_prob(v) / tf.math.log(two)
    return tfc.perturb_and_apply(
        loss, tfc.soft_round(y, alpha), mean, scale, expected_grads=True)[0]

  quantizer = Quantizer(SUA(5.), EP())

  def ours(y, mean, scale):
    return quantizer.evaluate(lambda v: gaussian_bits(v, mean, scale), y, tf.zeros_like(y))

  _, (by_y, _, _) = gradients(ours, y, mean, scale)
  _, (expected, _, _) = gradients(theirs, y, mean, scale)
  np.testing.assert_allclose(by_y, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize('estimator', [PGE(), EP()])
def test_parameters_get_the_gradient_at_the_sample(estimator, gradients):
  surrogate = SUA(5.)
  y = tf.constant(np.linspace(-2, 2, 17), tf.float64)
  u = surrogate.noise(y, [31, 32])
  mean, scale = y * 0 + .1, y * 0 + .4
  _, (_, by_mean, by_scale) = gradients(
      lambda y, mean, scale: Quantizer(surrogate, estimator).evaluate(
          lambda v: gaussian_bits(v, mean, scale), y, u), y, mean, scale)
  sample = surrogate(y, u)
  _, (_, expected_mean, expected_scale) = gradients(gaussian_bits, sample, mean, scale)
  np.testing.assert_allclose(by_mean, expected_mean, rtol=1e-9)
  np.testing.assert_allclose(by_scale, expected_scale, rtol=1e-9)


@pytest.mark.parametrize('scale', [1e-6, 1e-3, .11, 1., 256.])
@pytest.mark.parametrize('alpha', [1e-3, 12., 50.])
def test_every_defined_pair_is_finite_in_float32(alpha, scale, latents, gradients):
  model = Gaussian(bound=1e-6)
  pairs = [(Round(), STE()), *itertools.product((AUN(), SUA(alpha)), (PGE(), STE(), EP()))]
  parameters = model.parameters(tf.concat(
      [tf.zeros_like(latents), tf.fill(latents.shape, float(np.log(scale)))], -1))
  for surrogate, estimator in pairs:
    u = surrogate.noise(latents, [41, 42])
    value, (by_y, _) = gradients(
        lambda y, u: Quantizer(surrogate, estimator).evaluate(
            lambda v: model.bits(v, parameters), y, u), latents, u)
    assert np.isfinite(value).all() and np.isfinite(by_y).all(), (surrogate, estimator)


@pytest.mark.parametrize('surrogate, estimator, remedy', [
    (Round(), PGE(), 'use STE'), (Round(), EP(), 'use STE')])
def test_undefined_pairs_are_refused_when_built_naming_the_remedy(surrogate, estimator, remedy):
  with pytest.raises(Undefined, match=remedy):
    Quantizer(surrogate, estimator)


def test_expected_gradient_of_a_loss_that_mixes_components_is_refused():
  quantizer = Quantizer(SUA(5.), EP())
  y = tf.ones([3])
  with pytest.raises(Undefined, match='PGE or STE'):
    quantizer(y, tf.zeros_like(y))
  with pytest.raises(ValueError, match='keep the shape'):
    quantizer.evaluate(tf.reduce_sum, y, tf.zeros_like(y))


def test_proxy_of_sua_is_soft_rounding(latents):
  np.testing.assert_array_equal(SUA(5.).proxy(latents), soft_round(latents, tf.constant(5.)))
