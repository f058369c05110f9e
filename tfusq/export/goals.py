"""What an image is compressed to: a quality, a size or a PSNR."""

from typing import NamedTuple

import numpy as np

from tfusq.export.client import ExportedCodec
from tfusq.export.effort import Effort


class Goal(NamedTuple):
  """What an image is compressed to by a codec of variable rate; by default, its default quality.

  At most one of quality, size and PSNR is given.

  Attributes:
    quality: Quality, from 1 to the codec's number of levels.
    size: Greatest length of the file, which is that of the best quality that fits.
    psnr: Least PSNR in dB, with which the lowest quality is taken.
    effort: Limits of the refinement of latents; None for none.
  """

  quality: float | None = None
  size: int | None = None
  psnr: float | None = None
  effort: Effort | None = None

  @property
  def needs_qualities(self) -> bool:
    """Whether it is one for codecs of variable rate alone."""
    return any(each is not None for each in (self.quality, self.size, self.psnr))

  def compress(self, codec: ExportedCodec, image: np.ndarray) -> bytes:
    """Compresses an image.

    Args:
      codec: A loaded codec.
      image: `uint8[height, width, 3]`, RGB.

    Returns:
      The file.

    Raises:
      ContainerError: if no file can hold the image, or no quality attains the goal; says why.
      CodecError: if the codec has one quality, or can't refine, or TensorFlow fails.
    """
    if self.effort is not None:
      return self._refine(codec, image, self.effort)
    if self.size is not None:
      return codec.compress_to_bytes(image, self.size)
    if self.psnr is not None:
      return codec.compress_to_psnr(image, self.psnr)
    return codec.compress(image, self.quality)

  def _refine(self, codec: ExportedCodec, image: np.ndarray, effort: Effort) -> bytes:
    if self.size is not None:
      return codec.refine_to_bytes(image, self.size, effort)
    if self.psnr is not None:
      return codec.refine_to_psnr(image, self.psnr, effort)
    return codec.refine(image, effort, self.quality)


DEFAULT = Goal()
