"""An operating point that needs no codec."""

import contextlib
import math


class FakePoint:
  """A codec whose measurements are made up from the image's mean; counts its calls.

  Attributes:
    opened: Number of times that it was opened.
    measured: Number of images that it measured.
    fails_at: Number of the image at which it is interrupted; None for never.
  """

  def __init__(self, key, rate):
    self.key = key
    self.label = f'{key}!'
    self.description = {'lmbda': rate}
    self.rate = rate
    self.opened = 0
    self.measured = 0
    self.fails_at = None

  @contextlib.contextmanager
  def open(self):
    self.opened += 1
    yield self._measure

  def _measure(self, image):
    self.measured += 1
    if self.measured == self.fails_at:
      raise KeyboardInterrupt
    return {
      'bytes': 10,
      'bpp': self.rate,
      'psnr-rgb': float(image.mean()),
      'ms-ssim-rgb': math.nan if image.shape[0] < 161 else 0.9,
    }
