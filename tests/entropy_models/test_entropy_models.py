import numpy as np
import pytest
import tensorflow as tf
import tensorflow_compression as tfc
from scipy import stats

from tfusq import Factorized, Gaussian, GaussianMixture, Laplacian
from tfusq.entropy_models import gaussian_bits, laplacian_bits, mixture_bits, saturate


def exact_bits(y, mean, scale):
  """Float64, by the logarithm of the survival function in the tail."""
  d = np.abs(np.float64(y) - mean)
  near, far = stats.norm.logsf((d - 0.5) / scale), stats.norm.logsf((d + 0.5) / scale)
  return -(near + np.log1p(-np.exp(far - near))) / np.log(2)


def test_gaussian_bits_and_gradients_match_the_reference(reference, gradients):
  rows = reference['pointwise']
  y, mean, scale = (np.array([row[key] for row in rows]) for key in ('y', 'mu', 'sigma'))
  for dtype, tolerance in ((tf.float64, 1e-7), (tf.float32, 3e-6)):
    bits, (by_y, by_mean, by_scale) = gradients(
      gaussian_bits, *(tf.constant(x, dtype) for x in (y, mean, scale))
    )
    for ours, key, sign in (
      (bits, 'bits', 1),
      (by_y, 'dbits_dy', 1),
      (by_mean, 'dbits_dy', -1),
      (by_scale, 'dbits_dsigma', 1),
    ):
      expected = sign * np.array([row[key] for row in rows])
      np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance, err_msg=key)


def test_gaussian_bits_equal_tensorflow_compression(mode):
  y = tf.constant(np.linspace(-6, 6, 97), tf.float64)
  mean, scale = tf.constant(0.3, tf.float64), tf.constant(0.8, tf.float64)
  theirs = -tfc.NoisyNormal(loc=mean, scale=scale).log_prob(y) / np.log(2)
  np.testing.assert_allclose(mode(gaussian_bits)(y, mean, scale), theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('scale', [1e-6, 1e-3, 0.11, 1.0, 30.0, 256.0])
def test_gaussian_bits_hold_in_float32_at_every_distance(scale, latents):
  bits = gaussian_bits(latents, tf.zeros([]), tf.constant(scale)).numpy()
  expected = exact_bits(latents.numpy(), 0, np.float64(np.float32(scale)))
  assert np.isfinite(bits).all()
  np.testing.assert_allclose(bits, expected, rtol=2e-5, atol=1e-4)


@pytest.mark.parametrize('scale', [1e-3, 0.11, 1.0, 30.0, 256.0])
def test_gaussian_gradients_are_finite_differences_in_float64(scale):
  y = np.concatenate([np.linspace(-4, 4, 33) + 0.013, [60.2, 5000.0]])
  y_, mean, scale_ = (tf.constant(x + 0 * y, tf.float64) for x in (y, 0.2, scale))
  with tf.GradientTape() as tape:
    tape.watch([y_, scale_])
    bits = gaussian_bits(y_, mean, scale_)
  by_y, by_scale = tape.gradient(bits, [y_, scale_])
  h = 1e-6 * scale
  for ours, numeric in (
    (by_y, (gaussian_bits(y_ + h, mean, scale_) - gaussian_bits(y_ - h, mean, scale_)) / (2 * h)),
    (
      by_scale,
      (gaussian_bits(y_, mean, scale_ + h) - gaussian_bits(y_, mean, scale_ - h)) / (2 * h),
    ),
  ):
    noise = 1e-10 * np.abs(bits) / h + 1e-6 / scale * 1e-3
    assert (np.abs(ours - numeric) <= 1e-5 * np.abs(ours) + noise).all()


@pytest.mark.parametrize('mean', [0.0, 0.5, -0.3])
@pytest.mark.parametrize('scale', [0.11, 0.5, 3.0, 20.0])
def test_gaussian_probabilities_sum_to_one(mean, scale):
  y = tf.range(-300.0, 301.0)
  total = tf.reduce_sum(tf.cast(2.0 ** -gaussian_bits(y, mean, scale), tf.float64))
  assert float(total) == pytest.approx(1, abs=2e-6)


@pytest.mark.parametrize('cls', [Gaussian, Laplacian])
def test_lower_bound_passes_what_would_raise_the_scale(cls):
  """Eq. (34), at the values that MATH states for it, on the logarithm."""
  model = cls(bound=0.11)
  scale = tf.constant([0.05, 0.05, 0.2, 0.2])
  raw = tf.concat([tf.zeros_like(scale), tf.math.log(scale)], -1)
  with tf.GradientTape() as tape:
    tape.watch(raw)
    parameters = model.parameters(raw)
    loss = tf.reduce_sum(parameters.log_scale * tf.constant([1.0, -1.0, 1.0, -1.0]))
  np.testing.assert_allclose(parameters.scale, [0.11, 0.11, 0.2, 0.2], rtol=1e-6)
  np.testing.assert_array_equal(tape.gradient(loss, raw)[4:], [0, -1, 1, -1])


def test_gaussian_splits_the_raw_parameters_into_mean_and_log_scale():
  parameters = Gaussian().parameters(tf.constant([[1.0, 2.0, 0.0, 100.0]]))
  np.testing.assert_allclose(parameters.mean, [[1.0, 2.0]])
  np.testing.assert_allclose(parameters.scale, [[1.0, 256.0]], rtol=1e-6)
  np.testing.assert_array_equal(Gaussian().centre(parameters), parameters.mean)


def test_saturation_is_smooth_increasing_and_leaves_likely_symbols_alone(gradients):
  start = -np.log2(1e-9)
  bits = tf.constant([0.0, 3.0, start - 1e-3, start, start + 1e-3, 1e3, 1e11])
  saturated, (slope,) = gradients(lambda b: saturate(b, 1e-9), bits)
  np.testing.assert_allclose(saturated[:4], bits[:4], rtol=1e-6)
  assert (np.diff(saturated) > 0).all()
  assert saturated[-1] < 1000
  np.testing.assert_allclose(slope, np.minimum(1, start / np.maximum(bits, 1e-9)), rtol=1e-5)
  np.testing.assert_array_equal(saturate(bits, 0), bits)


def test_far_symbols_at_the_post_stage_bound_have_bounded_gradients_that_are_not_zero():
  model = Gaussian(bound=1e-6)
  y = tf.constant([[1.0, -3.0, 40.0]])
  raw = tf.concat([tf.zeros([1, 3]), tf.fill([1, 3], -20.0)], -1)
  with tf.GradientTape() as tape:
    tape.watch([y, raw])
    bits = tf.reduce_sum(model.bits(y, model.parameters(raw)))
  by_y, by_raw = tape.gradient(bits, [y, raw])
  by_log_scale = by_raw[:, 3:]
  assert (np.abs(by_y) > 0.1).all() and (np.abs(by_y) < 200).all()
  # The scale lies below its bound and must rise: the bound passes it, times d scale / d raw.
  assert (by_log_scale < 0).numpy().all() and np.isfinite(by_log_scale).all()


def laplacian_tail_bits(d, scale):
  return ((d - 0.5) / scale - np.log(-np.expm1(-1 / scale) / 2)) / np.log(2)


@pytest.mark.parametrize('scale', [1e-6, 1e-3, 0.08, 1.0, 30.0, 256.0])
def test_laplacian_bits_hold_in_float32_at_every_distance(scale, latents, gradients):
  bits, (by_y, by_scale) = gradients(
    lambda y, scale: laplacian_bits(y, tf.zeros([]), scale), latents, tf.fill(latents.shape, scale)
  )
  d, exact = np.abs(latents.numpy().astype(np.float64)), np.float64(np.float32(scale))
  law = stats.laplace(scale=exact)
  with np.errstate(divide='ignore'):
    expected = np.where(
      d < 0.5, -np.log2(law.cdf(d + 0.5) - law.cdf(d - 0.5)), laplacian_tail_bits(d, exact)
    )
  np.testing.assert_allclose(bits, expected, rtol=2e-5, atol=1e-5)
  for gradient in (by_y, by_scale):
    assert np.isfinite(gradient).all()


def test_laplacian_gradients_are_finite_differences_and_continuous():
  y, mean, scale = (
    tf.constant(x.ravel())
    for x in np.meshgrid(
      [-3.2, -0.7, -0.5, -0.1, 0.3, 0.5, 1.0, 8.0], [0.0, 0.25], [0.05, 0.5, 3.0, 200.0]
    )
  )
  xs = [y, mean, scale]
  with tf.GradientTape() as tape:
    tape.watch(xs)
    bits = laplacian_bits(*xs)
  for place, gradient in enumerate(tape.gradient(bits, xs)):
    up, down = ([x + step * (k == place) for k, x in enumerate(xs)] for step in (1e-7, -1e-7))
    difference = (laplacian_bits(*up) - laplacian_bits(*down)) / 2e-7
    np.testing.assert_allclose(gradient, difference, rtol=1e-5, atol=1e-5)


def test_mixture_bits_are_those_of_the_weighted_masses(gradients):
  rng = np.random.default_rng(4)
  bits, logits = (tf.constant(rng.normal(size=(50, 3)) * width) for width in (4, 2))
  mixed, slopes = gradients(lambda *xs: mixture_bits(*xs), bits, logits)
  weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  masses = weights * 2.0 ** -bits.numpy()
  np.testing.assert_allclose(mixed, -np.log2(masses.sum(-1)), rtol=1e-12)
  np.testing.assert_allclose(slopes[0], masses / masses.sum(-1, keepdims=True), rtol=1e-9)
  assert np.isfinite(mixture_bits(tf.constant([[1e11, 2e11, 3e4]]), tf.zeros([1, 3]))).all()


def test_a_mixture_reads_logits_means_and_scales_and_is_centred_at_its_mean():
  model = GaussianMixture(2, bound=0.11)
  raw = tf.constant([[0.0, np.log(3.0), 7.0, 7.0, -1.0, 3.0, 0.0, 0.0, -9.0, 0.0, 99.0, 0.0]])
  parameters = model.parameters(raw)  # two channels
  assert parameters.logits.shape == [1, 2, 2]
  np.testing.assert_allclose(parameters.mean, [[[-1.0, 3.0], [0.0, 0.0]]])
  np.testing.assert_allclose(tf.exp(parameters.log_scale), [[[0.11, 1.0], [256.0, 1.0]]], rtol=1e-6)
  np.testing.assert_allclose(model.centre(parameters), [[2.0, 0.0]], atol=1e-3)  # the code's grid


@pytest.mark.parametrize('cls', [Gaussian, Laplacian, GaussianMixture])
@pytest.mark.parametrize(
  'arguments', [{'bound': 0}, {'bound': 1e3}, {'floor': 1.0}, {'floor': -1.0}]
)
def test_what_is_out_of_range_is_refused(cls, arguments):
  with pytest.raises(ValueError, match=f'{cls.__name__}.* must'):
    cls(**arguments)


@pytest.mark.parametrize('components', [0, 1.5, '3'])
def test_a_mixture_has_components(components):
  with pytest.raises(ValueError, match='at least 1'):
    GaussianMixture(components)


@pytest.fixture(scope='module')
def factorized():
  tf.random.set_seed(3)
  model = Factorized()
  model.build(5)
  for variable in model.density.trainable_variables:
    variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2], stddev=0.3))
  return model


def test_factorized_probabilities_sum_to_one(factorized):
  y = tf.tile(tf.range(-2000.0, 2001.0)[:, None], [1, 5])
  bits = Factorized.bits(factorized, y, factorized.parameters(tf.zeros([1, 1, 1, 0])))
  exact = -factorized.density.log_prob(0.0)  # the density exists
  assert np.isfinite(exact).all()
  total = tf.reduce_sum(2.0 ** -tf.cast(bits, tf.float64), 0).numpy()
  # Saturated bits of the tails add a little: each is less likely than 1e-9.
  np.testing.assert_allclose(total, 1, atol=1e-4)


def test_factorized_equals_tensorflow_compression(factorized, mode):
  y = tf.constant(np.linspace(-4, 4, 45).reshape(9, 5), tf.float32)
  parameters = factorized.parameters(tf.zeros([9, 0]))
  theirs = -tfc.UniformNoiseAdapter(factorized.density).log_prob(y) / np.log(2)
  np.testing.assert_allclose(mode(lambda y: factorized.bits(y, parameters))(y), theirs, rtol=1e-6)


def test_only_a_model_with_a_centre_admits_zero_centre():
  assert Gaussian.has_centre() and not Factorized.has_centre()
