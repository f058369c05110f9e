import numpy as np
import tensorflow as tf

from tfusq import transforms
from tfusq.transforms import exact
from tfusq.transforms.networks import Sequential


def noise(height, width, channels, seed=1):
  return tf.random.stateless_uniform([1, height, width, channels], [seed, 2])


def spread(network, channels):
  """Moves all weights, and so the biases from zero; returns the network."""
  network(tf.zeros([1, 64, 64, channels]))
  for variable in network.variables:
    variable.assign_add(0.05 * tf.random.stateless_normal(variable.shape, [3, 4]))
  return network


class Training(tf.keras.layers.Layer):
  """Adds 1 in training."""

  def call(self, inputs, training=None):
    return inputs + (1.0 if training else 0.0)


def test_layers_in_sequence_give_what_keras_gives_and_hear_of_training():
  last = Sequential([transforms.Dense(5), Training()])
  stack = [transforms.Conv2D(4, 3), Training(), transforms.GDN(), last]
  ours, keras = Sequential(stack), tf.keras.Sequential(stack)
  x = tf.random.stateless_normal([2, 6, 7, 3], [1, 2])
  traced = tf.function(ours, input_signature=[tf.TensorSpec([None, None, None, 3])])
  for training in (False, True):
    np.testing.assert_array_equal(ours(x, training=training), keras(x, training=training))
  np.testing.assert_allclose(traced(x), keras(x), rtol=1e-5, atol=1e-6)
  assert np.abs(ours(x, training=True) - ours(x)).max() > 0.5
  assert len(ours.variables) == len(keras.variables) == 6


def test_exact_networks_are_near_the_whole_in_tiles_and_equal_in_graphs(monkeypatch):
  """Each tile has steps of its own; what one process computes in tiles, every other one does."""
  network = spread(transforms.hyper_synthesis(4, 8), 6)
  # Tiles of other magnitudes than the whole, and so of other steps.
  x = noise(23, 31, 6) * 2.0 ** tf.linspace(6.0, -2.0, 31)[:, None]
  run = tf.function(lambda x: network(x), [tf.TensorSpec([1, None, None, 6])])
  with exact.arithmetic():
    whole = network(x)
    monkeypatch.setattr('tfusq.transforms.networks._TILE_SIDE', 7)
    in_graph = run(x)
    eagerly = network(x)
  np.testing.assert_array_equal(in_graph, eagerly)
  assert (eagerly != whole).numpy().any()
  assert np.sqrt(np.mean((eagerly - whole) ** 2)) < 0.02 * np.std(whole)
