"""8-bit pixels as the floats that the networks work on, and back.

There is one conversion, so that training, evaluation and the exported codec see the same floats. It
multiplies by 1/255 instead of dividing by 255: in a graph TensorFlow replaces a division by a
constant by this product, so that a division would give half of all pixels another last bit when it
is executed eagerly. `tf.image.convert_image_dtype` computes the same product.
"""

import numpy as np
import tensorflow as tf


def from_uint8(image: tf.Tensor | np.ndarray) -> tf.Tensor:
  """Returns 8-bit pixels as floats.

  Args:
    image: Pixels of any shape, `uint8`.

  Returns:
    `float32` of the same shape, 0 to 1.
  """
  return tf.cast(image, tf.float32) * (1 / 255)


def to_uint8(x: tf.Tensor | np.ndarray) -> tf.Tensor:
  """Returns the nearest 8-bit pixels, the inverse of `from_uint8`.

  Args:
    x: Pixels of any shape, `float32`; below 0 and above 1 they are clipped.

  Returns:
    `uint8` of the same shape.
  """
  return tf.cast(tf.round(255 * tf.clip_by_value(x, 0, 1)), tf.uint8)
