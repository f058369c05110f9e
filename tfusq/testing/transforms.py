"""Checks of transforms between image and latent."""

import numpy as np
import tensorflow as tf

from tfusq.testing.requirements import (
  NotApplicable,
  require,
  require_gradients,
  require_repeatable_start,
  require_same_when_traced,
)
from tfusq.transforms import Transforms

_STRIDE = 16

# Small, but wide enough that no layer is dead by the chance of its initialization. The two numbers
# differ, so that one is not taken for the other.
_FILTERS = 32
_LATENT_CHANNELS = 20

# The least size, and one that is not square.
_SIZES = ((16, 16), (64, 48))


def _images(height: int, width: int) -> tf.Tensor:
  """Returns `[2, height, width, 3]` images."""
  return tf.random.stateless_uniform([2, height, width, 3], [height, width])


def _latents(height: int, width: int) -> tf.Tensor:
  """Returns `[2, height / 16, width / 16, channels]` latents of images of a size."""
  shape = [2, height // _STRIDE, width // _STRIDE, _LATENT_CHANNELS]
  return tf.random.stateless_normal(shape, [height, width])


def analysis_has_stride_16(transforms: Transforms) -> None:
  """The latent has a sixteenth of the image's sides, and the number of channels asked for."""
  analysis = transforms.analysis(_FILTERS, _LATENT_CHANNELS)
  for height, width in _SIZES:
    expected = [2, height // _STRIDE, width // _STRIDE, _LATENT_CHANNELS]
    shape = analysis(_images(height, width)).shape
    require(
      shape == expected,
      f'the latent of images of {height}x{width} has the shape {shape}, not {expected}',
    )


def synthesis_restores_the_size(transforms: Transforms) -> None:
  """The synthesis gives three channels at sixteen times the latent's sides."""
  synthesis = transforms.synthesis(_FILTERS, _LATENT_CHANNELS)
  for height, width in _SIZES:
    expected = [2, height, width, 3]
    latents = _latents(height, width)
    shape = synthesis(latents).shape
    require(
      shape == expected,
      f'the reconstruction from a latent of {latents.shape} has the shape {shape}, not {expected}',
    )


def trains_every_variable(transforms: Transforms) -> None:
  """The gradient of the squared error of a reconstruction reaches every variable."""
  analysis = transforms.analysis(_FILTERS, _LATENT_CHANNELS)
  synthesis = transforms.synthesis(_FILTERS, _LATENT_CHANNELS)
  images = _images(*_SIZES[-1])

  def error():
    return tf.reduce_mean(tf.square(synthesis(analysis(images)) - images))

  error()  # creates the variables
  require_gradients(error, analysis.trainable_variables + synthesis.trainable_variables)


def starts_from_data(transforms: Transforms) -> None:
  """A start from images is repeatable, and does not raise the squared error of these images."""
  analysis = transforms.analysis(_FILTERS, _LATENT_CHANNELS)
  synthesis = transforms.synthesis(_FILTERS, _LATENT_CHANNELS)
  layers = [layer for layer in (analysis, synthesis) if hasattr(layer, 'initialize_from_data')]
  if not layers:
    raise NotApplicable('it does not start from data')
  images = _images(*_SIZES[-1])

  def error():
    return float(tf.reduce_mean(tf.square(synthesis(analysis(images)) - images)))

  def start():
    for layer in layers:
      layer.initialize_from_data(images.numpy())

  before = error()
  require_repeatable_start(start, analysis.variables + synthesis.variables)
  after = error()
  require(
    after <= before,
    f'the squared error of images rises from {before:.4g} to {after:.4g} by a start from them',
  )


def images_are_independent(transforms: Transforms) -> None:
  """The result for an image does not depend on the other images of its batch."""
  height, width = _SIZES[-1]
  halves = (
    ('analysis', transforms.analysis, _images(height, width)),
    ('synthesis', transforms.synthesis, _latents(height, width)),
  )
  for name, make, batch in halves:
    layer = make(_FILTERS, _LATENT_CHANNELS)
    together = layer(batch)
    alone = tf.concat([layer(batch[:1]), layer(batch[1:])], axis=0)
    difference = np.max(np.abs(together - alone)) / (1 + np.max(np.abs(alone)))
    # Convolutions may add up in another order for another size of the batch.
    require(
      difference < 1e-4,
      f'the {name} of an image is {difference:.3g} (relative) apart without its batch',
    )


def agrees_when_traced(transforms: Transforms) -> None:
  """A graph of unknown sizes gives the results of eager calls."""
  height, width = _SIZES[-1]
  analysis = transforms.analysis(_FILTERS, _LATENT_CHANNELS)
  synthesis = transforms.synthesis(_FILTERS, _LATENT_CHANNELS)
  images = _images(height, width)
  latents = _latents(height, width)

  # Layers create their variables eagerly, as `Codec` does before it trains.
  analysis(images)
  synthesis(latents)
  require_same_when_traced(lambda x: [analysis(x)], images, known_channels=True)
  require_same_when_traced(lambda y: [synthesis(y)], latents, known_channels=True)


transforms_checks = [
  analysis_has_stride_16,
  synthesis_restores_the_size,
  trains_every_variable,
  starts_from_data,
  images_are_independent,
  agrees_when_traced,
]
