import numpy as np
import pytest
import tensorflow as tf
import tensorflow_compression as tfc

from tfusq import Factorized, Gaussian, GaussianMixture, Laplacian
from tfusq.coding import LONG_BITS, PRECISION, TAIL_MASS, Tables, trim, wrap
from tfusq.entropy_models import gaussian_bits, laplacian_bits
from tfusq.quantization.rounding import MAX_SYMBOL


@pytest.fixture(scope='module')
def gaussian():
  return Gaussian(bound=1e-6)


@pytest.fixture(scope='module')
def coder(gaussian):
  return gaussian.coder(zero_centre=True)


def parameters_of(gaussian, scale):
  scale = tf.constant(scale, tf.float32)
  return gaussian.parameters(tf.concat([tf.zeros_like(scale), tf.math.log(scale)], -1))


def traced_round_trip(coder):
  """Returns a function that codes and decodes in graph mode, as an exported codec does."""

  @tf.function
  def run(symbols, index):
    string = coder.finalize(coder.encode(coder.encoder(), symbols, index))
    _, decoded = coder.decode(coder.decoder(string), index)
    return string, decoded

  return lambda symbols, index: [result.numpy() for result in run(symbols, index)]


def round_trip(coder, symbols, index):
  return traced_round_trip(coder)(symbols, index)


def source(model, scales, seed=0, count=60_000):
  """Latents distributed as the model says, with means of any fraction, and the parameters."""
  rng = np.random.default_rng(seed)
  shape = (1, 100, count // 100)
  if isinstance(model, GaussianMixture):
    components = (*shape, model.channels // 3)
    logits = rng.normal(0, 1, components)
    means = rng.normal(0, 1.5, components) + rng.normal(0, 5, shape)[..., None]
    log_scales = np.log(rng.uniform(*scales, components))
    raw = [logits, means, log_scales]
    draw = np.log(rng.uniform(size=components))  # Gumbel's way to choose a component
    chosen = np.argmax(logits - np.log(-draw), -1)[..., None]
    mean, log_scale = (np.take_along_axis(x, chosen, -1)[..., 0] for x in (means, log_scales))
  else:
    mean, log_scale = rng.normal(0, 5, shape), np.log(rng.uniform(*scales, shape))
    raw = [mean, log_scale]
  noise = rng.laplace(size=shape) if isinstance(model, Laplacian) else rng.normal(size=shape)
  parameters = model.parameters(
    tf.constant(np.concatenate([x.reshape(*shape[:-1], -1) for x in raw], -1), tf.float32)
  )
  return tf.constant(mean + np.exp(log_scale) * noise, tf.float32), parameters


# Scales that give about 0.1, 0.5 and 2 bits per pixel at 0.75 latents per pixel; post-stage ones.
SCALES = [(0.11, 0.33), (0.11, 0.75), (0.5, 3.0), (1e-6, 0.3), (0.5, 200.0)]
CODED = [
  (cls, zero_centre)
  for cls in (Gaussian, Laplacian, GaussianMixture)
  for zero_centre in (True, False)
]


@pytest.mark.parametrize('cls, zero_centre', CODED)
def test_symbols_return_and_take_their_ideal_length(cls, zero_centre):
  """0.1 % and 4 bytes over the float64 ideal; mixture and nonzero-centre 0.2 %."""
  model = cls(bound=1e-6, floor=0.0)
  coder = model.coder(zero_centre)
  run = traced_round_trip(coder)

  def offset(parameters):
    return model.centre(parameters) if zero_centre else 0

  for scales in SCALES:
    y, parameters = source(model, scales)
    wide = tf.nest.map_structure(lambda x: tf.cast(x, tf.float64), parameters)
    symbols = tf.cast(tf.round(y - offset(parameters)), tf.int32)
    index = coder.index(parameters)
    string, decoded = run(symbols, index)
    np.testing.assert_array_equal(decoded, symbols)
    ideal = float(tf.reduce_sum(model.bits(tf.cast(symbols, tf.float64) + offset(wide), wide)))
    allowed = 0.001 if zero_centre and cls is not GaussianMixture else 0.002
    assert 8 * len(string) - ideal < allowed * ideal + 32, scales
    estimate = coder.price(
      model.bits(tf.cast(symbols, tf.float32) + offset(parameters), parameters), symbols, index
    )
    assert abs(8 * len(string) - float(tf.reduce_sum(estimate))) < 0.003 * ideal + 32, scales


@pytest.mark.parametrize('cls, zero_centre', CODED)
def test_symbols_far_from_the_mean_return(cls, zero_centre):
  model = cls(bound=1e-6)
  coder = model.coder(zero_centre)
  mean, log_scale, symbols = (
    x.ravel()[None]
    for x in np.meshgrid(
      [0.0, 0.5, -3.7, 2.0**20, -float(MAX_SYMBOL), 3e9],
      [-14.0, -2.0, 0.0, 5.0],
      [0, 1, -1, 5000, -70000, 2**20, -(2**20), MAX_SYMBOL, -MAX_SYMBOL, 3],
    )
  )
  parts = [mean, log_scale]
  if cls is GaussianMixture:
    parts = [np.repeat(part, 3, -1) for part in (0 * mean, *parts)]
  index = coder.index(model.parameters(tf.constant(np.concatenate(parts, -1), tf.float32)))
  symbols = tf.constant(symbols, tf.int32)
  np.testing.assert_array_equal(round_trip(coder, symbols, index)[1], symbols)


@pytest.mark.parametrize(
  'spread, scale', [(5.0, 0.001), (20.0, 0.003), (100.0, 0.02), (400.0, 0.5)]
)
def test_a_mixture_of_separated_narrow_components_takes_its_ideal_length(spread, scale):
  """Zero-centre too: what is subtracted is the centre that the code has."""
  rng = np.random.default_rng(8)
  shape, components = (1, 100, 300), (1, 100, 300, 3)
  model = GaussianMixture(bound=1e-6, floor=0.0)
  logits, means = rng.normal(0, 1, components), rng.normal(0, spread, components)
  chosen = np.argmax(logits - np.log(-np.log(rng.uniform(size=components))), -1)[..., None]
  raw = [logits, means, np.full(components, np.log(scale))]
  parameters = model.parameters(
    tf.constant(np.concatenate([x.reshape(1, 100, -1) for x in raw], -1), tf.float32)
  )
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
    ideal = float(
      tf.reduce_sum(model.bits(tf.cast(symbols, tf.float64) + tf.cast(centre, tf.float64), wide))
    )
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


def test_trimming_keeps_what_codes_better_in_the_table():
  y = np.arange(-4000, 4001)
  pmf = np.exp(-np.abs(y) / 200) / (2 * 200)
  kept, count = trim(pmf)
  np.testing.assert_array_equal(kept, pmf[count:-count])

  def length(pmf):  # expected, under the real table
    counts = np.diff(Tables([pmf], [0], None).lookup.numpy()[1 : len(pmf) + 3])
    return (pmf * (16 - np.log2(counts[:-1]))).sum() + (1 - pmf.sum()) * (
      16 - np.log2(counts[-1]) + LONG_BITS
    )

  best = min(
    (length(y_kept), extra)
    for extra in range(0, 3500, 100)
    for y_kept in [pmf[extra : len(pmf) - extra]]
  )
  assert length(kept) < best[0] + 0.003
  narrow = np.full(255, 1e-9)
  assert trim(narrow)[0] is narrow


def test_a_mixture_of_one_is_the_gaussian_and_its_price_that_of_its_escapes():
  y, parameters = source(Gaussian(bound=1e-6), (0.11, 3.0))
  mixture, gaussian = GaussianMixture(1, bound=1e-6), Gaussian(bound=1e-6)
  same = mixture.parameters(tf.concat([0 * y, *parameters], -1))
  np.testing.assert_allclose(
    mixture.bits(y, same), gaussian.bits(y, parameters), rtol=1e-5, atol=1e-6
  )
  coder = mixture.coder(False)
  far = tf.cast(tf.round(y), tf.int32) + 100_000
  index = coder.index(same)
  string, decoded = round_trip(coder, far, index)
  np.testing.assert_array_equal(decoded, far)
  assert 8 * len(string) == pytest.approx(
    float(tf.reduce_sum(coder.price(0 * y, far, index))), rel=1e-3
  )


def test_differences_of_symbols_wrap_and_return():
  symbols, shifts = np.meshgrid([-MAX_SYMBOL, -1, 0, 1, MAX_SYMBOL], [-MAX_SYMBOL, 0, MAX_SYMBOL])
  difference = wrap(tf.constant(symbols - shifts, tf.int32))
  assert np.abs(difference).max() <= 2**23
  np.testing.assert_array_equal(wrap(difference + shifts), symbols)


@pytest.mark.parametrize('cls', [Gaussian, Laplacian, GaussianMixture])
def test_indexes_do_not_depend_on_shape_or_neighbours(cls):
  """They are made by operations that IEEE 754 defines to the last bit."""
  model = cls(bound=1e-6)
  for zero_centre in (True, False):
    coder = model.coder(zero_centre)
    raw = 3 * tf.random.stateless_normal([1, 9, 11, 4 * model.channels], [1, 2])
    whole = coder.index(model.parameters(raw))
    pieces = [
      [
        coder.index(model.parameters(raw[:, row : row + 1, column : column + 1]))
        for column in range(11)
      ]
      for row in range(9)
    ]
    np.testing.assert_array_equal(whole, tf.concat([tf.concat(row, 2) for row in pieces], 1))


def test_far_symbols_are_escaped_and_return(gaussian, coder):
  symbols = tf.constant([[0, 1, -1, 5000, -70000, 2**20, -(2**20), MAX_SYMBOL, -MAX_SYMBOL, 0, 3]])
  index = coder.index(parameters_of(gaussian, np.full(symbols.shape, 0.5)))
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
  tables = coder.sizes.shape[0]
  edges = []
  for table in range(0, tables, 15):
    low, size = int(coder.minima[table]), int(coder.sizes[table])
    edges += [(table, symbol) for symbol in (low - 1, low, 0, low + size - 1, low + size)]
  index, symbols = (tf.constant([column]) for column in zip(*edges))
  np.testing.assert_array_equal(round_trip(coder, symbols, index)[1], symbols)


def test_parts_share_one_string(gaussian, coder):
  index = coder.index(parameters_of(gaussian, np.full([1, 40], 2.0)))
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
  index = coder.index(parameters_of(gaussian, np.full([1, 500], 1.0)))
  random = np.random.default_rng(0)
  for string in [b'', b'\xff' * 3, b'\xff' * 60, b'\0' * 9, *(random.bytes(60) for _ in range(40))]:
    _, decoded = coder.decode(coder.decoder(tf.constant(string)), index)
    assert decoded.shape == index.shape
    assert np.abs(decoded).max() < 2**24


def test_index_is_the_nearest_level_and_bounded(gaussian, coder):
  levels = np.geomspace(gaussian.NARROW, 256, 256)
  scales = np.concatenate([levels[::17], [1e-6, 0.05, 256.0]])
  index = coder.index(parameters_of(gaussian, scales[None])).numpy()[0]
  assert index.tolist() == [*range(0, 256, 17), 0, 0, 255]


@pytest.mark.parametrize(
  'cls, bits, changes', [(Gaussian, gaussian_bits, 0.1227), (Laplacian, laplacian_bits, 0.05)]
)
def test_zero_mean_tables_no_longer_change_below_the_narrow_scale(cls, bits, changes):
  """At 16 bits, by the real op, [-1, 0, 1, escape] is the same for every smaller scale."""

  def table(scale):
    y = tf.constant([-1.0, 0.0, 1.0], tf.float64)
    pmf = 2.0 ** -bits(y, tf.constant(0, tf.float64), tf.constant(scale, tf.float64))
    return Tables([pmf.numpy()], [-1], None).lookup.numpy()[:6].tolist()

  constant = [16, 0, 1, 65534, 65535, 65536]
  assert table(cls.NARROW / 3) == table(cls.NARROW) == table(0.999 * changes) == constant
  assert table(1.01 * changes) != constant
  assert cls.quantile(TAIL_MASS * 2) * cls.NARROW < 0.5  # half a count on either side


@pytest.mark.parametrize('width', [10.0, 0.1])  # of the density
def test_factorized_tables_cover_each_channel(width):
  tf.random.set_seed(1)
  model = Factorized()
  model.build(4)
  model.density = tfc.DeepFactorized(batch_shape=[4], init_scale=width)
  for variable in model.density.trainable_variables:
    variable.assign_add(tf.random.stateless_normal(variable.shape, [5, 6], stddev=0.5))
  coder = model.coder(zero_centre=False)
  parameters = model.parameters(tf.zeros([1, 3, 50, 0]))
  index = coder.index(parameters)
  assert index.shape == [1, 3, 50, 4] and (index.numpy() == np.arange(4)).all()
  symbols = tf.random.stateless_uniform(index.shape, [9, 9], -8, 9, tf.int32)
  string, decoded = round_trip(coder, symbols, index)
  np.testing.assert_array_equal(decoded, symbols)
  ideal = float(
    tf.reduce_sum(coder.price(model.bits(tf.cast(symbols, tf.float32), parameters), symbols, index))
  )
  assert abs(8 * len(string) - ideal) < 0.005 * ideal + 32
  for channel in range(4):
    low, high = (
      int(coder.minima[channel]) + extent - 0.5 for extent in (0, int(coder.sizes[channel]))
    )
    outside = model.density.cdf(low)[channel] + 1 - model.density.cdf(high)[channel]
    assert float(outside) < 2**-PRECISION


@pytest.mark.parametrize(
  'pmf', [[], [0.5, np.nan], [-0.1, 0.5], [0.9, 0.9], np.full(2**15, 2.0**-16)]
)
def test_what_is_no_table_is_refused(pmf):
  with pytest.raises(ValueError, match='a table'):
    Tables([np.asarray(pmf)], [0], None)
