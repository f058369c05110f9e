import numpy as np
import pytest
import tensorflow as tf

from tfusq.quantization.soft_rounding import (
  denoise,
  soft_round,
  soft_round_slope,
  soft_round_slope_ratio,
)

ALPHAS = [1e-3, 0.5, 1.0, 5.0, 12.0, 16.0, 50.0]


def test_soft_rounding_matches_the_reference(reference, mode):
  functions = {'s': soft_round, 'ds': soft_round_slope, 'denoise_of_y': denoise}
  for name, function in functions.items():
    rows = [row for row in reference['pointwise'] if name in row]
    assert rows
    y = np.array([row['y'] for row in rows])
    alpha = np.array([row['alpha'] for row in rows])
    expected = np.array([row[name] for row in rows])
    for dtype, tolerance in ((tf.float64, 1e-7), (tf.float32, 2e-6)):
      ours = mode(function)(tf.constant(y, dtype), tf.constant(alpha, dtype))
      np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize('alpha', [0.5, 1.0, 5.0, 12.0])
def test_soft_rounding_equals_tensorflow_compression(alpha, mode):
  tfc = pytest.importorskip('tensorflow_compression')
  y = tf.constant(np.linspace(-3.3, 3.3, 331), tf.float64)
  a = tf.constant(alpha, tf.float64)
  np.testing.assert_allclose(mode(soft_round)(y, a), tfc.soft_round(y, a), atol=1e-12)
  # At the cell's very ends TFC's inverse loses digits to `atanh`.
  np.testing.assert_allclose(mode(denoise)(y, a), tfc.soft_round_conditional_mean(y, a), atol=1e-8)


@pytest.mark.parametrize('alpha', [0.5, 5.0, 16.0])
def test_slope_is_the_finite_difference_of_soft_rounding(alpha):
  y = tf.constant(np.linspace(-2.95, 2.95, 118) + 0.0123, tf.float64)
  a, h = tf.constant(alpha, tf.float64), 1e-6
  difference = (soft_round(y + h, a) - soft_round(y - h, a)) / (2 * h)
  np.testing.assert_allclose(soft_round_slope(y, a), difference, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize('alpha', [16.0, 30.0, 50.0])
def test_slope_is_right_in_float32_where_one_minus_tanh_squared_is_not(alpha):
  y = np.linspace(0.01, 0.99, 99).astype(np.float32)
  exact = soft_round_slope(tf.constant(y, tf.float64), tf.constant(alpha, tf.float64))
  ours = soft_round_slope(tf.constant(y), tf.constant(alpha, tf.float32))
  np.testing.assert_allclose(ours, exact, rtol=2e-5)


@pytest.mark.parametrize('alpha', [16.0, 30.0, 50.0])
def test_slope_is_not_right_by_tensorflow_compression(alpha):
  tfc = pytest.importorskip('tensorflow_compression')
  y = np.linspace(0.01, 0.99, 99).astype(np.float32)
  exact = soft_round_slope(tf.constant(y, tf.float64), tf.constant(alpha, tf.float64))
  with tf.GradientTape() as tape:
    t = tf.constant(y)
    tape.watch(t)
    theirs = tfc.soft_round(t, alpha)
  worst = np.nanmax(np.abs(tape.gradient(theirs, t).numpy() / exact.numpy() - 1))
  assert worst > 0.05, 'TFC is as good now: use its op'


@pytest.mark.parametrize('alpha', ALPHAS)
def test_gradient_of_soft_round_is_its_slope(alpha, latents, gradients):
  a = tf.constant(alpha)
  value, (by_y,) = gradients(lambda y: soft_round(y, a), latents)
  np.testing.assert_allclose(by_y, soft_round_slope(latents, a), rtol=1e-5)
  assert np.isfinite(value).all()


@pytest.mark.parametrize('alpha', [1e-3, 1.0, 5.0, 12.0])
def test_denoiser_takes_soft_rounding_half_a_step_off_to_half_a_step(alpha):
  y = tf.constant(np.linspace(-2.9, 2.9, 59) + 0.013, tf.float64)
  a = tf.constant(alpha, tf.float64)
  for half in (-0.5, 0.5):
    np.testing.assert_allclose(denoise(soft_round(y, a) + half, a), y + half, atol=1e-8)


def test_ratio_of_slopes_is_their_quotient_and_stays_finite_where_they_underflow():
  y = tf.constant(np.linspace(-1.4, 1.4, 29), tf.float64)
  w = tf.constant(np.linspace(0.9, -1.9, 29), tf.float64)
  alpha = tf.constant(8.0, tf.float64)
  quotient = soft_round_slope(y, alpha) / soft_round_slope(w, alpha)
  np.testing.assert_allclose(soft_round_slope_ratio(y, w, alpha), quotient, rtol=1e-10)

  # At the middle of a cell the exponential is 1, of which the square of 1 + 1 is in the slope.
  integer, middle = tf.constant(2.0), tf.constant(0.5)
  hot = tf.constant(1000.0)
  largest = float(soft_round_slope_ratio(middle, integer, hot))
  assert largest == pytest.approx(np.exp(80) / 4, rel=1e-4)
  assert float(soft_round_slope(integer, hot)) == 0
  assert float(soft_round_slope_ratio(integer, middle, hot)) == 0


def test_temperatures_below_the_least_are_the_identity():
  y = tf.constant(np.linspace(-2.2, 2.2, 23), tf.float32)
  for alpha in (0.0, 1e-6, 1e-3):
    np.testing.assert_allclose(soft_round(y, tf.constant(alpha)), y, atol=5e-7)
    np.testing.assert_allclose(denoise(y, tf.constant(alpha)), y, atol=5e-7)
    np.testing.assert_allclose(soft_round_slope(y, tf.constant(alpha)), 1, atol=1e-6)
