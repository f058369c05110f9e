"""Checks of distortions."""

import numpy as np
import tensorflow as tf

from tfusq.testing.requirements import gradient_of, require, require_same_when_traced
from tfusq.training.distortions import Distortion

# Least sides of the images, which are not square.
_SIDES = (48, 64)

# Rounding errors of float32, of values of about 1.
_ERROR = 1e-6


def _images(distortion: Distortion, batch: int = 2) -> tf.Tensor:
  """Returns images with neighbourhoods that are alike, `[batch, height, width, 3]`."""
  sides = [max(side, distortion.least_side) for side in _SIDES]
  coarse = tf.random.stateless_uniform([batch, 8, 8, 3], [1, batch], 0.2, 0.8)
  noise = tf.random.stateless_uniform([batch, *sides, 3], [2, batch], -0.1, 0.1)
  return tf.image.resize(coarse, sides) + noise


def _noisy(images: tf.Tensor, deviation: float = 0.1) -> tf.Tensor:
  return images + deviation * tf.random.stateless_normal(images.shape, [3, 4])


def _pairs(distortion: Distortion) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
  """Returns images and reconstructions by what the reconstructions are."""
  images = _images(distortion)
  flat = tf.fill(images.shape, 0.5)
  return {
    'the images': (images, images),
    'flat, as the images are': (flat, flat),
    'the images with noise': (images, _noisy(images)),
    'the negatives': (images, 1 - images),
    'flat': (images, flat),
    'black': (images, tf.zeros_like(images)),
    'noise around the images of flat ones': (flat, _noisy(flat)),
    'far beyond 0 and 1': (images, 10 * images - 5),
  }


def has_a_value_for_each_image(distortion: Distortion) -> None:
  """The value of a batch is a `float32` tensor with a number for each image."""
  images = _images(distortion)
  value = tf.convert_to_tensor(distortion(images, _noisy(images)))
  require(
    value.dtype == tf.float32 and value.shape == [len(images)],
    f'the value of a batch of {images.shape} is a {value.dtype.name} tensor of shape '
    f'{value.shape}, not float32 of shape ({len(images)},)',
  )


def is_zero_at_equality(distortion: Distortion) -> None:
  """Equal images have the distortion 0."""
  images = _images(distortion)
  for name, equal in (('varied', images), ('flat', tf.fill(images.shape, 0.5))):
    value = np.abs(distortion(equal, equal)).max()
    require(value <= _ERROR, f'equal {name} images have the distortion {value:.3g}')


def is_never_negative(distortion: Distortion) -> None:
  """No reconstruction has a negative distortion."""
  for name, (images, reconstruction) in _pairs(distortion).items():
    value = np.min(distortion(images, reconstruction))
    require(value >= -_ERROR, f'where the reconstruction is {name}, the distortion is {value:.3g}')


def grows_with_noise(distortion: Distortion) -> None:
  """A little noise is worse than none, and much noise is worse."""
  images = _images(distortion)
  little, much = (np.mean(distortion(images, _noisy(images, scale))) for scale in (0.02, 0.2))
  require(
    0 < little < much,
    f'noise of deviation 0.02 has the distortion {little:.3g}, and of 0.2 {much:.3g}',
  )


def has_finite_gradients(distortion: Distortion) -> None:
  """The gradient is finite everywhere, and not zero where there is noise."""
  for name, (images, reconstruction) in _pairs(distortion).items():
    value, (gradient,) = gradient_of(
      lambda y, x=images: tf.reduce_sum(distortion(x, y)), reconstruction
    )
    bad = np.count_nonzero(~np.isfinite(gradient))
    require(
      np.isfinite(value) and not bad,
      f'where the reconstruction is {name}, the distortion is {float(value):.3g} and {bad} of '
      f'{tf.size(gradient)} gradients are not finite',
    )
    if name == 'the images with noise':
      require(np.any(gradient), f'where the reconstruction is {name}, all gradients are 0')


def judges_each_image_by_itself(distortion: Distortion) -> None:
  """The value of an image does not depend on the others of its batch."""
  images = _images(distortion, batch=3)
  # The more noise, the later in the batch.
  reconstruction = tf.concat([images[:1], _noisy(images[1:2]), _noisy(images[2:], 0.3)], axis=0)
  together = np.array(distortion(images, reconstruction))
  for number in range(3):
    image = slice(number, number + 1)
    alone = float(distortion(images[image], reconstruction[image])[0])
    difference = abs(together[number] - alone) / (1e-3 + abs(alone))
    require(
      difference < 1e-4,
      f'an image has the distortion {alone:.6g} alone, and {together[number]:.6g} in a batch',
    )


def agrees_when_traced(distortion: Distortion) -> None:
  """A graph of unknown batch and sides gives the values and gradients of eager calls."""
  images = _images(distortion)

  def value_and_gradient(images, reconstruction):
    value, gradients = gradient_of(lambda y: tf.reduce_sum(distortion(images, y)), reconstruction)
    return [value, *gradients]

  require_same_when_traced(value_and_gradient, images, _noisy(images), known_channels=True)


distortion_checks = [
  has_a_value_for_each_image,
  is_zero_at_equality,
  is_never_negative,
  grows_with_noise,
  has_finite_gradients,
  judges_each_image_by_itself,
  agrees_when_traced,
]
