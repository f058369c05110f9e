import functools

import numpy as np
import pytest
import tensorflow as tf

from tfusq import transforms
from tfusq.transforms.layers import BlockConv2D, BlockConv2DTranspose, Conv2D, Conv2DTranspose


def make_gdn(inverse, channels=6, **options):
  """A layer whose parameters differ, some of them below their bounds."""
  layer = transforms.GDN(inverse=inverse, **options)
  layer.build([None, None, None, channels])
  for number, variable in enumerate(layer.weights):
    noise = tf.random.stateless_uniform(variable.shape, [number, 4], -0.1, 0.3, variable.dtype)
    variable.assign_add(noise)
  layer.weights[0][:1].assign([-0.5])
  return layer


@pytest.mark.parametrize('inverse', [False, True])
def test_gdn_divides_by_the_weighted_sum_of_absolute_values(inverse, mode):
  layer = make_gdn(inverse, dtype='float64')
  x = tf.random.stateless_normal([2, 5, 4, 6], [1, 2], dtype=tf.float64)
  beta, gamma = (variable.numpy() for variable in layer.weights)
  beta, gamma = np.maximum(beta, 1e-3) ** 2, np.maximum(gamma, 0) ** 2
  norm = beta + np.abs(x) @ gamma
  # The pedestal is 2^-36.
  np.testing.assert_allclose(mode(layer)(x), x * norm if inverse else x / norm, rtol=1e-4)
  assert layer.beta.numpy().min() == pytest.approx(1e-6, rel=1e-9)


def test_gdn_begins_near_the_identity():
  layer = transforms.GDN()
  layer.build([None, None, None, 5])
  np.testing.assert_allclose(layer.beta, np.ones(5), atol=1e-7)
  np.testing.assert_allclose(layer.gamma, 0.1 * np.eye(5), atol=1e-7)


def test_gdns_variables_have_the_names_that_checkpoints_have(tmp_path):
  tf.train.Checkpoint(layer=make_gdn(False)).write(str(tmp_path / 'checkpoint'))
  names = [name for name, _ in tf.train.list_variables(str(tmp_path / 'checkpoint'))]
  assert 'layer/_beta_parameter/variable/.ATTRIBUTES/VARIABLE_VALUE' in names
  assert 'layer/_gamma_parameter/variable/.ATTRIBUTES/VARIABLE_VALUE' in names


@pytest.mark.parametrize('inverse', [False, True])
def test_gdn_and_its_gradients_equal_tensorflow_compressions(inverse, mode):
  tfc = pytest.importorskip('tensorflow_compression')
  ours, theirs = make_gdn(inverse), tfc.GDN(inverse=inverse)
  theirs.build([None, None, None, 6])
  initial = transforms.GDN()
  initial.build([None, None, None, 6])
  for one, other, begin in zip(ours.weights, theirs.weights, initial.weights, strict=True):
    np.testing.assert_array_equal(begin, other)
    other.assign(one)

  x = tf.random.stateless_normal([2, 5, 4, 6], [1, 2])

  def value_and_gradients(layer):
    def run(x):
      with tf.GradientTape() as tape:
        tape.watch(x)
        value = layer(x)
        loss = tf.reduce_sum(tf.sin(value))
      return value, *tape.gradient(loss, [x, *layer.weights])

    return mode(run)(x)

  for one, other in zip(value_and_gradients(ours), value_and_gradients(theirs), strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_padding_repeats_the_edge_and_leaves_multiples_alone(mode):
  x = tf.reshape(tf.range(2 * 3.0), [1, 2, 3, 1])
  padded = mode(lambda x: transforms.pad_to_multiple(x, 4))(x)
  np.testing.assert_array_equal(
    padded[0, :, :, 0], [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]
  )
  np.testing.assert_array_equal(transforms.pad_to_multiple(padded, 4), padded)


@pytest.mark.parametrize('size', [300, np.int64(300), tf.constant([300, 304])])
def test_sizes_are_rounded_up_as_integers_of_python_or_tensors(size):
  np.testing.assert_array_equal(transforms.ceil_div(size, 16), np.full(np.shape(size), 19))


@pytest.mark.parametrize('height, width', [(8, 12), (7, 13), (1, 1)])
def test_convolutions_of_blocks_are_convolutions(height, width, mode):
  """With all gradients; blocks beyond an image's end are padded as TensorFlow does."""
  rng = np.random.default_rng(0)
  image = tf.constant(rng.normal(size=[2, height, width, 3]), tf.float32)
  latent = tf.constant(rng.normal(size=[2, height, width, 6]), tf.float32)
  for plain, of_blocks, inputs in (
    (Conv2D, BlockConv2D, image),
    (Conv2DTranspose, BlockConv2DTranspose, latent),
  ):
    layers = [cls(5, 4, 4, 'glorot_uniform', 'ones') for cls in (plain, of_blocks)]
    for layer in layers:
      layer(inputs)
    layers[1].set_weights(layers[0].get_weights())

    def outputs_and_gradients(layer, x):
      with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x)
        loss = tf.reduce_sum(tf.sin(outputs))
      return outputs, tape.gradient(loss, [x, *layer.trainable_variables])

    expected, found = (
      mode(functools.partial(outputs_and_gradients, layer))(inputs) for layer in layers
    )
    tf.nest.map_structure(
      lambda a, b: np.testing.assert_allclose(b, a, atol=1e-5, rtol=1e-5), expected, found
    )
