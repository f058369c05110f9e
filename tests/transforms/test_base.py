import numpy as np
import pytest
import tensorflow as tf

from tfusq import transforms


def test_transforms_without_a_synthesis_are_not_built():
  class Half(transforms.Transforms):
    def analysis(self, filters, latent_channels):
      return tf.keras.Sequential()

  with pytest.raises(TypeError, match='abstract method.*synthesis'):
    Half()


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
  synthesis = family.synthesis(8, 6)
  image = synthesis(y)
  assert image.shape == x.shape and np.std(image) < 20
  at_zero = synthesis(tf.zeros([1, 4, 8, 6]))
  np.testing.assert_allclose(at_zero, 0.5)
