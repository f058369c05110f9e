import numpy as np
import pytest
import tensorflow as tf

from tfusq import Factorized, Gaussian
from tfusq.coding import PRECISION, RAW_BITS, Coder
from tfusq.quantizer import MAX_SYMBOL


@pytest.fixture(scope='module')
def gaussian():
  return Gaussian(bound=1e-6)


@pytest.fixture(scope='module')
def coder(gaussian):
  return gaussian.coder(zero_centre=True)


def parameters_of(gaussian, scale):
  scale = tf.constant(scale, tf.float32)
  return gaussian.parameters(tf.concat([tf.zeros_like(scale), tf.math.log(scale)], -1))


def round_trip(coder, symbols, index):
  """Codes and decodes in graph mode, as an exported codec does."""
  @tf.function
  def run(symbols, index):
    string = coder.finalize(coder.encode(coder.encoder(), symbols, index))
    _, decoded = coder.decode(coder.decoder(string), index)
    return string, decoded
  string, decoded = run(symbols, index)
  return string.numpy(), decoded.numpy()


@pytest.mark.parametrize('scale', [.12, .3, 1., 8., 100.])
def test_symbols_return_and_take_their_ideal_length(gaussian, coder, scale):
  count = 60_000
  parameters = parameters_of(gaussian, np.full([1, 100, count // 100], scale))
  noise = tf.random.stateless_normal(parameters.scale.shape, [1, 2])
  symbols = tf.cast(tf.round(noise * scale), tf.int32)
  index = coder.index(parameters)
  string, decoded = round_trip(coder, symbols, index)
  np.testing.assert_array_equal(decoded, symbols)
  ideal = float(tf.reduce_sum(gaussian.bits(tf.cast(symbols, tf.float32), tf.nest.map_structure(
      lambda x: x, parameters))))
  assert abs(8 * len(string) - ideal) < 1e-3 * ideal + 32


def test_far_symbols_are_escaped_and_return(gaussian, coder):
  symbols = tf.constant([[0, 1, -1, 5000, -70000, 2**20, -2**20, MAX_SYMBOL, -MAX_SYMBOL, 0, 3]])
  index = coder.index(parameters_of(gaussian, np.full(symbols.shape, .5)))
  string, decoded = round_trip(coder, symbols, index)
  np.testing.assert_array_equal(decoded, symbols)
  bits = coder.price(tf.fill(symbols.shape, 1.), symbols, index).numpy()
  assert (bits[0, 3:9] >= RAW_BITS).all() and (bits[0, :3] == 1).all()
  assert abs(8 * len(string) - bits[0, 3:9].sum()) < 64


def test_every_table_codes_its_window_and_beyond(coder):
  tables = coder.sizes.shape[0]
  edges = []
  for table in range(0, tables, 15):
    low, size = int(coder.minima[table]), int(coder.sizes[table])
    edges += [(table, symbol) for symbol in (low - 1, low, 0, low + size - 1, low + size)]
  index, symbols = (tf.constant([column]) for column in zip(*edges))
  np.testing.assert_array_equal(round_trip(coder, symbols, index)[1], symbols)


def test_parts_share_one_string(gaussian, coder):
  index = coder.index(parameters_of(gaussian, np.full([1, 40], 2.)))
  parts = [tf.random.stateless_uniform([1, 40], [seed, 0], -9, 9, tf.int32) for seed in range(3)]
  handle = coder.encoder()
  for part in parts:
    handle = coder.encode(handle, part, index)
  handle = coder.decoder(coder.finalize(handle))
  for part in parts:
    handle, decoded = coder.decode(handle, index)
    np.testing.assert_array_equal(decoded, part)


def test_random_bytes_decode_to_something_and_end(gaussian, coder):
  """TFC's own escape does not end on some of these."""
  index = coder.index(parameters_of(gaussian, np.full([1, 500], 1.)))
  random = np.random.default_rng(0)
  for string in [b'', b'\xff' * 3, b'\xff' * 60, b'\0' * 9, *(random.bytes(60) for _ in range(40))]:
    _, decoded = coder.decode(coder.decoder(tf.constant(string)), index)
    assert decoded.shape == index.shape
    assert np.abs(decoded).max() < 2**24


def test_index_is_the_nearest_level_and_bounded(gaussian, coder):
  levels = np.geomspace(gaussian.MIN_LEVEL, gaussian.MAX_LEVEL, gaussian.LEVELS)
  scales = np.concatenate([levels[::17], [1e-6, .05, 256.]])
  index = coder.index(parameters_of(gaussian, scales[None])).numpy()[0]
  assert index.tolist() == [*range(0, gaussian.LEVELS, 17), 0, 0, gaussian.LEVELS - 1]


def test_zero_mean_tables_no_longer_change_below_the_smallest_level(gaussian):
  """At 16 bits, [-1, 0, 1, escape] is the same for every scale below 0.1227."""
  from tfusq.entropy_models import gaussian_bits
  def table(scale):
    y = tf.constant([-1., 0., 1.], tf.float64)
    pmf = 2.**-gaussian_bits(y, tf.constant(0, tf.float64), tf.constant(scale, tf.float64))
    return Coder([pmf.numpy()], [-1], None).lookup.numpy()[:6].tolist()
  constant = [16, 0, 1, 65534, 65535, 65536]
  assert table(1e-6 + .04) == table(gaussian.MIN_LEVEL) == table(.1226) == constant
  assert table(.1235) != constant


def test_nonzero_centre_says_what_is_missing(gaussian):
  with pytest.raises(NotImplementedError, match='zero_centre = True'):
    gaussian.coder(zero_centre=False)


def test_factorized_tables_cover_each_channel():
  tf.random.set_seed(1)
  model = Factorized()
  model.build(4)
  for variable in model.density.trainable_variables:
    variable.assign_add(tf.random.stateless_normal(variable.shape, [5, 6], stddev=.5))
  coder = model.coder(zero_centre=False)
  parameters = model.parameters(tf.zeros([1, 3, 50, 0]))
  index = coder.index(parameters)
  assert index.shape == [1, 3, 50, 4] and (index.numpy() == np.arange(4)).all()
  symbols = tf.random.stateless_uniform(index.shape, [9, 9], -8, 9, tf.int32)
  string, decoded = round_trip(coder, symbols, index)
  np.testing.assert_array_equal(decoded, symbols)
  ideal = float(tf.reduce_sum(coder.price(
      model.bits(tf.cast(symbols, tf.float32), parameters), symbols, index)))
  assert abs(8 * len(string) - ideal) < .005 * ideal + 32
  for channel in range(4):
    low, high = (int(coder.minima[channel]) + extent - .5
                 for extent in (0, int(coder.sizes[channel])))
    outside = model.density.cdf(low)[channel] + 1 - model.density.cdf(high)[channel]
    assert float(outside) < 2**-PRECISION


@pytest.mark.parametrize('pmf', [[], [.5, np.nan], [-.1, .5], [.9, .9], np.full(2**15, 2.**-16)])
def test_what_is_no_table_is_refused(pmf):
  with pytest.raises(ValueError, match='a table'):
    Coder([np.asarray(pmf)], [0], None)
