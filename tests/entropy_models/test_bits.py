import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

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
  tfc = pytest.importorskip('tensorflow_compression')
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


def test_saturation_is_smooth_increasing_and_leaves_likely_symbols_alone(gradients):
  start = -np.log2(1e-9)
  bits = tf.constant([0.0, 3.0, start - 1e-3, start, start + 1e-3, 1e3, 1e11])
  saturated, (slope,) = gradients(lambda b: saturate(b, 1e-9), bits)
  np.testing.assert_allclose(saturated[:4], bits[:4], rtol=1e-6)
  assert (np.diff(saturated) > 0).all()
  assert saturated[-1] < 1000
  np.testing.assert_allclose(slope, np.minimum(1, start / np.maximum(bits, 1e-9)), rtol=1e-5)
  np.testing.assert_array_equal(saturate(bits, 0), bits)


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
