import numpy as np
import pytest
import tensorflow as tf

from tfusq import testing
from tfusq.transforms import Light
from tfusq.transforms.light import ChannelsToPixels, PixelsToChannels


def test_pixels_become_channels_with_grey_at_zero_and_back():
  x = tf.random.stateless_uniform([1, 16, 24, 3], [1, 2])
  channels = PixelsToChannels()(x)
  assert channels.shape == [1, 2, 3, 192]
  np.testing.assert_allclose(ChannelsToPixels()(channels) + 0.5, x, atol=1e-6)


@testing.conformance(Light(0))
def test_it_conforms_without_blocks(check):
  check()


def test_a_number_of_blocks_that_is_none_is_refused():
  with pytest.raises(ValueError, match='Light.blocks must be an integer of at least 0, not -1'):
    Light(-1)
