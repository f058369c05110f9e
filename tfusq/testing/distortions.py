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


def is_a_float32_scalar(distortion: Distortion) -> None:
  """The value of a batch is a scalar `float32` tensor."""
  images = _images(distortion)
  value = tf.convert_to_tensor(distortion(images, _noisy(images)))
  require(
    value.dtype == tf.float32 and value.shape.rank == 0,
    f'the value of a batch of {images.shape} is a {value.dtype.name} tensor of shape '
    f'{value.shape}, not a float32 scalar',
  )


def is_zero_at_equality(distortion: Distortion) -> None:
  """Equal images have the distortion 0."""
  images = _images(distortion)
  for name, equal in (('varied', images), ('flat', tf.fill(images.shape, 0.5))):
    value = float(distortion(equal, equal))
    require(abs(value) <= _ERROR, f'equal {name} images have the distortion {value:.3g}')


def is_never_negative(distortion: Distortion) -> None:
  """No reconstruction has a negative distortion."""
  for name, (images, reconstruction) in _pairs(distortion).items():
    value = float(distortion(images, reconstruction))
    require(value >= -_ERROR, f'where the reconstruction is {name}, the distortion is {value:.3g}')


def grows_with_noise(distortion: Distortion) -> None:
  """A little noise is worse than none, and much noise is worse."""
  images = _images(distortion)
  little, much = (float(distortion(images, _noisy(images, scale))) for scale in (0.02, 0.2))
  require(
    0 < little < much,
    f'noise of deviation 0.02 has the distortion {little:.3g}, and of 0.2 {much:.3g}',
  )


def has_finite_gradients(distortion: Distortion) -> None:
  """The gradient is finite everywhere, and not zero where there is noise."""
  for name, (images, reconstruction) in _pairs(distortion).items():
    value, (gradient,) = gradient_of(lambda y, x=images: distortion(x, y), reconstruction)
    bad = np.count_nonzero(~np.isfinite(gradient))
    require(
      np.isfinite(value) and not bad,
      f'where the reconstruction is {name}, the distortion is {float(value):.3g} and {bad} of '
      f'{tf.size(gradient)} gradients are not finite',
    )
    if name == 'the images with noise':
      require(np.any(gradient), f'where the reconstruction is {name}, all gradients are 0')


def is_the_mean_over_images(distortion: Distortion) -> None:
  """The value of a batch is the mean of its images' values."""
  images = _images(distortion, batch=3)
  # The more noise, the later in the batch.
  reconstruction = tf.concat([images[:1], _noisy(images[1:2]), _noisy(images[2:], 0.3)], axis=0)
  whole = float(distortion(images, reconstruction))
  each = [float(distortion(images[i : i + 1], reconstruction[i : i + 1])) for i in range(3)]
  difference = abs(whole - np.mean(each)) / (1e-3 + abs(whole))
  require(
    difference < 1e-4,
    f'a batch has the distortion {whole:.6g}, and its images {np.mean(each):.6g} in the mean',
  )


def agrees_when_traced(distortion: Distortion) -> None:
  """A graph of unknown batch and sides gives the values and gradients of eager calls."""
  images = _images(distortion)

  def value_and_gradient(images, reconstruction):
    value, gradients = gradient_of(lambda y: distortion(images, y), reconstruction)
    return [value, *gradients]

  require_same_when_traced(value_and_gradient, images, _noisy(images), known_channels=True)


distortion_checks = [
  is_a_float32_scalar,
  is_zero_at_equality,
  is_never_negative,
  grows_with_noise,
  has_finite_gradients,
  is_the_mean_over_images,
  agrees_when_traced,
]
