import hashlib

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from round_trips import choose_components, draw_latents, join_raw, round_trip
from tfusq import Gaussian, GaussianMixture


@pytest.mark.parametrize(
  'spread, scale', [(5.0, 0.001), (20.0, 0.003), (100.0, 0.02), (400.0, 0.5)]
)
def test_a_mixture_of_separated_narrow_components_takes_its_ideal_length(spread, scale):
  """Zero-centre too: what is subtracted is the centre that the code has."""
  rng = np.random.default_rng(8)
  shape, components = (1, 100, 300), (1, 100, 300, 3)
  model = GaussianMixture(bound=1e-6, floor=0.0)
  logits, means = rng.normal(0, 1, components), rng.normal(0, spread, components)
  chosen = choose_components(rng, logits)
  parameters = model.parameters(join_raw([logits, means, np.full(components, np.log(scale))]))

  # Means on the code's grid, so that only the weights are approximated.
  parameters = parameters._replace(mean=tf.round(parameters.mean * 2**12) / 2**12)
  mean = np.take_along_axis(parameters.mean.numpy(), chosen, -1)[..., 0]
  y = tf.constant(mean + scale * rng.normal(size=shape), tf.float32)
  wide = tf.nest.map_structure(lambda x: tf.cast(x, tf.float64), parameters)

  for zero_centre in (True, False):
    coder = model.coder(zero_centre)
    centre = model.centre(parameters) if zero_centre else tf.zeros(shape)
    np.testing.assert_array_equal(centre * 2**12, tf.round(centre * 2**12))
    symbols = tf.cast(tf.round(y - centre), tf.int32)
    string, decoded = round_trip(coder, symbols, coder.index(parameters))
    np.testing.assert_array_equal(decoded, symbols)

    y_hat = tf.cast(symbols, tf.float64) + tf.cast(centre, tf.float64)
    ideal = float(tf.reduce_sum(model.bits(y_hat, wide)))
    assert 8 * len(string) - ideal < 0.002 * ideal + 32, zero_centre


def test_a_mixtures_centre_is_near_the_weighted_mean_and_has_its_gradient():
  model = GaussianMixture()
  raw = tf.random.stateless_normal([1, 4, 5, 18], [1, 2])
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(raw)
    parameters = model.parameters(raw)
    centre = model.centre(parameters)
    smooth = tf.reduce_sum(tf.nn.softmax(parameters.logits) * parameters.mean, -1)
  np.testing.assert_allclose(centre, smooth, atol=5e-3)
  np.testing.assert_array_equal(tape.gradient(centre, raw), tape.gradient(smooth, raw))


def test_bisection_works_inside_a_loop():
  """As in a serial context: symbol by symbol, each index from the one before."""
  coder = GaussianMixture(2).coder(False)
  symbols = tf.constant([3, -1, 0, 40, -7000, 2])

  def index(previous):
    mean = tf.cast(tf.clip_by_value(previous, -9, 9), tf.float32)
    parts = [tf.stack([0.0, 1.0]), tf.stack([mean, mean + 1]), tf.stack([0.0, 0.5])]
    return coder.index([part[None] for part in parts])

  @tf.function
  def encode():
    handle, previous = coder.encoder(), tf.constant(0)
    for k in tf.range(6):
      handle = coder.encode(handle, symbols[k : k + 1], index(previous))
      previous = symbols[k]
    return coder.finalize(handle)

  @tf.function
  def decode(string):
    handle, previous = coder.decoder(string), tf.constant(0)
    decoded = tf.TensorArray(tf.int32, 6)
    for k in tf.range(6):
      handle, symbol = coder.decode(handle, index(previous))
      previous = tf.reshape(symbol, [])
      decoded = decoded.write(k, previous)
    return decoded.stack()

  np.testing.assert_array_equal(decode(encode()), symbols)


def test_a_mixture_of_one_is_the_gaussian_and_its_price_that_of_its_escapes():
  gaussian = Gaussian(bound=1e-6)
  y, parameters = draw_latents(gaussian, (0.11, 3.0))
  mixture = GaussianMixture(1, bound=1e-6)
  same = mixture.parameters(tf.concat([0 * y, *parameters], -1))
  np.testing.assert_allclose(
    mixture.bits(y, same), gaussian.bits(y, parameters), rtol=1e-5, atol=1e-6
  )

  coder = mixture.coder(False)
  far = tf.cast(tf.round(y), tf.int32) + 100_000
  index = coder.index(same)
  string, decoded = round_trip(coder, far, index)
  np.testing.assert_array_equal(decoded, far)
  price = float(tf.reduce_sum(coder.price(0 * y, far, index)))
  assert 8 * len(string) == pytest.approx(price, rel=1e-3)


def test_the_stored_distribution_is_that_of_earlier_codecs():
  """No rounding of another version or library can change an entry, so identities stay."""
  cdf = GaussianMixture().coder(zero_centre=True).cdf.numpy()
  assert hashlib.sha256(cdf.tobytes()).hexdigest()[:16] == '3d51ef8ecc924a66'

  exact = 2**16 * stats.norm.cdf(np.arange(-(2**15), 2**15 + 1) / 2**12)
  np.testing.assert_array_equal(cdf, np.round(exact))
  assert np.abs(exact - np.floor(exact) - 0.5).min() > 1e-6  # distance from a tie
