import numpy as np
import pytest
import tensorflow as tf

from tfusq import Part, transforms
from tfusq.models import contexts
from tfusq.transforms import exact

CHANNELS = 3


def serial(height, width):
  """A context of random weights, and a quantized latent."""
  tf.keras.utils.set_random_seed(height + 100 * width)
  y_hat = tf.round(4 * tf.random.stateless_normal([1, height, width, CHANNELS], [1, 2]))
  context = contexts.Serial(
    contexts.Causal(4),
    contexts.parameter_network([7, 2 * CHANNELS]),
    tf.random.stateless_normal([1, height, width, 5], [3, 4]),
  )
  context.raw(y_hat)
  for layer in (context._context, *context._parameters.layers):
    if hasattr(layer, 'bias'):
      layer.bias.assign(tf.random.stateless_normal(layer.bias.shape, [5, 6]))
  return context, y_hat


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


@pytest.mark.parametrize('height, width', [(1, 1), (1, 7), (7, 1), (2, 3), (5, 9), (9, 5), (8, 24)])
def test_a_scan_computes_what_the_whole_latent_does_bit_for_bit(height, width, mode):
  context, y_hat = serial(height, width)
  with exact.arithmetic():
    found, result, waves = mode(lambda: scanned(context, y_hat))()
    whole = context.raw(y_hat)
  np.testing.assert_array_equal(found, whole)
  np.testing.assert_array_equal(result, y_hat)
  assert int(waves) == width + 3 * (height - 1)
  np.testing.assert_allclose(context.raw(y_hat), whole, atol=0.02)  # in floats


def test_a_scan_reads_what_was_visited_and_not_what_follows():
  """Each wave's parameters are functions of the waves before."""
  context, y_hat = serial(4, 6)

  def decode(state, part, raw):
    return state, tf.round(raw[..., :CHANNELS])

  with exact.arithmetic():
    _, decoded = context.scan(decode, tf.constant(0), Part('y'))
    raw = context.raw(decoded)
  np.testing.assert_array_equal(decoded, np.round(raw[..., :CHANNELS]))
  assert np.abs(decoded).max() > 0


@pytest.mark.parametrize('height, width', [(1, 1), (1, 4), (3, 3), (4, 6)])
def test_colours_take_turns_and_join_to_the_whole(height, width):
  colours = contexts.colours(height, width)
  assert [len(colour) for colour in colours] == [(height * width + 1) // 2, height * width // 2]
  for colour, positions in enumerate(colours):
    assert all((p // width + p % width) % 2 == colour for p in positions.numpy())
  y = tf.random.stateless_normal([2, height, width, 5], [1, 2])
  parts = [Part('y', slice(1, 4), positions) for positions in colours]
  pieces = [part.of(y) for part in parts]
  assert [piece.shape for piece in pieces] == [[2, len(colour), 1, 3] for colour in colours]
  np.testing.assert_array_equal(contexts.join(pieces, colours, height, width), y[..., 1:4])


@pytest.mark.parametrize(
  'context, seen',
  [
    (
      contexts.Causal,
      [
        (-2, -2),
        (-2, -1),
        (-2, 0),
        (-2, 1),
        (-2, 2),
        (-1, -2),
        (-1, -1),
        (-1, 0),
        (-1, 1),
        (-1, 2),
        (0, -2),
        (0, -1),
      ],
    ),
    (
      contexts.checkerboard,
      [(row, column) for row in range(-2, 3) for column in range(-2, 3) if (row + column) % 2],
    ),
  ],
)
def test_a_masked_convolution_sees_twelve_neighbours(context, seen):
  layer = context(1)
  y = np.zeros([1, 7, 7, 1], np.float32)
  y[0, 3, 3] = 1
  layer(y)
  layer.kernel.assign(tf.ones_like(layer.kernel))
  # The value at (3, 3) is seen from where it is a neighbour.
  at = np.argwhere(layer(y)[0, :, :, 0].numpy() > 0)
  assert {(3 - row, 3 - column) for row, column in at} == set(seen)


def test_a_dense_layer_is_a_1x1_convolution_of_any_number_of_positions():
  dense, convolution = transforms.Dense(4), transforms.Conv2D(4, 1)
  x = tf.random.stateless_normal([2, 3, 5, 6], [1, 2])
  dense(x), convolution(x)
  convolution.kernel.assign(dense.kernel[None, None])
  for arithmetic, tolerance in ((False, 1e-6), (True, 0)):
    with exact.arithmetic() if arithmetic else tf.name_scope('floats'):
      np.testing.assert_allclose(dense(x), convolution(x), atol=tolerance)
      assert dense(x[:, :0]).shape == [2, 0, 5, 4]
