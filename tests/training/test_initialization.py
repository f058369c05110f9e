import numpy as np
import pytest

from making import make_codec, make_patches
from tfusq.training import initialization


def test_the_sample_is_the_first_patches_of_the_run():
  patches = make_patches()
  x = initialization.sample(patches, 6)
  assert x.shape == (6, 64, 64, 3) and x.dtype == np.float32
  np.testing.assert_array_equal(np.round(255 * x[5]).astype(np.uint8), patches.patch(5))


@pytest.mark.parametrize('number', [0, 2])
def test_variables_that_are_kept_keep_their_values(number):
  codec = make_codec()
  last = codec.model.hyper_synthesis.layers[-1]
  kept = last.kernel.numpy()
  initialization.initialize_from_data(codec, make_patches(), number, kept=[last.kernel])
  np.testing.assert_array_equal(last.kernel, kept)
  assert np.any(last.bias) == (number > 0)
