"""Coded length compared with the ideal of the entropy models, on the latents of real images.

The ideal length of a string is the sum of `-log2 P` over its symbols. A range coder spends more,
because of tables of integers, parameters that are rounded to levels, and escapes.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfusq import progress
from tfusq.export import bitstream, container
from tfusq.export.bitstream import Coding
from tfusq.export.visitors import Encoder
from tfusq.image_files import list_images, read_image
from tfusq.training.codec import Codec
from tfusq.transforms import exact
from tfusq.transforms.pixels import from_uint8

# Bytes that a range coder may spend on ending a string.
_STRING_OVERHEAD = 4


class Length(NamedTuple):
  """Length of one latent of one image.

  Attributes:
    latent: Name of the latent.
    coded: Length of its string in bytes.
    ideal: Ideal length in bytes.
  """

  latent: str
  coded: int
  ideal: float


def lengths(coding: Coding, image: tf.Tensor) -> list[Length]:
  """Codes an image as the exported codec does, and computes its ideal length.

  A codec of variable rate codes it at its default quality.

  The ideal is evaluated in float64, from the network outputs and for the symbols that the coder is
  given; for unconditional entropy models, whose variables are float32, in float32. It saturates in
  the tails as the loss does, so that it is never above `-log2 P`.

  Args:
    coding: A codec's coding.
    image: `uint8[height, width, 3]`.

  Returns:
    Lengths of each latent, in coding order.
  """
  return _encode(coding, image)[0]


def _encode(coding, image):
  """Returns the lengths, and the latent that the decoder reconstructs the image from."""
  encoded = bitstream.encode(coding, image, encoder_class=_IdealEncoder)
  sections = container.read_header(encoded.data.numpy()).sections

  result = []
  for (latent, bits), coded in zip(encoded.encoder.bits().items(), sections, strict=True):
    result.append(Length(latent, coded, float(bits) / 8))
  return result, encoded.y_hat


class _IdealEncoder(Encoder):
  """An encoder that expects the entropy models' bits in float64, whatever the coder spends."""

  def expected_bits(self, coded):
    entropy_model = self._entropy_models[coded.latent]
    # An entropy model without network outputs has variables, in float32.
    dtype = tf.float64 if entropy_model.channels else tf.float32
    parameters = entropy_model.parameters(tf.cast(coded.raw, dtype))
    y_hat = tf.cast(coded.symbols, dtype)
    centre = self._centred_model.centre(coded.latent, parameters)
    if centre is not None:
      y_hat += centre
    return tf.reduce_sum(tf.cast(entropy_model.bits(y_hat, parameters), tf.float64))

  def _no_bits(self):
    return tf.zeros([], tf.float64)


class _Total(NamedTuple):
  """Sums over images, or the share of one image in them.

  Attributes:
    pixels: Number of pixels.
    ideal: Ideal length of all latents in bytes.
    batched: Estimated length in bytes by the forward calculation in floats.
    error: Squared error of the codec's reconstruction, times pixels.
    batched_error: Squared error of the forward calculation in floats, times pixels.
  """

  pixels: int
  ideal: float
  batched: float
  error: float
  batched_error: float


def report(codec: Codec, folder: str) -> str:
  """Compares coded and ideal length over the images of a folder.

  A second comparison is with the batched forward calculation in floats, which validation uses: its
  estimated rate and its squared error relative to those of the codec, whose entropy parameters are
  computed in exact arithmetic.

  Args:
    codec: Codec, its variables created.
    folder: Folder that is searched for images.

  Returns:
    A table with sums over the images and the largest excess of a single string for each latent, and
    the comparison with the forward calculation in floats.

  Raises:
    ExportError: if an entropy model has no bitstream for the way this codec quantizes.
    ImageError: if there are no images, or one can't be read.
  """
  coding = bitstream.make_coding(codec.centred_model)
  by_latent: dict[str, list[Length]] = {latent: [] for latent in coding.coders}
  totals = []
  store = exact.Store()
  for path in progress.track(list_images(folder), 'image'):
    image = tf.constant(read_image(path))
    with exact.storing(store):
      coded, y_hat = _encode(coding, image)
    for length in coded:
      by_latent[length.latent].append(length)
    totals.append(_total(codec, image, coded, y_hat))

  total = _Total(*np.sum(totals, 0))
  lines = [
    f'{"latent":<8}{"model":<18}{"centred":<9}{"bpp":>8}{"coded":>10}{"ideal":>13}'
    f'{"excess %":>10}{"greatest %":>12}'
  ]
  lines += [_line(codec, latent, coded, total.pixels) for latent, coded in by_latent.items()]
  lines += [
    'coded and ideal: bytes of all images; greatest: excess of one string, minus '
    f'{_STRING_OVERHEAD} bytes',
    f'batched forward relative to codec: rate {_excess(total.batched, total.ideal):+.4f} %, '
    f'mean squared error {_excess(total.batched_error, total.error):+.4f} %',
  ]
  return '\n'.join(lines)


def _total(codec, image, coded, y_hat):
  height, width = image.shape[:2]
  pixels = height * width
  x = from_uint8(image)[None]
  batched = codec.hard(x)
  reconstruction = codec.model.reconstruct(y_hat, height, width)
  mse = tf.reduce_mean(tf.square(x - reconstruction))
  return _Total(
    pixels=pixels,
    ideal=sum(length.ideal for length in coded),
    batched=float(batched.bpp) * pixels / 8,
    error=float(mse) * pixels,
    batched_error=float(batched.mse) * pixels,
  )


def _line(codec, latent, lengths, pixels):
  """Returns a latent's line of the table."""
  coded = np.array([length.coded for length in lengths])
  ideal = np.array([length.ideal for length in lengths])
  greatest = _excess(coded - _STRING_OVERHEAD, ideal).max()

  entropy_model = type(codec.model.entropy_models[latent]).__name__
  centred = 'zero' if codec.centred_model.zero_centre[latent] else 'integers'
  return (
    f'{latent:<8}{entropy_model:<18}{centred:<9}'
    f'{8 * coded.sum() / pixels:>8.4f}{coded.sum():>10.0f}{ideal.sum():>13.1f}'
    f'{_excess(coded.sum(), ideal.sum()):>10.4f}{greatest:>12.4f}'
  )


def _excess(value, reference):
  """Returns by how many percent a value exceeds a reference."""
  return 100 * (value / reference - 1)
