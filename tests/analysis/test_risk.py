"""Risk against closed forms and quadrature, and where EP is not defined."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import tfusq
from tfusq.analysis import risk
from tfusq.analysis.study import AnalysisError
from tfusq.entropy_models import gaussian_bits

# Each of them would be traced for a few blocks of samples.
pytestmark = pytest.mark.usefixtures('eagerly')

# Latents at an integer, at a half-integer, and between.
Y = np.array([-1.3, -0.5, -0.2, 0.0, 0.1, 0.45, 0.8])


def bits_and_slope(v, scale):
  """Returns -log2 P(v) of a zero-mean Gaussian and its derivative, by SciPy."""
  upper, lower = (v + 0.5) / scale, (v - 0.5) / scale
  probability = stats.norm.cdf(upper) - stats.norm.cdf(lower)
  slope = -(stats.norm.pdf(upper) - stats.norm.pdf(lower)) / (scale * probability * np.log(2))
  return -np.log2(probability), slope


def test_the_risk_of_straight_through_stochastic_rounding_is_that_of_two_points():
  # SR gives floor(y) + 1 with probability q = y - floor(y), and STE the slope there.
  y, scale, samples = risk.latents(30), 0.7, 20 * risk.BLOCK
  q = y - np.floor(y)
  low, slope_low = bits_and_slope(np.floor(y), scale)
  high, slope_high = bits_and_slope(np.floor(y) + 1, scale)
  bias = (1 - q) * slope_low + q * slope_high - (high - low)
  variance = q * (1 - q) * (slope_high - slope_low) ** 2

  gradient = risk.RateGradient(tfusq.SR(), [tfusq.STE()])
  expected = risk.ExpectedGradient(tfusq.SR())(y, scale, samples)
  (measured,) = risk.pointwise(gradient, expected, y, scale, samples)
  np.testing.assert_allclose(expected.value, high - low, rtol=1e-9)
  assert np.abs((measured.bias - bias) / measured.bias_error).max() < 4
  assert np.abs((measured.absolute - np.abs(bias)) / measured.bias_error).max() < 4
  # Its standard error vanishes at q = 1/2.
  spread = 4 * measured.variance_error + 1e-3 * variance
  assert (np.abs(measured.variance - variance) < spread).all()

  means = risk.mean_over_latents(measured)
  assert abs(means.bias - np.abs(bias).mean()) < 4 * means.bias_error
  assert abs(means.variance - variance.mean()) < 4 * means.variance_error


def test_the_variance_of_the_pathwise_gradient_of_noise_is_that_of_quadrature():
  y, scale = np.array([-0.8, 0.1, 0.5]), 0.5
  nodes, weights = np.polynomial.legendre.leggauss(60)
  _, slopes = bits_and_slope(y[:, None] + nodes / 2, scale)
  mean = slopes @ weights / 2
  variance = slopes**2 @ weights / 2 - mean**2

  gradient = risk.RateGradient(tfusq.AUN(), [tfusq.PGE()])
  expected = risk.ExpectedGradient(tfusq.AUN())(y, scale, risk.BLOCK)
  np.testing.assert_allclose(expected.value, mean, rtol=1e-9)
  (measured,) = risk.pointwise(gradient, expected, y, scale, 20 * risk.BLOCK)
  assert np.abs((measured.variance - variance) / measured.variance_error).max() < 4
  assert np.abs(measured.bias / measured.bias_error).max() < 4


class WithoutSecant(tfusq.SUA):
  """SUA whose law is not known."""

  secant = tfusq.Surrogate.secant


class HardWithoutSecant(tfusq.SR):
  """SR whose law is not known."""

  secant = tfusq.Surrogate.secant


@pytest.mark.parametrize(
  'known, unknown', [(tfusq.SUA(3.0), WithoutSecant(3.0)), (tfusq.SR(), HardWithoutSecant())]
)
@pytest.mark.parametrize('scale', [0.3, 1.0])
def test_the_expected_gradient_is_found_without_the_law(known, unknown, scale):
  y = Y if unknown.differentiable else risk.latents(150)
  exact = risk.ExpectedGradient(known)(y, scale, risk.BLOCK)
  found = risk.ExpectedGradient(unknown)(y, scale, 20 * risk.BLOCK, seed=3)
  assert not exact.error.any()
  # Difference quotients smooth what jumps at integers.
  inside = unknown.differentiable | (np.abs(y - np.round(y)) > 0.02)
  z = (found.value - exact.value) / (found.error + 2e-3 * np.abs(exact.value) + 1e-12)
  assert np.abs(z[inside]).max() < 4, z


def test_of_rounding_no_jump_is_missed():
  # Between neighbouring latents, up to the jumps at the ends: all change of the rate is there.
  found = risk.ExpectedGradient(tfusq.Round())(risk.latents(61), 1.0, risk.BLOCK)
  middle, far = gaussian_bits(*(tf.constant(v, tf.float64) for v in ([0.0, 2.0], 0.0, 1.0)))
  assert np.abs(found.value).sum() * 3 / 61 == pytest.approx(2 * float(far - middle))


def test_what_is_deterministic_has_no_variance_and_its_own_gradient():
  surrogate = tfusq.SHA(4.0)
  measure = risk.RateGradient(surrogate, [tfusq.PGE(), tfusq.STE()])
  exact = risk.ExpectedGradient(surrogate)(Y, 0.5, risk.BLOCK)
  for found in risk.pointwise(measure, exact, Y, 0.5, risk.BLOCK):
    assert np.abs(found.bias).max() < 1e-9 and found.variance.max() < 1e-9


def test_latents_beyond_one_part_are_measured_like_others():
  y = np.tile(Y, 60)
  surrogate = tfusq.AUN()
  exact = risk.ExpectedGradient(surrogate)(y, 1.0, risk.BLOCK)
  (found,) = risk.pointwise(
    risk.RateGradient(surrogate, [tfusq.PGE()]), exact, y, 1.0, 2 * risk.BLOCK
  )
  assert found.bias.shape == y.shape
  assert np.abs(found.bias / found.bias_error).max() < 4.5
  assert len(np.unique(found.bias)) == len(y)  # noise of its own everywhere


def test_samples_are_whole_blocks():
  exact = risk.Expected(Y, Y, Y)
  with pytest.raises(AnalysisError, match='multiple of 1000, not 500'):
    risk.pointwise(risk.RateGradient(tfusq.AUN(), [tfusq.PGE()]), exact, Y, 1.0, 500)


class NoiseWithoutSecant(tfusq.AUN):
  """AUN whose law is not known."""

  secant = tfusq.Surrogate.secant


def test_no_bias_is_found_where_there_is_none_and_the_expectation_is_sampled(monkeypatch):
  monkeypatch.setattr(risk, 'BLOCK', 100)
  y = risk.latents(31)
  surrogate = NoiseWithoutSecant()
  measure, expected = risk.RateGradient(surrogate, [tfusq.PGE()]), risk.ExpectedGradient(surrogate)
  found = []
  for seed in range(40):
    exact = expected(y, 1.0, 800, 1000 + seed)
    (pointwise,) = risk.pointwise(measure, exact, y, 1.0, 200, seed)
    means = risk.mean_over_latents(pointwise)
    found.append(means.bias / means.bias_error)
  # With one reference for sign and size it would be about one.
  assert np.mean(found) < 0.4 and np.std(found) < 2
