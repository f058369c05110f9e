"""Coded length against the ideal of the entropy models, on the latents of real images."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfusq.coding import Coder
from tfusq.export.bitstream import Encoder, make_coders
from tfusq.image_files import list_images, read_image
from tfusq.training.codec import Codec
from tfusq.transforms import exact

_STRING_OVERHEAD = 4  # bytes that a range coder may spend on ending a string


class Length(NamedTuple):
  """Lengths of one latent of one image.

  Attributes:
    latent: Its name.
    coded: Bytes of its string.
    ideal: Bytes: `-log2 P` summed over the symbols that are coded.
  """

  latent: str
  coded: int
  ideal: float


def lengths(codec: Codec, coders: dict[str, Coder], image: tf.Tensor) -> list[Length]:
  """Codes an image as the exported codec does, and computes what it should take.

  The ideal is evaluated in float64 from the network outputs that the coder is given too, for the
  symbols that it codes; unconditional entropy models, whose variables are float32, in float32. It
  saturates in the tails as the loss does, so that it is never above `-log2 P`.

  Args:
    codec: A created codec.
    coders: Of its entropy models, by the names of their latents.
    image: `uint8[height, width, 3]`.

  Returns:
    One for each latent, in coding order.
  """
  return _coded(codec, coders, image)[0]


def _coded(codec, coders, image):
  """Returns the lengths, and the decoder's latent."""
  encoder = _IdealEncoder(codec.centred_model, coders, tf.cast(image, tf.float32)[None] / 255)
  with exact.arithmetic():
    y_hat = codec.model.walk(encoder, 1, *image.shape[:2])
  return [
    Length(name, len(string.numpy()), float(bits) / 8)
    for (name, bits), string in zip(encoder.bits().items(), encoder.strings())
  ], y_hat


class _IdealEncoder(Encoder):
  """Expects what the entropy models say in float64, whatever the coder does."""

  def expected_bits(self, coded):
    entropy_model = self._entropy_models[coded.latent]
    dtype = tf.float64 if entropy_model.channels else tf.float32
    parameters = entropy_model.parameters(tf.cast(coded.raw, dtype))
    value = tf.cast(coded.symbols, dtype)
    centre = self._centred_model.centre(coded.latent, parameters)
    bits = entropy_model.bits(value if centre is None else value + centre, parameters)
    return tf.reduce_sum(tf.cast(bits, tf.float64))

  def _no_bits(self):
    return tf.zeros([], tf.float64)


def print_code_length(codec: Codec, folder: str) -> None:
  """Prints sums over a folder's images, and the greatest excess of one string.

  Below it the gap of the batched forward in floats, which validation uses: its rate and its mean
  squared error over those of the codec, whose entropy parameters are exact.

  Args:
    codec: A created codec.
    folder: Searched for images.

  Raises:
    ExportError: if an entropy model has no bitstream for the way this codec quantizes.
    ImageError: if there are no images, or one can't be read.
  """
  coders = make_coders(codec.centred_model)
  found, pixels, figures = {name: [] for name in codec.model.entropy_models}, 0, []
  for path in tqdm(list_images(folder), unit='image'):
    image = tf.constant(read_image(path))
    size = image.shape[0] * image.shape[1]
    pixels += size
    coded, y_hat = _coded(codec, coders, image)
    for length in coded:
      found[length.latent].append(length[1:])
    x = tf.cast(image, tf.float32)[None] / 255
    batched = codec.hard(x)
    mse = tf.reduce_mean(tf.square(x - codec.model.reconstruct(y_hat, *image.shape[:2])))
    figures.append(
      (
        float(batched.bpp) * size / 8,
        sum(length.ideal for length in coded),
        float(batched.mse) * size,
        float(mse) * size,
      )
    )
  print(
    f'{"latent":<8}{"model":<18}{"centred":<9}{"bpp":>8}{"coded":>10}{"ideal":>13}'
    f'{"excess %":>10}{"greatest %":>12}'
  )
  for name, rows in found.items():
    coded, ideal = np.array(rows).T
    beyond = 100 * ((coded - _STRING_OVERHEAD) / ideal - 1)
    kind = type(codec.model.entropy_models[name]).__name__
    print(
      f'{name:<8}{kind:<18}{"zero" if codec.centred_model.zero_centre[name] else "integers":<9}'
      f'{8 * coded.sum() / pixels:>8.4f}{coded.sum():>10.0f}{ideal.sum():>13.1f}'
      f'{100 * (coded.sum() / ideal.sum() - 1):>10.4f}{beyond.max():>12.4f}'
    )
  rate, ideal, mse, exact_mse = np.sum(figures, 0)
  print(
    f'coded and ideal: bytes of all images; greatest: excess of one string, less '
    f'{_STRING_OVERHEAD} bytes\n'
    f'batched forward over codec: rate {100 * (rate / ideal - 1):+.4f} %, '
    f'mean squared error {100 * (mse / exact_mse - 1):+.4f} %'
  )
