import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import op_callbacks

from tfusq import Part
from tfusq.models import contexts
from tfusq.models.wavefront import Serial
from tfusq.transforms import exact

CHANNELS = 3


def serial(height, width):
  """A context of random weights, and a quantized latent."""
  tf.keras.utils.set_random_seed(height + 100 * width)
  y_hat = tf.round(4 * tf.random.stateless_normal([1, height, width, CHANNELS], [1, 2]))
  context = Serial(
    contexts.Causal(4),
    contexts.parameter_network([7, 2 * CHANNELS]),
    tf.random.stateless_normal([1, height, width, 5], [3, 4]),
  )
  context.raw(y_hat)
  for layer in (context._context, *context._parameters.layers):
    if hasattr(layer, 'bias'):
      layer.bias.assign(tf.random.stateless_normal(layer.bias.shape, [5, 6]))
  return context, y_hat


def at_once(context, y_hat):
  """The raw parameters of all positions, the first layer's in two sums as a scan has them."""
  networks = context._networks()
  features = tf.reshape(networks.from_features, [*y_hat.shape[:3], -1])
  x = exact.multiply(context._context(y_hat), networks.first._replace(bias=features))
  for layer in context._parameters.layers[1:]:
    x = layer(x)
  return x


def scanned(context, y_hat):
  """What a scan over `y_hat` gives for raw parameters, and returns."""

  def visit(state, part, raw):
    found, count = state
    found = tf.tensor_scatter_nd_update(found, part.positions[:, None], raw[0, :, 0])
    return (found, count + 1), part.of(y_hat)

  positions = y_hat.shape[1] * y_hat.shape[2]
  (found, count), result = context.scan(
    visit, (tf.zeros([positions, 2 * CHANNELS]), tf.constant(0)), Part('y')
  )
  return tf.reshape(found, [1, *y_hat.shape[1:3], -1]), result, count


@pytest.mark.parametrize(
  'height, width', [(1, 1), (1, 7), (7, 1), (9, 2), (2, 3), (5, 9), (9, 5), (8, 24)]
)
def test_a_scan_computes_what_the_whole_latent_does_bit_for_bit(height, width, mode):
  context, y_hat = serial(height, width)
  with exact.arithmetic():
    found, result, waves = mode(lambda: scanned(context, y_hat))()
    whole = at_once(context, y_hat)
  np.testing.assert_array_equal(found, whole)
  np.testing.assert_array_equal(result, y_hat)
  assert int(waves) == width + min(width, 3) * (height - 1)
  np.testing.assert_allclose(context.raw(y_hat), whole, atol=0.02)  # in floats


def test_a_scan_ends_its_raw_parameters_as_the_whole_latent_does():
  context, y_hat = serial(5, 9)
  added = tf.random.stateless_normal([1, 1, 1, 2 * CHANNELS], [7, 8])
  with exact.arithmetic():
    raw, (scanned_raw, _, _) = context.raw(y_hat), scanned(context, y_hat)
    finished = context.finished_by(lambda raw: raw + added)
    np.testing.assert_array_equal(finished.raw(y_hat), raw + added)
    np.testing.assert_array_equal(scanned(finished, y_hat)[0], scanned_raw + added)


def test_a_scan_reads_what_was_visited_and_not_what_follows():
  """Each wave's parameters are functions of the waves before."""
  context, y_hat = serial(4, 6)

  def decode(state, part, raw):
    return state, tf.round(raw[..., :CHANNELS])

  with exact.arithmetic():
    _, decoded = context.scan(decode, tf.constant(0), Part('y'))
    raw = at_once(context, decoded)
  np.testing.assert_array_equal(decoded, np.round(raw[..., :CHANNELS]))
  assert np.abs(decoded).max() > 0


def work(height, width):
  """Count of the numbers that all operations of a scan return."""
  context, _ = serial(height, width)
  numbers = 0

  def count(op_type, inputs, attributes, outputs, *_, **__):
    nonlocal numbers
    numbers += sum(x.shape.num_elements() for x in outputs if x.dtype != tf.variant)

  op_callbacks.add_op_callback(count)
  try:
    with exact.arithmetic():
      context.scan(lambda state, _, raw: (state, raw[..., :CHANNELS]), tf.constant(0), Part('y'))
  finally:
    op_callbacks.remove_op_callback(count)
  return numbers


@pytest.mark.long
def test_the_work_of_a_scan_is_in_proportion_to_its_positions():
  # All of one column, one row, or neither.
  row, column, square = work(1, 144), work(144, 1), work(12, 12)
  assert column < 1.2 * row
  assert square < row
  # Twice as many waves, which are twice as long.
  assert work(24, 24) < 4 * square
