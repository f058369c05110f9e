"""An operating point that needs no codec."""

import contextlib
import math


class FakePoint:
  """A codec whose measurements are made up from the image's mean; counts its calls.

  Attributes:
    opened: Number of times that it was opened.
    measured: Number of images that it measured.
    fails_at: Number of the image at which it is interrupted; None for never.
    errors: Exception that an image raises, by its height.
    opening_error: Exception that opening raises; None for none.
    perfect: Height of images that it decodes without error.
    heights: Heights of the images in the order in which they were measured.
  """

  def __init__(self, key, rate):
    self.key = key
    self.label = f'{key}!'
    self.description = {'lmbda': rate}
    self.rate = rate
    self.opened = 0
    self.measured = 0
    self.fails_at = None
    self.errors = {}
    self.opening_error = None
    self.perfect = None
    self.heights = []

  @contextlib.contextmanager
  def open(self):
    self.opened += 1
    if self.opening_error:
      raise self.opening_error
    yield self._measure

  def _measure(self, image):
    self.measured += 1
    if self.measured == self.fails_at:
      raise KeyboardInterrupt
    height = image.shape[0]
    self.heights.append(height)
    if height in self.errors:
      raise self.errors[height]
    return {
      'bytes': 10,
      'bpp': self.rate,
      'psnr-rgb': math.inf if height == self.perfect else float(image.mean()),
      'ms-ssim-rgb': math.nan if image.shape[0] < 161 else 0.9,
    }
