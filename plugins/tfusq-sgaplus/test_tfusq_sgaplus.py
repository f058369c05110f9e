"""Tests of tfusq-sgaplus."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

import tfusq
import tfusq.testing
from tfusq import runs
from tfusq_sgaplus import SGASSL, SGACosine, SGALinear

FAMILIES = [SGALinear, SGACosine, SGASSL]
CASES = [(cls, classes) for cls in FAMILIES for classes in (2, 3)]
# Integers, half-integers, values beside both, and values where float32 has few digits left.
HARD = [-2, -1, 0, 1, 7, -1.5, -0.5, 0.5, 2.5, 60.5, 1e4, -1e4, 1e-6, -1e-6, 0.4999999, 0.9999999]
MAX_Z = 4.5
SAMPLES = 100_000


@tfusq.testing.conformance(
  SGALinear(1.0),
  SGALinear(tfusq.Exponential(0.5), classes=3),
  SGACosine(0.3),
  SGACosine(1.0, classes=3),
  SGASSL(0.15),
  SGASSL(1.0, classes=3),
)
def test_conformance(check):
  check()


def published(cls, classes, y, tau):
  """Returns the integers and their probabilities by the paper's formulas, in float64.

  Args:
    cls: Surrogate that they are those of.
    classes: Number of integers.
    y: Latent, any shape.
    tau: Temperature.

  Returns:
    Two arrays of the shape of `y` with one axis more.
  """
  y = np.asarray(y, np.float64)
  if classes == 2:
    integers = np.stack([np.floor(y), np.floor(y) + 1], axis=-1)
    d = np.clip(np.abs(y[..., None] - integers), 1e-5, 1 - 1e-5)
    logits = {
      SGALinear: lambda: np.log(1 - d),
      SGACosine: lambda: np.log(np.cos(np.pi * d / 2) ** 2),
      SGASSL: lambda: special.log_expit(-2.3 * special.logit(d)),
    }[cls]()
  else:
    integers = np.floor(y + 0.5)[..., None] + np.arange(-1, 2)
    d = np.clip(0.98 * np.abs(y[..., None] - integers), 1e-5, 1 - 1e-5)
    near = np.clip(0.98 / 1.5 * np.abs(y[..., None] - integers), 1e-5, 1 - 1e-5)
    logits = {
      SGALinear: lambda: np.log((1 - d) ** 1.5),
      SGACosine: lambda: np.log(np.cos(np.pi * d / 2) ** 2),
      SGASSL: lambda: 1.4 * special.log_expit(-1.4 * special.logit(near)),
    }[cls]()
  return integers, special.softmax(logits / tau, axis=-1)


@pytest.mark.parametrize('cls', FAMILIES)
def test_the_sample_of_two_classes_is_the_papers_at_the_same_noise(cls):
  """In float32, also at integers and half-integers; `u = 0` at `tau = 1` gives `P_up` itself."""
  y = np.array([*HARD, *np.linspace(-1.5, 1.5, 61)], np.float32)
  for tau in (1.0, 0.5):
    for u in (0.0, -0.4, 0.3):
      integers, probability = published(cls, 2, y, tau)
      logistic = special.logit(u + 0.5)
      score = special.logit(probability[:, 1]) + logistic
      expected = special.expit(score / tau)
      y_tilde = cls(tau)(tf.constant(y), tf.constant(u))
      error = np.abs(y_tilde - integers[:, 0] - expected)
      # Half of the last digit at 60 is 2e-6, at 10^4 it is 5e-4.
      assert error[np.abs(y) < 100].max() < 3e-6 and error.max() < 5e-4


@pytest.mark.parametrize('cls, classes', CASES)
@pytest.mark.parametrize('tau', [0.4, 1.0])
def test_hard_samples_have_the_published_probabilities(cls, classes, tau):
  """The frequencies of the integers of samples at a low temperature, within z = 4.5.

  The logits are those of `tau`, by the power; the low temperature is the Gumbel softmax's alone.
  """
  latents = np.array([-2.0, -0.7, 0.03, 0.3, 0.499, 0.5, 1.95, 7.51])
  low = 0.005
  surrogate = cls(low, classes=classes, power=cls.powers[classes] * low / tau)
  y = tf.constant(np.tile(latents, (SAMPLES, 1)), tf.float32)
  samples = np.round(surrogate(y, surrogate.noise(y, [1, 2])))

  integers, probability = published(cls, classes, latents, tau)
  frequency = (samples[..., None] == integers).mean(0)
  z = (frequency - probability) / np.sqrt((probability * (1 - probability) + 1e-5) / SAMPLES)
  assert np.abs(z).max() < MAX_Z


@pytest.mark.parametrize('cls, classes', CASES)
@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
def test_relaxed_samples_have_the_law_of_independent_gumbel_variables(cls, classes, dtype):
  """The test of Kolmogorov and Smirnov, of two samples."""
  generator = np.random.default_rng(1)
  tau = 0.7
  for latent in (-0.47, 0.02, 0.6):
    y = tf.fill([SAMPLES, 1], tf.constant(latent, dtype))
    samples = cls(tau, classes=classes)(y, cls(tau).noise(y, [3, 4])).numpy().ravel()

    integers, probability = published(cls, classes, latent, tau)
    gumbel = generator.gumbel(size=(SAMPLES, classes))
    expected = special.softmax((np.log(probability) + gumbel) / tau, axis=-1) @ integers
    # With all the cases there are 36 comparisons, and this is p = 0.001 for them together.
    assert stats.ks_2samp(samples, expected).pvalue > 1e-3 / 36


@pytest.mark.parametrize('cls, classes', CASES)
def test_the_gradient_is_the_finite_difference_of_the_sample(cls, classes):
  # Off the kinks at integers and half-integers, and where the third class is just out of reach.
  y = tf.constant(np.linspace(-1.5, 1.5, 60, endpoint=False)[None] + 0.0123, tf.float64)
  y = tf.tile(y, [50, 1])
  for tau in (0.3, 1.0):
    surrogate = cls(tau, classes=classes)
    u = surrogate.noise(y, [5, 6])
    with tf.GradientTape() as tape:
      tape.watch(y)
      y_tilde = surrogate(y, u)
    gradient = tape.gradient(y_tilde, y)
    difference = (surrogate(y + 1e-6, u) - surrogate(y - 1e-6, u)) / 2e-6
    np.testing.assert_allclose(gradient, difference, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('cls, classes', CASES)
def test_values_and_gradients_are_finite_everywhere(cls, classes):
  for dtype in (tf.float32, tf.float64):
    y = tf.constant(HARD, dtype)[None]
    for tau in (1e-3, 0.15, 1.0, 5.0):
      surrogate = cls(tau, classes=classes)
      for u in (-0.5, 0.0, 0.4999999, 0.5):
        with tf.GradientTape() as tape:
          tape.watch(y)
          y_tilde = surrogate(y, tf.constant([[u]], dtype))
        assert np.isfinite(y_tilde).all()
        assert np.isfinite(tape.gradient(y_tilde, y)).all()
        assert (np.abs(y_tilde - y) <= surrogate.reach + 1e-5).all()


@pytest.mark.parametrize('cls, classes', CASES)
def test_a_low_temperature_rounds_to_the_nearest_integer(cls, classes):
  y = tf.tile(tf.linspace(-2.4, 2.4, 49)[None] + 0.013, [100, 1])
  surrogate = cls(1e-3, classes=classes)
  np.testing.assert_allclose(surrogate(y, surrogate.noise(y, [7, 8])), tf.round(y), atol=1e-6)


@pytest.mark.parametrize('cls, classes', CASES)
def test_it_moves_with_the_latent_by_integers_and_half_integers_too(cls, classes):
  y = tf.constant(np.arange(-32, 33)[None] / 16)
  surrogate = cls(0.5, classes=classes)
  u = surrogate.noise(y, [9, 10])
  for k in (1, 2, -5):
    np.testing.assert_allclose(surrogate(y + k, u), surrogate(y, u) + k, rtol=0, atol=1e-12)


def sample_and_gradient(surrogate):
  """Returns a surrogate's values and gradients at latents and noise that are always the same."""
  y = tf.tile(tf.linspace(-1.5, 1.5, 61)[None], [50, 1])
  with tf.GradientTape() as tape:
    tape.watch(y)
    y_tilde = surrogate(y, surrogate.noise(y, [11, 12]))
  return y_tilde, tape.gradient(y_tilde, y)


def test_ssl_of_scale_one_is_linear_with_two_classes():
  value, gradient = sample_and_gradient(SGASSL(0.6, a=1.0))
  linear_value, linear_gradient = sample_and_gradient(SGALinear(0.6))
  np.testing.assert_allclose(value, linear_value, atol=1e-5)
  np.testing.assert_allclose(gradient, linear_gradient, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('a, bound', [(4 / 3, 0.042), (np.pi / 2, 0.0071)])
def test_ssl_is_near_cosine(a, bound):
  y = tf.linspace(0.0, 1.0, 1001)[None]
  u = tf.zeros([1, 1])  # At `tau = 1` the sample is then the probability of the upper integer.
  distance = np.abs(SGASSL(1.0, a=a)(y, u) - SGACosine(1.0)(y, u)).max()
  assert 0.98 * bound < distance < bound


@pytest.mark.parametrize('tau, probability', [(1.0, 4e-4), (0.5, 3e-7)])
def test_the_class_that_ssl_leaves_out_at_half_integers_has_little_probability(tau, probability):
  _, probabilities = published(SGASSL, 3, 0.5, tau)
  assert probabilities[-1] == pytest.approx(probability, rel=0.1)


def test_the_same_seed_gives_two_classes_the_gumbel_variables_of_sga():
  y = tf.linspace(0.05, 0.95, 19)[None]
  tau = 0.5
  logistic = tfusq.SGA(tau).noise(y, [1, 2]).numpy()
  expected = special.expit((special.logit(y) / tau + logistic) / tau)
  surrogate = SGALinear(tau)
  np.testing.assert_allclose(surrogate(y, surrogate.noise(y, [1, 2])), expected, atol=1e-5)


@pytest.mark.parametrize('cls, classes', CASES)
def test_expected_gradient_is_refused_and_others_are_not(cls, classes):
  surrogate = cls(0.5, classes=classes)
  with pytest.raises(tfusq.Undefined, match='PGE or STE'):
    tfusq.Quantizer(surrogate, tfusq.EP())
  tfusq.Quantizer(surrogate, tfusq.PGE())
  tfusq.Quantizer(surrogate, tfusq.STE())
  assert not cls.has_density()


@pytest.mark.parametrize(
  'build, message',
  [
    (lambda: SGALinear(0.5, classes=4), 'SGALinear.classes must be 2 or 3, not 4'),
    (lambda: SGACosine(0.5, power=0), 'SGACosine.power must be a positive number, not 0'),
    (lambda: SGASSL(0.5, a=-1.0), 'SGASSL.a must be a positive number, not -1.0'),
    (lambda: SGASSL(0.0), 'a temperature is a positive number'),
  ],
)
def test_arguments_out_of_range_are_refused(build, message):
  with pytest.raises(ValueError, match=message):
    build()


def test_latents_are_refined_through_it_by_its_gin_file():
  gin_file = str(Path(__file__).parent / 'refinement.gin')
  refinement = runs.build_refinement(gin_file, [])
  assert refinement.describe() == 'SGASSL+PGE | SGASSL+PGE'
  assert refinement.rate.surrogate.classes == 3
