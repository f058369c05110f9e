import numpy as np
import pytest

from tfusq.curves.anchors import colour


@pytest.fixture
def pixels():
  """Every combination of 16 levels of each channel, and random ones."""
  levels = np.arange(0, 256, 17)
  grid = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(64, 64, 3)
  return np.concatenate([grid, np.random.default_rng(0).integers(0, 256, (64, 64, 3))]).astype(
    np.uint8
  )


def to_ycbcr(rgb):
  """JFIF 1.02, page 3, in floats without rounding."""
  r, g, b = np.moveaxis(rgb.astype(np.float64), -1, 0)
  return np.stack(
    [
      0.299 * r + 0.587 * g + 0.114 * b,
      -0.168735892 * r - 0.331264108 * g + 0.5 * b + 128,
      0.5 * r - 0.418687589 * g - 0.081312411 * b + 128,
    ],
    -1,
  )


def to_rgb(ycbcr):
  """The same, back."""
  y, cb, cr = np.moveaxis(ycbcr.astype(np.float64), -1, 0)
  return np.stack(
    [
      y + 1.402 * (cr - 128),
      y - 0.344136286 * (cb - 128) - 0.714136286 * (cr - 128),
      y + 1.772 * (cb - 128),
    ],
    -1,
  )


@pytest.mark.parametrize(
  'ours, floats', [(colour.rgb_to_ycbcr, to_ycbcr), (colour.ycbcr_to_rgb, to_rgb)]
)
def test_conversions_round_the_float_formula_to_the_nearest(pixels, ours, floats):
  converted = ours(pixels)
  assert converted.dtype == np.uint8 and converted.shape == pixels.shape
  error = converted - np.clip(floats(pixels), 0, 255)
  assert np.abs(error).max() <= 0.5 + 1e-6
  assert abs(error.mean()) < 0.02  # truncation would be at -.5


def test_there_and_back_alone_is_above_50_db(photograph):
  back = colour.ycbcr_to_rgb(colour.rgb_to_ycbcr(photograph))
  error = np.mean((back.astype(np.float64) - photograph) ** 2)
  assert 10 * np.log10(255**2 / error) > 50


def test_grey_is_luma_alone_and_comes_back_exactly():
  grey = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(16, 16, 3)
  converted = colour.rgb_to_ycbcr(grey)
  np.testing.assert_array_equal(converted[..., 0], grey[..., 0])
  assert (converted[..., 1:] == 128).all()
  np.testing.assert_array_equal(colour.ycbcr_to_rgb(converted), grey)
