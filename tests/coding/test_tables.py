import numpy as np
import pytest
import tensorflow as tf

from round_trips import draw_latents, round_trip, traced_round_trip
from tfusq import Coder, Gaussian, GaussianMixture, Laplacian
from tfusq.coding import LONG_BITS, Tables, trim, wrap
from tfusq.quantization.rounding import MAX_SYMBOL

# Scales that give about 0.1, 0.5 and 2 bits per pixel at 0.75 latents per pixel; post-stage ones.
SCALES = [(0.11, 0.33), (0.11, 0.75), (0.5, 3.0), (1e-6, 0.3), (0.5, 200.0)]
CODED = [
  (Gaussian, True),
  (Gaussian, False),
  (Laplacian, True),
  (Laplacian, False),
  (GaussianMixture, True),
  (GaussianMixture, False),
]


@pytest.fixture(scope='module')
def gaussian():
  return Gaussian(bound=1e-6)


@pytest.fixture(scope='module')
def coder(gaussian):
  return gaussian.coder(zero_centre=True)


def index_of_scale(gaussian, coder, scale, shape):
  """Returns the index of components of mean 0 and one scale."""
  mean = tf.zeros(shape)
  log_scale = tf.fill(shape, tf.math.log(scale))
  return coder.index(gaussian.parameters(tf.concat([mean, log_scale], -1)))


def test_a_coder_without_its_methods_is_not_built():
  class Incomplete(Coder):
    def index(self, parameters):
      return parameters

  with pytest.raises(TypeError, match='abstract methods?.*decode.*encode.*price'):
    Incomplete(np.zeros(0), 0)


@pytest.mark.parametrize('cls, zero_centre', CODED)
def test_symbols_return_and_take_their_ideal_length(cls, zero_centre):
  """0.1 % and 4 bytes over the float64 ideal; mixture and nonzero-centre 0.2 %."""
  model = cls(bound=1e-6, floor=0.0)
  coder = model.coder(zero_centre)
  run = traced_round_trip(coder)
  allowed = 0.001 if zero_centre and cls is not GaussianMixture else 0.002

  def offset(parameters):
    return model.centre(parameters) if zero_centre else 0

  for scales in SCALES:
    y, parameters = draw_latents(model, scales)
    symbols = tf.cast(tf.round(y - offset(parameters)), tf.int32)
    index = coder.index(parameters)
    string, decoded = run(symbols, index)
    np.testing.assert_array_equal(decoded, symbols)

    wide = tf.nest.map_structure(lambda x: tf.cast(x, tf.float64), parameters)
    ideal_bits = model.bits(tf.cast(symbols, tf.float64) + offset(wide), wide)
    ideal = float(tf.reduce_sum(ideal_bits))
    assert 8 * len(string) - ideal < allowed * ideal + 32, scales

    bits = model.bits(tf.cast(symbols, tf.float32) + offset(parameters), parameters)
    estimate = float(tf.reduce_sum(coder.price(bits, symbols, index)))
    assert abs(8 * len(string) - estimate) < 0.003 * ideal + 32, scales


@pytest.mark.parametrize('cls, zero_centre', CODED)
def test_symbols_far_from_the_mean_return(cls, zero_centre):
  model = cls(bound=1e-6)
  coder = model.coder(zero_centre)
  grid = np.meshgrid(
    [0.0, 0.5, -3.7, 2.0**20, -float(MAX_SYMBOL), 3e9],
    [-14.0, -2.0, 0.0, 5.0],
    [0, 1, -1, 5000, -70000, 2**20, -(2**20), MAX_SYMBOL, -MAX_SYMBOL, 3],
  )
  mean, log_scale, symbols = (axis.ravel()[None] for axis in grid)
  raw = [mean, log_scale]
  if cls is GaussianMixture:
    raw = [np.repeat(part, 3, -1) for part in (0 * mean, mean, log_scale)]
  raw = tf.constant(np.concatenate(raw, -1), tf.float32)

  symbols = tf.constant(symbols, tf.int32)
  _, decoded = round_trip(coder, symbols, coder.index(model.parameters(raw)))
  np.testing.assert_array_equal(decoded, symbols)


@pytest.mark.parametrize('cls', [Gaussian, Laplacian, GaussianMixture])
def test_indexes_do_not_depend_on_shape_or_neighbours(cls):
  """They are made by operations that IEEE 754 defines to the last bit."""
  model = cls(bound=1e-6)
  raw = 3 * tf.random.stateless_normal([1, 9, 11, 4 * model.channels], [1, 2])
  for zero_centre in (True, False):
    coder = model.coder(zero_centre)
    together = coder.index(model.parameters(raw)).numpy()
    for row, column in np.ndindex(9, 11):
      alone = coder.index(model.parameters(raw[:, row : row + 1, column : column + 1]))
      np.testing.assert_array_equal(alone[:, 0, 0], together[:, row, column])


def test_far_symbols_are_escaped_and_return(gaussian, coder):
  symbols = tf.constant([[0, 1, -1, 5000, -70000, 2**20, -(2**20), MAX_SYMBOL, -MAX_SYMBOL, 0, 3]])
  index = index_of_scale(gaussian, coder, 0.5, symbols.shape)
  string, decoded = round_trip(coder, symbols, index)
  np.testing.assert_array_equal(decoded, symbols)

  bits = coder.price(tf.fill(symbols.shape, 1.0), symbols, index).numpy()
  assert (bits[0, 3:9] >= LONG_BITS).all() and (bits[0, :3] == 1).all()
  assert abs(8 * len(string) - bits[0, 3:9].sum()) < 64


@pytest.mark.parametrize('cls', [Gaussian, GaussianMixture])
def test_symbols_just_outside_take_eight_bits_more_and_return(cls):
  model = cls(bound=0.11)
  coder = model.coder(zero_centre=True)
  symbols = tf.constant([8, -9, 60, -60, 130, -130, 140, -140, 300, -300])[:, None]
  index = coder.index(model.parameters(tf.zeros([10, model.channels])))  # of scale 1
  string, decoded = round_trip(coder, symbols, index)
  np.testing.assert_array_equal(decoded, symbols)

  bits = coder.price(tf.fill(symbols.shape, 99.0), symbols, index).numpy()[:, 0]
  assert (bits[:4] > 16).all() and (bits[:4] < (26 if cls is Gaussian else 40)).all()
  np.testing.assert_allclose(bits[-2:], bits[:2] + 24, rtol=1e-6)
  assert abs(8 * len(string) - bits.sum()) < 32


def test_every_table_codes_its_window_and_beyond(coder):
  index, symbols = [], []
  for table in range(0, coder.sizes.shape[0], 15):
    low, size = int(coder.minima[table]), int(coder.sizes[table])
    symbols += [low - 1, low, 0, low + size - 1, low + size]
    index += 5 * [table]
  _, decoded = round_trip(coder, tf.constant([symbols]), tf.constant([index]))
  np.testing.assert_array_equal(decoded, [symbols])


def test_parts_share_one_string(gaussian, coder):
  index = index_of_scale(gaussian, coder, 2.0, [1, 40])
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
  index = index_of_scale(gaussian, coder, 1.0, [1, 500])
  random = np.random.default_rng(0)
  for string in [b'', b'\xff' * 3, b'\xff' * 60, b'\0' * 9, *(random.bytes(60) for _ in range(40))]:
    _, decoded = coder.decode(coder.decoder(tf.constant(string)), index)
    assert decoded.shape == index.shape
    assert np.abs(decoded).max() < 2**24


def test_differences_of_symbols_wrap_and_return():
  symbols, shifts = np.meshgrid([-MAX_SYMBOL, -1, 0, 1, MAX_SYMBOL], [-MAX_SYMBOL, 0, MAX_SYMBOL])
  difference = wrap(tf.constant(symbols - shifts, tf.int32))
  assert np.abs(difference).max() <= 2**23
  np.testing.assert_array_equal(wrap(difference + shifts), symbols)


def expected_length(pmf):
  """Bits of a symbol under the table that the range coder makes of a window's probabilities."""
  counts = np.diff(Tables([pmf], [0], None).lookup.numpy()[1 : len(pmf) + 3])
  inside = (pmf * (16 - np.log2(counts[:-1]))).sum()
  outside = (1 - pmf.sum()) * (16 - np.log2(counts[-1]) + LONG_BITS)
  return inside + outside


def test_trimming_keeps_what_codes_better_in_the_table():
  y = np.arange(-4000, 4001)
  pmf = np.exp(-np.abs(y) / 200) / (2 * 200)
  kept, dropped = trim(pmf)
  np.testing.assert_array_equal(kept, pmf[dropped:-dropped])
  lengths = [expected_length(pmf[k : len(pmf) - k]) for k in range(0, 3500, 100)]
  assert expected_length(kept) < min(lengths) + 0.003
  narrow = np.full(255, 1e-9)
  assert trim(narrow)[0] is narrow


@pytest.mark.parametrize(
  'pmf', [[], [0.5, np.nan], [-0.1, 0.5], [0.9, 0.9], np.full(2**15, 2.0**-16)]
)
def test_what_is_no_table_is_refused(pmf):
  with pytest.raises(ValueError, match='a table'):
    Tables([np.asarray(pmf)], [0], None)
