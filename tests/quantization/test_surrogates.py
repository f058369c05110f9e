import numpy as np
import pytest
import tensorflow as tf

from tfusq import AUN, SGA, SHA, SR, SRA, SUA, Round, SGAHard, SUAn, UQi, UQs
from tfusq.entropy_models import gaussian_bits
from tfusq.quantization.soft_rounding import soft_round
from tfusq.quantization.temperature import describe

ALPHAS = [1e-3, 0.5, 1.0, 5.0, 12.0, 16.0, 50.0]


def test_sua_is_additive_noise_when_cold_and_rounding_when_hot(mode):
  y = tf.constant(np.linspace(-2.4, 2.4, 48), tf.float64)
  u = AUN().noise(y, [1, 2])
  np.testing.assert_allclose(mode(SUA(1e-3))(y, u), y + u, atol=1e-6)
  np.testing.assert_allclose(soft_round(y, tf.constant(400.0, tf.float64)), tf.round(y), atol=1e-3)


@pytest.mark.parametrize('alpha', ALPHAS)
@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
def test_sua_and_its_gradient_stay_finite_and_on_the_support(alpha, dtype, latents, gradients):
  surrogate = SUA(alpha)
  y = tf.cast(latents, dtype)
  for u in (
    surrogate.noise(y, [3, 4]),
    tf.fill(y.shape, tf.constant(-0.5, dtype)),
    tf.fill(y.shape, tf.constant(0.4999999, dtype)),
    tf.zeros_like(y),
  ):
    y_tilde, (by_y, _) = gradients(surrogate, y, u)
    assert np.isfinite(y_tilde).all() and np.isfinite(by_y).all()
    assert (np.abs(y_tilde - y) <= 0.5 + 1e-6 * np.maximum(1, np.abs(y))).all()


@pytest.mark.parametrize('alpha', [1.0, 5.0, 8.0])
def test_sua_gradient_is_the_finite_difference_of_its_sample(alpha, gradients):
  surrogate = SUA(alpha)
  y = tf.constant(np.linspace(-1.9, 1.9, 39) + 0.0071, tf.float64)
  u = surrogate.noise(y, [5, 6])
  _, (by_y, _) = gradients(surrogate, y, u)
  h = 1e-7
  difference = (surrogate(y + h, u) - surrogate(y - h, u)) / (2 * h)
  # The samples next to a kink of `floor(s(y) + u - 1/2)` change branch within h.
  smooth = np.abs(difference) < 1e4
  np.testing.assert_allclose(by_y[smooth], difference[smooth], rtol=1e-4, atol=1e-5)
  assert smooth.sum() >= 38


@pytest.mark.parametrize('surrogate', [Round(), AUN(), SUA(5.0)])
def test_integer_shifts_pass_through(surrogate):
  y = tf.constant(np.linspace(-1.2, 1.2, 25) + 0.013, tf.float64)  # no ties: even is not shifted
  u = surrogate.noise(y, [7, 8])
  np.testing.assert_allclose(surrogate(y + 3, u), surrogate(y, u) + 3, atol=1e-12)


@pytest.mark.parametrize('alpha', [88.0, 200.0, 1000.0])
@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
def test_sua_stays_finite_where_its_slopes_underflow(alpha, dtype, latents, gradients):
  y = tf.cast(latents, dtype)
  for half in (-0.5, 0.0, 0.25):
    y_tilde, (by_y, _) = gradients(SUA(alpha), y, tf.fill(y.shape, tf.constant(half, dtype)))
    assert np.isfinite(y_tilde).all() and np.isfinite(by_y).all()


def test_large_latents_lose_no_precision_of_the_slope():
  """Differentiating through `floor` gave a mean slope of 0.958 here."""
  y = tf.random.stateless_uniform([200_000], [1, 1], 59.0, 61.0)
  surrogate = SUA(5.0)
  u = surrogate.noise(y, [2, 2])
  with tf.GradientTape() as tape:
    tape.watch(y)
    y_tilde = surrogate(y, u)
  slopes = tape.gradient(y_tilde, y).numpy()
  standard_error = slopes.std() / np.sqrt(slopes.size)
  assert abs(slopes.mean() - 1) < 4 * standard_error  # E over u and phase of s' r' is 1
  assert standard_error < 0.02


SURROGATES = {
  'round': [Round],
  'AUN': [AUN, UQi, UQs],
  'SR': [SR],
  'SHA': [SHA],
  'SUA': [SUA],
  'SUA-n': [SUAn],
  'SRA': [SRA],
  'SGA-hard': [SGAHard],
  'SGA': [SGA],
}


@pytest.mark.parametrize('name', SURROGATES)
def test_rate_of_a_gaussian_source_matches_the_reference(name, reference):
  """Bits of the sample of a Gaussian latent under its own density, in the mean, within z = 4.5."""
  samples = 100_000
  compared = 0
  for setting, table in reference['rate'].items():
    mean, scale = (tf.constant(float(part.split('=')[1])) for part in setting.split(','))
    y = mean + scale * tf.random.stateless_normal([samples, 1], [51, 52])
    for key, row in table.items():
      kind, _, temperature = key.partition('@')
      if kind != name:
        continue
      for cls in SURROGATES[name]:
        surrogate = cls(float(temperature)) if temperature else cls()
        bits = gaussian_bits(surrogate(y, surrogate.noise(y, [53, 54])), mean, scale)
        error = row['mc_se'] * np.sqrt(reference['meta']['mc_n'] / samples) + 1e-5  # float32's
        assert abs(np.mean(bits, dtype=np.float64) - row['rate']) < 4.5 * error, (setting, key)
        compared += 1
  assert compared >= 12


@pytest.mark.parametrize('surrogate', [Round(), UQs(), SUA(3.0), SR()], ids=describe)
def test_even_the_rank_may_be_unknown_when_traced(surrogate):
  y = tf.random.stateless_normal([2, 3, 4], [1, 2])
  traced = tf.function(
    lambda y: surrogate(y, surrogate.noise(y, [3, 4])),
    input_signature=[tf.TensorSpec(None, tf.float32)],
  )
  np.testing.assert_allclose(traced(y), surrogate(y, surrogate.noise(y, [3, 4])), rtol=1e-5)


def test_noise_is_uniform_and_a_function_of_the_seed():
  y = tf.zeros([2, 50, 50, 4])
  u = AUN().noise(y, [1, 2]).numpy()
  np.testing.assert_array_equal(u, AUN().noise(y, [1, 2]))
  assert (u != AUN().noise(y, [1, 3]).numpy()).mean() > 0.99
  assert u.min() >= -0.5 and u.max() < 0.5
  assert abs(u.mean()) < 4 / np.sqrt(12 * u.size)
  assert abs(u.var() - 1 / 12) < 4 * np.sqrt(1 / 180 / u.size)


def test_rounding_needs_no_noise_and_takes_ties_to_even():
  y = tf.constant([[-1.5, -0.5, 0.5, 1.5, 2.5]])
  u = Round().noise(y, [0, 0])
  assert u.shape == [1, 1]
  assert Round()(y, u).numpy().tolist() == [[-2.0, 0.0, 0.0, 2.0, 2.0]]
