import numpy as np
import pytest
import tensorflow as tf
import tensorflow_compression as tfc

from tfusq import transforms


@pytest.mark.parametrize('inverse', [False, True])
def test_gdn_equals_tensorflow_compression(inverse, mode):
  ours, theirs = transforms.GDN(inverse=inverse), tfc.GDN(inverse=inverse)
  x = tf.random.stateless_normal([2, 5, 4, 6], [1, 2])
  ours.build(x.shape)
  theirs.build(x.shape)
  for a, b in zip(ours.weights, theirs.weights):
    value = a + tf.random.stateless_uniform(a.shape, [3, 4], 0, 0.1)
    a.assign(value)
    b.assign(value)
  np.testing.assert_allclose(mode(ours)(x), theirs(x), rtol=1e-5, atol=1e-6)


def test_padding_repeats_the_edge_and_leaves_multiples_alone(mode):
  x = tf.reshape(tf.range(2 * 3.0), [1, 2, 3, 1])
  padded = mode(lambda x: transforms.pad_to_multiple(x, 4))(x)
  np.testing.assert_array_equal(
    padded[0, :, :, 0], [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]
  )
  np.testing.assert_array_equal(transforms.pad_to_multiple(padded, 4), padded)


@pytest.mark.parametrize(
  'family',
  [
    transforms.Convolutional(),
    transforms.Residual(),
    transforms.Residual(True),
    transforms.Bottleneck(),
    transforms.Bottleneck(1, False),
  ],
  ids=lambda x: f'{vars(x)}',
)
def test_shapes_of_the_transforms_and_where_they_begin(family):
  x = tf.random.stateless_uniform([1, 64, 128, 3], [1, 2])
  y = family.analysis(8, 6)(x)
  assert y.shape == [1, 4, 8, 6] and 0.05 < np.std(y) < 20
  image = family.synthesis(8, 6)(y)
  assert image.shape == x.shape and np.std(image) < 20
  at_zero = family.synthesis(8, 6)(tf.zeros([1, 4, 8, 6]))
  np.testing.assert_allclose(at_zero, 0.5)


def test_shapes_of_the_hyper_transforms():
  y = tf.zeros([1, 4, 8, 6])
  for analysis in (
    transforms.hyper_analysis(4),
    transforms.channelwise_hyper_analysis(4, 10),
    transforms.residual_hyper_analysis(4),
  ):
    z = analysis(y)
    assert z.shape == [1, 1, 2, 4]
  for synthesis, channels in (
    (transforms.hyper_synthesis(6, 12), 12),
    (transforms.residual_hyper_synthesis(4), 8),
    (transforms.channelwise_hyper_synthesis(4, 10), 10),
    (transforms.grouped_hyper_synthesis(4), 8),
  ):
    assert synthesis(z).shape == [1, 4, 8, channels]


@pytest.mark.parametrize('blocks', [0, 2.0])
def test_bottlenecks_are_a_positive_number(blocks):
  with pytest.raises(ValueError, match='Bottleneck.blocks'):
    transforms.Bottleneck(blocks)
