"""Tests of tfusq-ggm."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

import tfusq
import tfusq.testing
from tfusq.entropy_models import gaussian_bits
from tfusq_ggm import (
  GeneralizedGaussian,
  deviation_bound,
  deviation_of_unit_scale,
  generalized_gaussian_bits,
)


@tfusq.testing.conformance(GeneralizedGaussian(), GeneralizedGaussian(shape=1.5))
def test_conformance(check):
  check()


def reference_bits(y, mean, deviation, shape):
  """From SciPy's distribution functions, on the side where they are small."""
  law = stats.gennorm(
    shape, scale=deviation / np.sqrt(special.gamma(3 / shape) / special.gamma(1 / shape))
  )
  d = np.abs(y - mean)
  return -np.log2(
    np.where(d < 0.5, law.cdf(d + 0.5) - law.cdf(d - 0.5), law.sf(d - 0.5) - law.sf(d + 0.5))
  )


def raw_of(shapes):
  """What the network gives for the shapes."""
  half = np.log(8) / 2
  return half * np.arctanh(np.log(shapes / np.sqrt(2)) / half)


def tensors(*values):
  return [tf.constant(value, tf.float64) for value in np.broadcast_arrays(*values)]


@pytest.mark.parametrize('shape', [0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0])
@pytest.mark.parametrize('deviation', [0.06, 0.3, 1.0, 40.0, 256.0])
def test_bits_are_the_mass_of_the_bin(deviation, shape):
  y = np.array([-1.5, -0.5, 0, 0.2, 0.5, 1, 2.3, 30, 200]) + 0.1
  expected = reference_bits(y, 0.1, deviation, shape)
  known = np.isfinite(expected) & (expected < 100)
  ours = generalized_gaussian_bits(*tensors(y, 0.1, deviation, shape)).numpy()
  assert known.sum() >= 4
  np.testing.assert_allclose(ours[known], expected[known], rtol=1e-6, atol=1e-9)


def test_shape_two_is_the_gaussian_out_to_its_far_tails():
  y = np.concatenate([np.linspace(-3, 3, 61), [40.0, 500.0, -1e4]])
  for scale in (0.05, 0.11, 1.0, 30.0):
    xs = tensors(y, 0.2, scale, 2.0)
    np.testing.assert_allclose(
      generalized_gaussian_bits(*xs), gaussian_bits(*xs[:3]), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize('scale', [1e-14, 1e-6, 0.05, 0.7, 20.0])
def test_shape_one_is_the_laplacian_out_to_its_far_tails(scale):
  d = np.array([1.0, 2.0, 1e3, 2.0**20])
  expected = ((d - 0.5) / scale - np.log(-np.expm1(-1 / scale) / 2)) / np.log(2)
  y, *parameters = tensors(d, 0.0, scale * np.sqrt(2), 1.0)
  with tf.GradientTape() as tape:
    tape.watch(y)
    ours = generalized_gaussian_bits(y, *parameters)
  np.testing.assert_allclose(ours, expected, rtol=1e-9)
  np.testing.assert_allclose(tape.gradient(ours, y), 1 / (scale * np.log(2)) + 0 * d, rtol=1e-9)


@pytest.mark.parametrize('shape', [0.5, 0.9, 1.0, 1.7, 2.5, 4.0])
def test_gradients_are_finite_differences(shape):
  y = np.array([0.0, 0.3, 0.45, 0.7, 1.0, 1.6, 2.0, 5.0, 40.0])
  for deviation in (0.1, 0.6, 3.0, 100.0):
    xs = tensors(y, 0.05, deviation, shape)
    with tf.GradientTape() as tape:
      tape.watch(xs)
      bits = generalized_gaussian_bits(*xs)
    for place, gradient in enumerate(tape.gradient(bits, xs)):
      h = 1e-6 * max(1, abs(float(xs[place][0])))
      up, down = ([x + step * (k == place) for k, x in enumerate(xs)] for step in (h, -h))
      difference = (generalized_gaussian_bits(*up) - generalized_gaussian_bits(*down)) / (2 * h)
      noise = 1e-14 * np.abs(bits) / h  # of the difference
      assert (np.abs(gradient - difference) < 2e-5 * np.abs(difference) + 1e-8 + noise).all()


def test_gradient_of_the_latent_holds_at_the_borders_of_the_central_bin():
  """Where the nearer end is at the cusp of the density: the mean of both sides."""
  for shape in (0.5, 1.0, 2.0, 4.0):
    y, *parameters = tensors([0.5, -0.5], 0.0, 0.8, shape)
    with tf.GradientTape(persistent=True) as tape:
      tape.watch([y, parameters[-1]])
      bits = generalized_gaussian_bits(y, *parameters)
    near = tensors([0.5 + 1e-7, -0.5 - 1e-7], 0.0, 0.8, shape)
    with tf.GradientTape() as beside:
      beside.watch(near[-1])
      bits_beside = generalized_gaussian_bits(*near)
    np.testing.assert_allclose(
      tape.gradient(bits, parameters[-1]), beside.gradient(bits_beside, near[-1]), rtol=1e-3
    )
    h = 1e-9
    difference = (
      generalized_gaussian_bits(y + h, *parameters) - generalized_gaussian_bits(y - h, *parameters)
    ) / (2 * h)
    np.testing.assert_allclose(tape.gradient(bits, y), difference, rtol=1e-3)


@pytest.mark.parametrize('shape', [0.5, 1.0, 4.0])
def test_everything_is_finite_where_float32_would_not_be(shape):
  model = GeneralizedGaussian(bound=1e-6, shape=shape)
  y = tf.constant([[0.0, 0.5, -0.5, 1.0, 1e4, -1e4, 2.0**20, 1e-6, 0.4999999]])
  for log_deviation in (-30.0, -1.0, 0.0, 5.0, 30.0):
    raw = tf.stack([tf.zeros_like(y), tf.fill(y.shape, log_deviation)], -1)
    with tf.GradientTape() as tape:
      tape.watch((y, raw))
      bits = model.bits(y[..., None], model.parameters(raw))
    for value in (bits, *tape.gradient(bits, (y, raw))):
      assert np.isfinite(value).all()


@pytest.mark.parametrize('gaussian', [1e-6, 1e-3, 0.05, 0.06, 0.065, 0.11, 0.4, 1.0])
def test_the_bound_keeps_the_gaussians_mass_beyond_the_central_bin(gaussian):
  shapes = np.array([0.5, 1.0, 1.41, 2.0, 4.0])
  deviations = deviation_bound(shapes, gaussian)
  assert deviations[3] == pytest.approx(gaussian, rel=1e-9)
  t = (0.5 / deviations * deviation_of_unit_scale(shapes).numpy()) ** shapes
  if gaussian < 0.01:  # to first order, Q(1/b, t) = t^(1/b - 1) exp(-t) / Gamma(1/b)
    log_mass = (1 / shapes - 1) * np.log(t) - t - special.gammaln(1 / shapes)
    expected = np.log(2) + stats.norm.logsf(0.5 / gaussian)
    np.testing.assert_allclose(log_mass, expected, rtol=1e-9)
  else:
    np.testing.assert_allclose(
      special.gammaincc(1 / shapes, t), 2 * stats.norm.sf(0.5 / gaussian), rtol=1e-9
    )


def test_the_deviation_is_held_at_the_bound_and_may_rise_from_it():
  model = GeneralizedGaussian()
  shapes = np.geomspace(0.51, 3.9, 41)
  raw = tf.constant(
    np.stack([0 * shapes, 0 * shapes - 9, raw_of(shapes)], -1)[None, None], tf.float32
  )
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(raw)
    parameters = model.parameters(raw)
    up, down = (tf.reduce_sum(sign * parameters.deviation) for sign in (1.0, -1.0))
  np.testing.assert_allclose(parameters.shape[0, 0, :, 0], shapes, rtol=1e-5)
  np.testing.assert_allclose(
    parameters.deviation[0, 0, :, 0], deviation_bound(shapes, 0.11), rtol=1e-3
  )
  # Gradient descent on -deviation raises it; on +deviation it would lower it, and is held.
  assert (np.abs(tape.gradient(down, raw)[..., 1]) > 0).all()
  assert (np.abs(tape.gradient(up, raw)[..., 1]) == 0).all()


@pytest.mark.parametrize('fixed', [None, 0.7])
def test_the_code_is_within_a_thousandth_of_the_ideal(fixed):
  model = GeneralizedGaussian(shape=fixed)
  rng = np.random.default_rng(3)
  size = 40_000
  shapes = np.full(size, fixed) if fixed else np.exp(rng.uniform(np.log(0.51), np.log(3.9), size))
  deviations = np.exp(rng.uniform(np.log(0.15), np.log(30), size))
  raw = [0 * shapes, np.log(deviations)] + ([] if fixed else [raw_of(shapes)])
  parameters = model.parameters(tf.constant(np.stack(raw, -1), tf.float32))
  scales = deviations / deviation_of_unit_scale(shapes).numpy()
  symbols = tf.constant(np.round(stats.gennorm.rvs(shapes, 0, scales, random_state=rng)), tf.int32)
  symbols = symbols[:, None]
  coder = model.coder(True)
  index = coder.index(parameters)
  string = coder.finalize(coder.encode(coder.encoder(), symbols, index))
  np.testing.assert_array_equal(coder.decode(coder.decoder(string), index)[1], symbols)
  ideal = float(tf.reduce_sum(model.bits(tf.cast(symbols, tf.float32), parameters)))
  assert 8 * int(tf.strings.length(string)) == pytest.approx(ideal, rel=1e-3)


@pytest.mark.parametrize('argument', [{'bound': 1e-7}, {'shape': 9.0}, {'floor': 1.0}])
def test_bad_arguments_are_refused(argument):
  with pytest.raises(ValueError, match='GeneralizedGaussian'):
    GeneralizedGaussian(**argument)


def test_nonzero_centre_says_what_to_use():
  with pytest.raises(NotImplementedError, match='zero_centre'):
    GeneralizedGaussian().coder(False)


@pytest.mark.parametrize('shape', [None, 1.5])
def test_widening_multiplies_the_deviation_alone(shape):
  entropy_model = GeneralizedGaussian(bound=1e-6, shape=shape)
  raw = tf.random.stateless_normal([2, 3, 4, 5 * entropy_model.channels], [1, 2])
  log_factor = tf.random.stateless_normal([2, 1, 1, 5], [3, 4])
  before = entropy_model.parameters(raw)
  after = entropy_model.parameters(entropy_model.widen(raw, log_factor))
  np.testing.assert_allclose(after[1], before[1] * np.exp(log_factor), rtol=1e-5)
  np.testing.assert_array_equal(after[0], before[0])
  np.testing.assert_array_equal(after[2], before[2])


def test_the_bound_of_a_learned_shape_is_interpolated():
  model = GeneralizedGaussian()
  points = np.linspace(*model._range, 64)
  log_shapes = np.linspace(model._range[0] - 0.1, model._range[1] + 0.1, 201)
  bounds = model._log_bound(tf.constant(log_shapes))
  np.testing.assert_allclose(bounds, np.interp(log_shapes, points, model._log_bounds), rtol=1e-12)
