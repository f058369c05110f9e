"""Coding pictures whose latents are refined before, in TensorFlow.

A refined file is never worse than the plain one: the cost, `R + lambda D` with the bits of the
whole file and the decoder's 8-bit pixels, is compared in the end, and the better file is taken. A
decoder knows no difference.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfusq.export import bitstream
from tfusq.export.bitstream import Coding
from tfusq.models import in_tiles
from tfusq.refinement import Budget, Refiner
from tfusq.transforms import exact

_PEAK = 255.0


class Coded(NamedTuple):
  """A picture as a file.

  Attributes:
    data: The file, a scalar string.
    cost: Bits of the file, and the weighted distortion in bits, a scalar float64.
    psnr: PSNR of the decoder's picture in dB, a scalar float32.
  """

  data: tf.Tensor
  cost: tf.Tensor
  psnr: tf.Tensor

  @property
  def size(self) -> tf.Tensor:
    """Length of the file in bytes, a scalar `int64`."""
    return tf.cast(tf.strings.length(self.data), tf.int64)


def either(condition: tf.Tensor, one: Coded, other: Coded) -> Coded:
  """Returns one of two files."""
  return Coded(*(tf.where(condition, a, b) for a, b in zip(one, other, strict=True)))


class Refining:
  """Codes pictures with refined latents."""

  def __init__(
    self,
    coding: Coding,
    store: exact.Store,
    refiner: Refiner,
    reconstruct: Callable[..., tf.Tensor],
    traced: Callable[..., Callable],
  ):
    """Initializer.

    Args:
      coding: A codec's coding.
      store: Store of the weights that are rounded for exact arithmetic.
      refiner: The codec's refiner.
      reconstruct: Function from a quantized latent, height and width to a picture.
      traced: Function that makes a function that is traced once.
    """
    self._coding = coding
    self._store = store
    self._refiner = refiner
    self._reconstruct = reconstruct
    # Called in several places of one graph: written out in each, it would take TensorFlow several
    # times as long to prepare the graph.
    self._code = traced(self._code_latents, alone=True)
    self._code_both = traced(self._code_plain_and_refined, alone=True)

  def both(
    self, image: tf.Tensor, first: dict[str, tf.Tensor], step: tf.Tensor, budget: Budget
  ) -> tuple[Coded, Coded]:
    """Codes a picture as it is, and with refined latents.

    Args:
      image: `uint8[height, width, 3]`.
      first: Latents from `in_tiles.first_latents`.
      step: Quality step, a scalar `int32`.
      budget: Limits of the optimization.

    Returns:
      The plain file, and the better one of the two.
    """
    return self._code_both(image, first, step, budget)

  def _code_plain_and_refined(self, image, first, step, budget):
    quality = self._coding.qualities.at(step)
    latents = in_tiles.all_latents(self._coding.centred_model.model, first, quality.gains)

    def look(image, latents):
      return self._code(image, latents, step).cost

    def refine():
      return self._refiner.refined(image, latents, step, quality.gains, budget, look)

    plain = self._code(image, latents, step)
    # A distortion may have no meaning for small pictures.
    takes = self._refiner.takes(image)
    refined = self._code(image, tf.cond(takes, refine, lambda: latents), step)
    return plain, either(refined.cost < plain.cost, refined, plain)

  def _code_latents(self, image, latents, step):
    height, width = tf.unstack(tf.shape(image)[:2])
    with exact.storing(self._store):
      quality = self._coding.qualities.at(step)
      encoded = bitstream.encode_latents(self._coding, latents, quality, height, width)
    reconstruction = self._reconstruct(encoded.y_hat, height, width)
    bits = tf.cast(8 * tf.strings.length(encoded.data, unit='BYTE'), tf.float64)
    distortion = self._refiner.distortion(image, reconstruction, step)
    return Coded(encoded.data, bits + distortion, psnr(image, reconstruction))


def psnr(image: tf.Tensor, reconstruction: tf.Tensor) -> tf.Tensor:
  """Returns the PSNR of a picture in dB, a scalar float32.

  Args:
    image: `uint8[height, width, 3]`.
    reconstruction: Decoded picture, of the same shape.
  """
  difference = tf.cast(image, tf.int32) - tf.cast(reconstruction, tf.int32)
  # Sums of integers: as many as a picture may have would not fit into float32.
  total = tf.reduce_sum(tf.cast(difference * difference, tf.int64))
  mse = tf.cast(total, tf.float64) / tf.cast(tf.size(image, tf.int64), tf.float64)
  return tf.cast(
    10 * tf.math.log(_PEAK**2 / mse) / tf.math.log(tf.constant(10, mse.dtype)), tf.float32
  )
