"""A codec's bitstream, in TensorFlow: an image to a file, and a file to an image.

Encoder and decoder walk the model in the same way and in the same shapes, and turn what the
networks say into table indexes before anything is coded, see `visitors`.
"""

from typing import NamedTuple

import tensorflow as tf

from tfusq.coding import Coder
from tfusq.errors import Error
from tfusq.export import container, container_ops
from tfusq.export.identity import codec_identity
from tfusq.export.qualities import Qualities, Quality
from tfusq.export.visitors import Decoder, Encoder
from tfusq.models import CentredModel, Model, in_tiles
from tfusq.transforms import exact

INEXACT = (
  'this machine rounds matrix products to 16 bits or so, as ONEDNN_DEFAULT_FPMATH_MODE and '
  'auto_mixed_precision have it, and would code other numbers than others: turn that off'
)


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
    y_hat: The latent that synthesis reconstructs the image from.
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


class Coding(NamedTuple):
  """All that an image is coded by.

  Attributes:
    centred_model: A codec's model, its variables created.
    coders: Coders from `make_coders`.
    identity: The codec's identity, 8 bytes.
    qualities: The codec's qualities.
  """

  centred_model: CentredModel
  coders: dict[str, Coder]
  identity: bytes
  qualities: Qualities

  @property
  def writer(self) -> container_ops.Writer:
    """What files say of the codec."""
    return container_ops.Writer(self.identity, exact.VERSION, self.qualities.steps)


def make_coding(centred_model: CentredModel) -> Coding:
  """Makes coders and tables, and hashes them to the codec's identity.

  Args:
    centred_model: A codec's model, its variables created.

  Raises:
    ExportError: if an entropy model has no bitstream for the way this codec quantizes.
  """
  coders = make_coders(centred_model)
  qualities = Qualities(centred_model.variable_rate)
  identity = codec_identity(centred_model, coders, qualities)
  return Coding(centred_model, coders, identity, qualities)


def encode(
  coding: Coding,
  image: tf.Tensor,
  step: int | tf.Tensor | None = None,
  encoder_class: type[Encoder] = Encoder,
) -> EncodedImage:
  """Compresses an image, in TensorFlow.

  Args:
    coding: A codec's coding.
    image: `uint8[height, width, 3]`.
    step: Quality step; None for the default one.
    encoder_class: Class of the encoder; a subclass may compute the expected bits.

  Returns:
    The compressed image.
  """
  image = checked(coding, image)
  quality = coding.qualities.at(coding.qualities.default_step if step is None else step)
  latents = in_tiles.latents(coding.centred_model.model, image, quality.gains)
  height, width = tf.unstack(tf.shape(image)[:2])
  return encode_latents(coding, latents, quality, height, width, encoder_class)


def checked(coding: Coding, image: tf.Tensor) -> tf.Tensor:
  """Returns an image, `uint8[height, width, 3]`, that can be computed only if it can be coded.

  Args:
    coding: A codec's coding.
    image: `uint8[height, width, 3]`.
  """
  sides = tf.cast(tf.shape(image)[:2], tf.int64)
  sides_fit = tf.reduce_all((sides > 0) & (sides <= container.MAX_SIDE))
  max_pixels = _max_pixels(coding.centred_model.model)
  # Everything else is computed from this one, and so after the check.
  image = container_ops.verified(image, (sides_fit, container.IMAGE_LIMITS))
  pixels_fit = tf.reduce_prod(sides) <= max_pixels
  image = container_ops.verified(image, (pixels_fit, container_ops.pixels_message(max_pixels)))
  return container_ops.verified(image, (exact.holds(tf.shape(image)[0]), INEXACT))


def encode_latents(
  coding: Coding,
  latents: dict[str, tf.Tensor],
  quality: Quality,
  height: tf.Tensor,
  width: tf.Tensor,
  encoder_class: type[Encoder] = Encoder,
) -> EncodedImage:
  """Writes the file of an image whose latents are known, in TensorFlow.

  Args:
    coding: A codec's coding.
    latents: Real-valued latents, by name, from `in_tiles.all_latents` at the quality.
    quality: The quality.
    height: Height of the image in pixels, a scalar `int32`.
    width: Width of the image in pixels, a scalar `int32`.
    encoder_class: Class of the encoder.

  Returns:
    The compressed image.
  """
  networks = coding.centred_model.at(quality.gains)
  encoder = encoder_class(coding.centred_model, coding.coders, latents)
  with exact.arithmetic():
    y_hat = networks.walk(encoder, 1, height, width)
  strings, checks = encoder.strings(), encoder.checks
  data = container_ops.pack(coding.writer, quality.step, height, width, strings, checks)
  return EncodedImage(data, encoder, _for_synthesis(y_hat, quality), height, width)


def decode(coding: Coding, data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """Decompresses a file as far as its latent, in TensorFlow.

  Args:
    coding: A codec's coding.
    data: The file, a scalar string.

  Returns:
    The latent that synthesis takes, and the image's height and width, `int32`; computing them fails
    with `InvalidArgumentError` unless all of the file's checks hold.
  """
  model = coding.centred_model.model
  contents = container_ops.unpack(
    data, coding.writer, len(coding.coders), model.parts, _max_pixels(model)
  )
  quality = coding.qualities.at(contents.step, decodes=True)
  height, width = tf.cast(contents.height, tf.int32), tf.cast(contents.width, tf.int32)
  strings = container_ops.verified(contents.sections, (exact.holds(height), INEXACT))

  decoder = Decoder(coding.centred_model, coding.coders, strings, contents.checks)
  with exact.arithmetic():
    y_hat = coding.centred_model.at(quality.gains).walk(decoder, 1, height, width)
  return _for_synthesis(y_hat, quality), height, width


def _for_synthesis(y_hat: tf.Tensor, quality: Quality) -> tf.Tensor:
  return y_hat if quality.gains is None else y_hat * quality.gains.inverse_gain
