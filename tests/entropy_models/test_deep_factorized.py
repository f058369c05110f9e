import hashlib

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from tfusq.entropy_models import deep_factorized
from tfusq.entropy_models.deep_factorized import DeepFactorized

# Points of four channels: near the median, between integers, and in both tails.
Y = np.array([-400.0, -31.25, -2.0, -0.5, 0.0, 0.3, 1.0, 12.5, 90.0])[:, None] + np.zeros(4)


def make_density(channels=4):
  """A density whose channels differ and whose nonlinearities bend."""
  tf.random.set_seed(3)
  density = DeepFactorized(channels)
  for number, variable in enumerate(density.trainable_variables):
    noise = tf.random.stateless_normal(variable.shape, [number, 2], stddev=0.3)
    variable.assign_add(noise)
  return density


def exact_logit(density, y):
  """The network in float64, channel by channel."""
  matrices, biases, factors = (
    [variable.numpy().astype(np.float64) for variable in variables]
    for variables in (density._matrices, density._biases, density._factors)
  )
  columns = []
  for channel in range(density.channels):
    x = y[None, :, channel]
    for layer, matrix in enumerate(matrices):
      x = np.logaddexp(0, matrix[channel]) @ x + biases[layer][channel]
      if layer < len(factors):
        x = x + np.tanh(factors[layer][channel]) * np.tanh(x)
    columns.append(x[0])
  return np.stack(columns, -1)


def test_distribution_functions_are_those_of_the_network(mode):
  density = make_density()
  logit = exact_logit(density, Y)
  y = tf.constant(Y, tf.float32)
  np.testing.assert_allclose(mode(density.log_cdf)(y), special.log_expit(logit), rtol=1e-4)
  np.testing.assert_allclose(mode(density.log_survival)(y), special.log_expit(-logit), rtol=1e-4)


def test_masses_are_differences_of_the_distribution_function(mode):
  density = make_density()
  y = tf.constant(Y, tf.float32)
  below, above = exact_logit(density, Y - 0.5), exact_logit(density, Y + 0.5)
  exact = np.where(
    above > 0,
    special.expit(-below) - special.expit(-above),
    special.expit(above) - special.expit(below),
  )
  np.testing.assert_allclose(mode(density.mass)(y), exact, rtol=1e-3, atol=1e-37)
  log_mass = mode(density.log_mass)(y)
  np.testing.assert_allclose(log_mass, np.log(exact), rtol=1e-4, atol=1e-4)


def test_masses_sum_to_one_and_their_logarithms_hold_in_far_tails():
  density = make_density()
  y = tf.tile(tf.range(-2000.0, 2001.0)[:, None], [1, 4])
  total = tf.reduce_sum(tf.cast(density.mass(y), tf.float64), 0)
  np.testing.assert_allclose(total, 1, atol=1e-5)

  far = tf.constant([[-1e5] * 4, [1e5] * 4])
  with tf.GradientTape() as tape:
    tape.watch(far)
    log_mass = density.log_mass(far)
  assert (log_mass.numpy() < -1000).all() and np.isfinite(log_mass).all()
  slope = tape.gradient(log_mass, far).numpy()
  assert (slope[0] > 0).all() and (slope[1] < 0).all()


def test_gradients_are_finite_differences():
  density = make_density()
  y = np.linspace(-6, 6, 25)[:, None] + np.zeros(4)
  points = tf.constant(y, tf.float32)
  with tf.GradientTape() as tape:
    tape.watch(points)
    log_mass = density.log_mass(points)

  def exact_log_mass(y):
    return np.log(
      special.expit(exact_logit(density, y + 0.5)) - special.expit(exact_logit(density, y - 0.5))
    )

  expected = (exact_log_mass(y + 1e-5) - exact_log_mass(y - 1e-5)) / 2e-5
  np.testing.assert_allclose(tape.gradient(log_mass, points), expected, rtol=1e-3, atol=2e-5)


def test_masses_that_become_tables_are_those_of_tensorflow_2_14():
  """Whose `tf.sigmoid` rounds otherwise than that of later versions; identities depend on it."""
  # Products are summed in another order with AVX-512 than with AVX2.
  expected = {'AVX2': '099612a1ef265511', 'AVX-512': '30ce061678108450'}
  logit = np.float32([-100.0, -20.0, -4.3, -0.7, 0.0, 0.2, 1.1, 5.0, 17.0, 90.0])
  digest = hashlib.sha256(make_density().mass(tf.constant(Y, tf.float32)).numpy().tobytes())
  assert digest.hexdigest()[:16] in expected.values()
  sigmoid = deep_factorized._sigmoid(tf.constant(logit))
  np.testing.assert_allclose(sigmoid, special.expit(np.float64(logit)), rtol=3e-7, atol=1e-37)
  if tf.__version__.startswith('2.14.'):
    np.testing.assert_array_equal(sigmoid, tf.sigmoid(logit))


def test_a_scalar_is_a_point_of_every_channel():
  density = make_density()
  every = density.log_cdf(tf.fill([4], 0.25))
  np.testing.assert_array_equal(density.log_cdf(tf.constant(0.25)), every)


def test_variables_have_the_names_that_checkpoints_have(tmp_path):
  tf.train.Checkpoint(density=make_density()).write(str(tmp_path / 'checkpoint'))
  shapes = dict(tf.train.list_variables(str(tmp_path / 'checkpoint')))
  expected = {'_biases/0': [4, 3, 1], '_biases/2': [4, 1, 1], '_factors/1': [4, 3, 1]}
  expected |= {'_matrices/0': [4, 3, 1], '_matrices/1': [4, 3, 3], '_matrices/2': [4, 1, 3]}
  for name, shape in expected.items():
    assert shapes[f'density/{name}/.ATTRIBUTES/VARIABLE_VALUE'] == shape
  assert len(shapes) == 8 + 1  # and the graph of objects


def their_density(tfc, ours):
  """TensorFlow Compression's density with our variables' values."""
  theirs = tfc.DeepFactorized(batch_shape=[ours.channels])
  for variable, value in zip(theirs.variables, ours.variables, strict=True):
    variable.assign(value)
  return theirs


def test_initial_values_are_tensorflow_compressions():
  tfc = pytest.importorskip('tensorflow_compression')
  tf.random.set_seed(7)
  ours = DeepFactorized(5)
  tf.random.set_seed(7)
  theirs = tfc.DeepFactorized(batch_shape=[5])
  for one, other in zip(ours.variables, theirs.variables, strict=True):
    np.testing.assert_array_equal(one, other)


def test_values_equal_tensorflow_compressions_to_the_last_bit(mode):
  tfc = pytest.importorskip('tensorflow_compression')
  ours = make_density()
  theirs = their_density(tfc, ours)
  noisy = tfc.UniformNoiseAdapter(theirs)
  y = tf.constant(Y, tf.float32)
  for one, other in (
    (ours.log_cdf, theirs.log_cdf),
    (ours.log_survival, theirs.log_survival_function),
    (ours.mass, noisy.prob),
    (ours.log_mass, noisy.log_prob),
  ):
    np.testing.assert_array_equal(mode(one)(y), mode(other)(y))


def test_gradients_equal_tensorflow_compressions():
  tfc = pytest.importorskip('tensorflow_compression')
  ours = make_density()
  theirs = their_density(tfc, ours)
  y = tf.constant(Y, tf.float32)
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(y)
    one = ours.log_mass(y)
    other = tfc.UniformNoiseAdapter(theirs).log_prob(y)
  np.testing.assert_array_equal(tape.gradient(one, y), tape.gradient(other, y))
  for mine, their in zip(ours.variables, theirs.variables, strict=True):
    # Sums over the batch in another order.
    np.testing.assert_allclose(
      tape.gradient(one, mine), tape.gradient(other, their), rtol=1e-5, atol=1e-5
    )
