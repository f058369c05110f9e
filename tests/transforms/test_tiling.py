import numpy as np
import pytest
import tensorflow as tf

import tfusq
from tfusq import transforms
from tfusq.transforms import tiling


def noise(height, width, channels, seed=1):
  return tf.random.stateless_uniform([1, height, width, channels], [seed, 2])


def spread(network, channels):
  """Moves all weights, and so the biases from zero; returns the network."""
  network(tf.zeros([1, 64, 64, channels]))
  for variable in network.variables:
    variable.assign_add(0.05 * tf.random.stateless_normal(variable.shape, [3, 4]))
  return network


def test_the_reach_of_convolutions_is_that_of_their_kernels():
  # Strided convolutions of 5 pad even sizes by 1 in front and 2 behind, at each of four scales:
  # 1 + 2 + 4 + 8 = 15 pixels before, 30 behind. Of 16 pixels these are 1 and 2 cells.
  analysis = spread(tfusq.Convolutional().analysis(4, 6), 3)
  reach = tiling.find_reach(analysis, 3, 16)
  assert (reach.before, reach.after) == ((1, 1), (2, 2))
  assert (reach.cell, reach.outputs) == (16, tiling.Output(1, 6))

  # Two 3x3 convolutions see two positions to each side.
  two = transforms.Network([transforms.Conv2D(4, 3), transforms.leaky(), transforms.Conv2D(5, 3)])
  reach = tiling.find_reach(spread(two, 2), 2, 1)
  assert reach == tiling.Reach(1, (2, 2), (2, 2), tiling.Output(1, 5))


def test_each_side_has_a_reach_of_its_own():
  def shifted(x):
    # Two rows from above, three columns from the right.
    x = tf.pad(x, [[0, 0], [2, 0], [0, 3], [0, 0]])
    return x[:, :-2, 3:]

  reach = tiling.find_reach(shifted, 1, 1)
  assert (reach.before, reach.after) == ((2, 0), (0, 3))


@pytest.mark.parametrize(
  'function',
  [
    lambda x: x - tf.reduce_mean(x, [1, 2], keepdims=True),
    lambda x: x / tf.reduce_max(x, [1, 2], keepdims=True),
    # Depends on where it is.
    lambda x: x + tf.cast(tf.range(tf.shape(x)[2]), tf.float32)[None, None, :, None],
    # In windows of five positions, which tiles would cut elsewhere.
    lambda x: x[:, : tf.shape(x)[1] // 5 * 5],
  ],
  ids=['mean', 'maximum', 'position', 'proportion'],
)
def test_what_depends_on_the_whole_is_not_tiled(function):
  assert tiling.find_reach(function, 2, 1) is None


@pytest.mark.parametrize(
  'pair',
  [
    tfusq.Convolutional(),
    pytest.param(tfusq.Residual(True), marks=pytest.mark.long),
    tfusq.Bottleneck(1),
  ],
  ids=['convolutional', 'residual', 'bottleneck'],
)
def test_tiles_equal_the_whole_but_for_the_order_of_sums(pair, mode):
  analysis = spread(pair.analysis(4, 6), 3)

  def padded(x):
    return analysis(transforms.pad_to_multiple(x, 16))

  x = noise(16 * 21 + 5, 16 * 9 + 1, 3)
  reach = tiling.find_reach(analysis, 3, 16)
  whole = padded(x)
  tiles = mode(lambda: tiling.run(padded, x, reach, 5))()
  np.testing.assert_allclose(tiles, whole, atol=1e-5 * np.abs(whole).max())

  synthesis = spread(pair.synthesis(4, 6), 6)
  reach = tiling.find_reach(synthesis, 6, 1)
  image = synthesis(whole)[:, :340, :145]
  tiles = mode(lambda: tiling.run(synthesis, whole, reach, 5, sizes=(340, 145)))()
  np.testing.assert_allclose(tiles, image, atol=1e-5 * np.abs(image).max())


def test_each_tile_sees_its_neighbourhood_alone():
  seen = []
  double = transforms.Network([transforms.Conv2D(3, 5)])
  reach = tiling.find_reach(spread(double, 2), 2, 1)

  def watched(x):
    seen.append(tuple(x.shape[1:3]))
    return double(x)

  tiling.run(watched, noise(20, 1, 2), reach, 3)
  # Nine positions to a tile, as in a square one, and two around: three tiles of at most 7.
  assert seen == [(9, 1), (11, 1), (8, 1)]


def test_a_piece_is_written_and_what_is_read_elsewhere_stays():
  x = tf.zeros([1, 40, 30, 2])
  piece = noise(3, 5, 2)
  expected = x.numpy()
  expected[:, 7:10, 4:9] = piece
  np.testing.assert_array_equal(tiling.write(x, piece, 7, 4), expected)
  assert not x.numpy().any()
