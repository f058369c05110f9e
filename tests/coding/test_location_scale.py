import numpy as np
import pytest
import tensorflow as tf

from tfusq import Gaussian, Laplacian
from tfusq.coding import LONG_BITS, TAIL_MASS, Tables
from tfusq.coding.location_scale import Levels
from tfusq.entropy_models import gaussian_bits, laplacian_bits


def log_counts_of(coder):
  """Returns for each table the logarithms of its probabilities, the escape's last."""
  sizes = coder.sizes.numpy()
  # A table takes its precision, a 0, and a cumulative count for each symbol and the escape.
  ends = np.cumsum(sizes + 3)
  tables = np.split(coder.lookup.numpy(), ends)[: len(sizes)]
  return [np.log(np.diff(table[1:]) / 2**16) for table in tables]


@pytest.mark.parametrize('zero_centre', [True, False])
@pytest.mark.parametrize('cls', [Gaussian, Laplacian])
def test_the_table_of_any_mean_and_scale_costs_little(cls, zero_centre):
  """The expected length exceeds the entropy by 4e-3 nats, with escapes and rounded counts."""
  model = cls(bound=1e-6)
  coder = model.coder(zero_centre)
  log_counts = log_counts_of(coder)
  rng = np.random.default_rng(2)
  log_scale = rng.uniform(np.log(1e-3), np.log(50), 400).astype(np.float32)
  mean = rng.uniform(-20, 20, 400).astype(np.float32)
  index = coder.index(model.parameters(tf.constant(np.stack([mean, log_scale], -1)))).numpy()
  table = index[:, 0] if zero_centre else index[:, 0, 0]
  shift = mean if zero_centre else index[:, 0, 1]

  y = np.arange(-1500, 1501)
  fraction = tf.constant(mean - shift, tf.float64)[:, None]
  scale = tf.exp(tf.constant(log_scale, tf.float64))[:, None]
  zeros = tf.zeros([400, len(y)], tf.float64)
  all_bits = model.exact_bits(y + zeros, fraction + zeros, scale + zeros).numpy()

  worst = 0
  for row, bits in enumerate(all_bits):
    mass = np.exp2(-bits)
    entry = y - int(coder.minima[table[row]])
    escape = len(log_counts[table[row]]) - 1
    inside = (entry >= 0) & (entry < escape)
    nats = -log_counts[table[row]][np.where(inside, entry, escape)]
    nats += np.where(inside, 0, LONG_BITS * np.log(2))
    worst = max(worst, (mass * nats).sum() - (mass * bits * np.log(2)).sum())
  assert 0 < worst < 4e-3


def test_index_is_the_nearest_level_and_bounded():
  gaussian = Gaussian(bound=1e-6)
  coder = gaussian.coder(zero_centre=True)
  levels = np.geomspace(gaussian.NARROW, 256, 256)
  scales = tf.constant(np.concatenate([levels[::17], [1e-6, 0.05, 256.0]])[None], tf.float32)
  raw = tf.concat([tf.zeros_like(scales), tf.math.log(scales)], -1)
  index = coder.index(gaussian.parameters(raw)).numpy()[0]
  assert index.tolist() == [*range(0, 256, 17), 0, 0, 255]


def test_the_nearest_level_is_found_by_logarithm_and_held_at_the_ends():
  levels = Levels(0.5, 8.0, 5)
  np.testing.assert_allclose(levels.values, [0.5, 1, 2, 4, 8])
  values = tf.constant([1e-9, 0.5, 0.7, 0.71, 1.4, 1.5, 5.6, 5.7, 8.0, 1e9])
  assert levels.nearest(tf.math.log(values)).numpy().tolist() == [0, 0, 0, 1, 1, 2, 3, 4, 4, 4]


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
