import numpy as np
import pytest
import tensorflow as tf

from tfusq import Part, transforms
from tfusq.models import contexts
from tfusq.transforms import exact


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
  tf.keras.utils.set_random_seed(1)
  dense, convolution = transforms.Dense(4), transforms.Conv2D(4, 1)
  x = tf.random.stateless_normal([2, 3, 5, 6], [1, 2])
  dense(x), convolution(x)
  convolution.kernel.assign(dense.kernel[None, None])
  for arithmetic, tolerance in ((False, 1e-6), (True, 5e-3)):
    with exact.arithmetic() if arithmetic else tf.name_scope('floats'):
      np.testing.assert_allclose(dense(x), convolution(x), atol=tolerance)
      assert dense(x[:, :0]).shape == [2, 0, 5, 4]
