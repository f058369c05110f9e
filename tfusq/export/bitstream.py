"""A codec's bitstream, in TensorFlow: an image to a file, and a file to an image.

Encoder and decoder walk the model in the same way and in the same shapes, and turn what the
networks say into table indexes before anything is coded, see `visitors`.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfusq.coding import Coder
from tfusq.errors import Error
from tfusq.export import container, container_ops
from tfusq.export.visitors import Decoder, Encoder
from tfusq.models import CentredModel, Model, in_tiles
from tfusq.transforms import exact

INEXACT = (
  'this machine rounds matrix products to 16 bits or so, as ONEDNN_DEFAULT_FPMATH_MODE and '
  'auto_mixed_precision have it, and would code other numbers than others: turn that off'
)

# The quality step of a codec that has one quality.
_ONLY_STEP = 0


class ExportError(Error, RuntimeError):
  """A codec that has no bitstream; says why."""


def make_coders(centred_model: CentredModel) -> dict[str, Coder]:
  """Makes the coder of each latent by name, in coding order.

  Args:
    centred_model: A codec's model, its variables created.

  Raises:
    ExportError: if an entropy model has no bitstream for the way this codec quantizes.
  """
  coders = {}
  try:
    for latent, entropy_model in centred_model.model.entropy_models.items():
      coders[latent] = entropy_model.coder(centred_model.zero_centre[latent])
  except NotImplementedError as error:
    raise ExportError(f'this codec has no bitstream: {error}') from error
  return coders


class EncodedImage(NamedTuple):
  """An image that was compressed.

  Attributes:
    data: The file, a scalar string.
    encoder: The encoder, which has the expected bits.
    y_hat: The latent that the decoder reconstructs from.
    height: Height of the image in pixels, a scalar `int32`.
    width: Width of the image in pixels, a scalar `int32`.
  """

  data: tf.Tensor
  encoder: Encoder
  y_hat: tf.Tensor
  height: tf.Tensor
  width: tf.Tensor


def _max_pixels(model: Model) -> int:
  """Returns the greatest number of pixels that a codec takes."""
  if in_tiles.are_possible(model):
    return container.MAX_PIXELS
  return container.MAX_PIXELS_AT_ONCE


def encode(
  centred_model: CentredModel,
  coders: dict[str, Coder],
  identity: bytes,
  image: tf.Tensor,
  encoder_class: type[Encoder] = Encoder,
  analyze: Callable[[tf.Tensor], dict[str, tf.Tensor]] | None = None,
) -> EncodedImage:
  """Compresses an image, in TensorFlow.

  Args:
    centred_model: A codec's model, its variables created.
    coders: Coders from `make_coders`.
    identity: The codec's identity, 8 bytes.
    image: `uint8[height, width, 3]`.
    encoder_class: Class of the encoder; a subclass may compute the expected bits.
    analyze: Function that does what `in_tiles.latents` does of the model, such as a traced one.

  Returns:
    The compressed image.
  """
  sides = tf.cast(tf.shape(image)[:2], tf.int64)
  sides_fit = tf.reduce_all((sides > 0) & (sides <= container.MAX_SIDE))
  max_pixels = _max_pixels(centred_model.model)
  # Everything else is computed from this one, and so after the check.
  image = container_ops.verified(image, (sides_fit, container.IMAGE_LIMITS))
  pixels_fit = tf.reduce_prod(sides) <= max_pixels
  image = container_ops.verified(image, (pixels_fit, container_ops.pixels_message(max_pixels)))
  height, width = tf.shape(image)[0], tf.shape(image)[1]
  image = container_ops.verified(image, (exact.holds(height), INEXACT))

  latents = analyze(image) if analyze else in_tiles.latents(centred_model.model, image)
  encoder = encoder_class(centred_model, coders, latents)
  with exact.arithmetic():
    y_hat = centred_model.model.walk(encoder, 1, height, width)
  writer = container_ops.Writer(identity, exact.VERSION)
  strings, checks = encoder.strings(), encoder.checks
  data = container_ops.pack(writer, _ONLY_STEP, height, width, strings, checks)
  return EncodedImage(data, encoder, y_hat, height, width)


def decode(
  centred_model: CentredModel, coders: dict[str, Coder], identity: bytes, data: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """Decompresses a file as far as its latent, in TensorFlow.

  Args:
    centred_model: A codec's model, its variables created.
    coders: Coders from `make_coders`.
    identity: The codec's identity, 8 bytes.
    data: The file, a scalar string.

  Returns:
    The latent, and the image's height and width, `int32`; computing them fails with
    `InvalidArgumentError` unless all of the file's checks hold.
  """
  model = centred_model.model
  writer = container_ops.Writer(identity, exact.VERSION)
  contents = container_ops.unpack(data, writer, len(coders), model.parts, _max_pixels(model))
  height, width = tf.cast(contents.height, tf.int32), tf.cast(contents.width, tf.int32)
  strings = container_ops.verified(contents.sections, (exact.holds(height), INEXACT))

  decoder = Decoder(centred_model, coders, strings, contents.checks)
  with exact.arithmetic():
    y_hat = model.walk(decoder, 1, height, width)
  return y_hat, height, width
