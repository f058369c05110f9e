"""Distortions: what `D` is in the loss `R + lambda D` that a codec is trained for.

The squared error is the default. MS-SSIM compares means, contrasts and structures of an image's
neighbourhoods, at five scales. Others are plugins.
"""

import abc
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfusq.quantization.bounds import lower_bound
from tfusq.transforms import sizes

# The published weights of MS-SSIM's five scales, from the finest one.
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW = 11  # pixels
_SIGMA = 1.5  # pixels
# Of pixels from 0 to 1.
_C1 = 0.01**2
_C2 = 0.03**2

# The gradient of a similarity's power grows beyond bounds towards 0; below this it is the one here.
_LEAST_SIMILARITY = 1e-3


class Distortion(abc.ABC):
  """How bad reconstructions are: the base class of the group `tfusq.distortions`.

  A subclass must define `__call__` and must keep:

  * It is zero where images are equal, and never negative.
  * Its gradient by the reconstruction is finite everywhere, and not zero everywhere.
  * The value of an image does not depend on the others of its batch.
  * It works eagerly and in a graph, in which batch and sides may be unknown.

  `tfusq check NAME` and `tfusq.testing.conformance` test this. Variables that it has, such as a
  network's, are neither trained nor in the checkpoints of a run: it makes or loads them itself, in
  its constructor.

  Attributes:
    unit: Factor in the loss, `R + lambda unit D`; the scale on which lambda is told.
    least_side: Least number of rows and columns for which it is defined.
    typical_arguments: Arguments of the constructor, by name, with which `tfusq check NAME` builds
      the class, except those that gin binds. A class whose constructor needs arguments should
      define it.
  """

  unit: float = 1.0
  least_side: int = 1
  typical_arguments: Mapping[str, Any] = {}

  @abc.abstractmethod
  def __call__(self, x: tf.Tensor, reconstruction: tf.Tensor) -> tf.Tensor:
    """Returns the distortion of each image.

    Args:
      x: Images, `float32[batch, height, width, 3]`, 0 to 1.
      reconstruction: Decoded images, of the same shape; neither rounded nor clipped in training.

    Returns:
      `float32[batch]`.
    """


class MSE(Distortion):
  """Mean squared error; lambda is its weight on the scale of 8-bit images."""

  unit = 255.0**2

  def __call__(self, x: tf.Tensor, reconstruction: tf.Tensor) -> tf.Tensor:
    return squared_error(x, reconstruction)


class MSSSIM(Distortion):
  """One minus multi-scale structural similarity, of images with sides of 161 pixels or more.

  The similarity is that of `tf.image.ssim_multiscale`: a mean over positions at each scale, a
  product of the scales' powers, and the mean over red, green and blue. TensorFlow's function has no
  gradient where a scale's similarity is zero or less, as happens before a network has learnt
  anything. Here such a scale has the value zero too, and a gradient that leads back.

  #### References
  - Z. Wang, E. P. Simoncelli and A. C. Bovik, "Multiscale structural similarity for image quality
    assessment," 2003. https://doi.org/10.1109/ACSSC.2003.1292216
  """

  # The image is halved four times and must then hold a window of 11 pixels: 16 * 10 + 1.
  least_side = 161

  def __call__(self, x: tf.Tensor, reconstruction: tf.Tensor) -> tf.Tensor:
    _require_sides(self, x.shape)
    similarities = [_similarity(x, reconstruction, with_luminance=False)]
    for scale in range(1, len(_SCALE_WEIGHTS)):
      x, reconstruction = _halved(x), _halved(reconstruction)
      is_coarsest = scale == len(_SCALE_WEIGHTS) - 1
      similarities.append(_similarity(x, reconstruction, with_luminance=is_coarsest))
    return 1 - tf.reduce_mean(_product_of_powers(tf.stack(similarities, axis=-1)), axis=-1)


class WeightedSum(Distortion):
  """A weighted sum of other distortions, each in its unit."""

  typical_arguments = {'distortions': (MSE(), MSSSIM()), 'weights': (1.0, 1280.0)}

  def __init__(self, distortions: Sequence[Distortion], weights: Sequence[float]):
    """Initializer.

    Args:
      distortions: The distortions.
      weights: Weight of each, beside lambda; positive.

    Raises:
      TypeError: if there is something else among the distortions.
      ValueError: if there are none, or not as many positive weights.
    """
    for distortion in distortions:
      if not isinstance(distortion, Distortion):
        raise TypeError(f'WeightedSum.distortions must be distortions, not {distortion!r}')
    if not distortions or len(weights) != len(distortions):
      raise ValueError(
        'WeightedSum takes at least one distortion and as many weights, not '
        f'{len(distortions)} and {len(weights)}'
      )
    for weight in weights:
      if not 0 < weight < math.inf:
        raise ValueError(f'WeightedSum.weights must be positive and finite, not {weight!r}')
    self.distortions = tuple(distortions)
    self.weights = tuple(float(weight) for weight in weights)
    self.least_side = max(distortion.least_side for distortion in distortions)

  def __call__(self, x: tf.Tensor, reconstruction: tf.Tensor) -> tf.Tensor:
    terms = []
    for distortion, weight in zip(self.distortions, self.weights, strict=True):
      terms.append(weight * distortion.unit * distortion(x, reconstruction))
    # Not by `add_n`, whose order of more than two terms depends on timing.
    return sum(terms[1:], terms[0])


def parts(distortion: Distortion) -> list[Distortion]:
  """Returns a distortion and all that it is a sum of."""
  found = [distortion]
  if isinstance(distortion, WeightedSum):
    for term in distortion.distortions:
      found += parts(term)
  return found


def are_built_in(distortion: Distortion) -> bool:
  """Returns whether a distortion, and all that it is a sum of, are of this library.

  They consist of TensorFlow's operations and have no variables.
  """
  return all(type(part) in (MSE, MSSSIM, WeightedSum) for part in parts(distortion))


def squared_error(x: tf.Tensor, reconstruction: tf.Tensor) -> tf.Tensor:
  """Returns the mean squared error of each image, `[batch]`.

  Args:
    x: Images, `[batch, height, width, 3]`.
    reconstruction: Decoded images, of the same shape.
  """
  return tf.reduce_mean(tf.square(x - reconstruction), axis=(1, 2, 3))


def _require_sides(distortion: Distortion, shape: tf.TensorShape) -> None:
  """Refuses images that are too small, where their size is known."""
  sides = [side for side in shape[1:3] if side is not None]
  if sides and min(sides) < distortion.least_side:
    raise ValueError(
      f'{type(distortion).__name__} needs images with sides of at least {distortion.least_side} '
      f'pixels, not {min(sides)}'
    )


def _similarity(a: tf.Tensor, b: tf.Tensor, with_luminance: bool) -> tf.Tensor:
  """Returns the means over positions of contrast times structure, and of luminance if so asked.

  Args:
    a: Images, `[batch, height, width, 3]`.
    b: Images of the same shape.
    with_luminance: Whether to multiply by the similarity of the means.

  Returns:
    `[batch, 3]`, at most 1.
  """
  # Apart, because only `b` has a gradient in training.
  mean_a, squares_a = tf.split(_blurred(tf.concat([a, tf.square(a)], axis=0)), 2)
  blurred = _blurred(tf.concat([b, tf.square(b), 2 * a * b], axis=0))
  mean_b, squares_b, products = tf.split(blurred, 3)
  product_of_means = 2 * mean_a * mean_b
  squares_of_means = tf.square(mean_a) + tf.square(mean_b)

  similarity = (products - product_of_means + _C2) / (
    squares_a + squares_b - squares_of_means + _C2
  )
  if with_luminance:
    similarity *= (product_of_means + _C1) / (squares_of_means + _C1)
  return tf.reduce_mean(similarity, axis=(1, 2))


def _blurred(images: tf.Tensor) -> tf.Tensor:
  """Returns the means in a Gaussian window, where the whole window lies in the image.

  Args:
    images: `[batch, height, width, 3]`.

  Returns:
    `[batch, width - 10, height - 10, 3]`, transposed.
  """
  across = tf.transpose(_blurred_down(images), [0, 2, 1, 3])
  return _blurred_down(across)


def _blurred_down(images: tf.Tensor) -> tf.Tensor:
  """Returns the means in a Gaussian window in each column, where the whole window lies in it."""
  offsets = np.arange(_WINDOW) - _WINDOW // 2
  window = np.exp(-(offsets**2) / (2 * _SIGMA**2))
  window /= window.sum()

  # With a channel for each number of a row, this is four times as fast on a CPU as with three.
  batch, height, width, channels = sizes(images)
  rows = tf.reshape(images, [batch, height, 1, width * channels])
  kernel = tf.tile(
    tf.constant(window[:, None, None, None], images.dtype), [1, 1, width * channels, 1]
  )
  blurred = tf.nn.depthwise_conv2d(rows, kernel, [1, 1, 1, 1], 'VALID')
  return tf.reshape(blurred, [batch, height - _WINDOW + 1, width, channels])


def _halved(images: tf.Tensor) -> tf.Tensor:
  """Returns the means of squares of four pixels; a last line without a partner counts twice."""
  # Of what it pads with, TensorFlow counts nothing.
  return tf.nn.avg_pool2d(images, 2, 2, 'SAME')


def _product_of_powers(similarities: tf.Tensor) -> tf.Tensor:
  """Returns the products of the scales' similarities to the powers of their weights.

  Args:
    similarities: `[batch, 3, scales]`.

  Returns:
    `[batch, 3]`: the gradient is that of similarities with a bound below.
  """
  bounded = _powers(lower_bound(similarities, _LEAST_SIMILARITY))
  return bounded + tf.stop_gradient(_powers(tf.nn.relu(similarities)) - bounded)


def _powers(similarities: tf.Tensor) -> tf.Tensor:
  weights = tf.constant(_SCALE_WEIGHTS, similarities.dtype)
  return tf.exp(tf.reduce_sum(weights * tf.math.log(similarities), axis=-1))
