"""What the functions of an exported codec take, checked inside the SavedModel.

TensorFlow casts a NumPy array to the type of an input signature without a word, so that an image of
floats from 0 to 1 would be compressed as a black one. A function of an image therefore has no input
signature. It has a trace for each type, and those for other types than an image's refuse it.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfusq.export import container, container_ops

IMAGE = tf.TensorSpec([None, None, 3], tf.uint8, 'image')
DATA = tf.TensorSpec([], tf.string, 'data')

# A list of Python's numbers becomes the first of these that can hold it.
_OTHER_TYPES = (
  tf.bool,
  tf.int32,
  tf.float32,
  tf.int64,
  tf.float64,
  tf.float16,
  tf.bfloat16,
  tf.int8,
  tf.int16,
  tf.uint16,
  tf.uint32,
  tf.uint64,
  tf.string,
)


def image_function(
  function: Callable[[tf.Tensor], Any],
) -> tf.types.experimental.GenericFunction:
  """Returns a function that takes an image, and refuses all other tensors.

  Args:
    function: Function of an image, `uint8[height, width, 3]`.

  Returns:
    Function with a trace for images and one for each other type, to be exported.
  """

  def checked(image):
    if image.dtype != tf.uint8:
      return _refused(f'{container.IMAGE}; this has the type {image.dtype.name}')
    if image.shape.rank != 3 or image.shape[2] != 3:
      message = [f'{container.IMAGE}; this has the shape ', _shape_text(image)]
      return _refused(tf.strings.join(message))
    # A loaded function is traced for each size. The networks must not know it, to be the same for
    # all images, and to be built for one without pixels, which they refuse.
    return function(tf.compat.v1.placeholder_with_default(image, IMAGE.shape))

  traced = tf.function(checked, autograph=False)
  # A loaded function takes the first trace that an argument fits, or can be converted to: uint8
  # is the last, since numbers in lists would be cast to it.
  others = [tf.TensorSpec(None, dtype, 'image') for dtype in _OTHER_TYPES]
  for spec in (*others, IMAGE, tf.TensorSpec(None, tf.uint8, 'image')):
    traced.get_concrete_function(spec)
  return traced


def data_function(
  function: Callable[[tf.Tensor], tf.Tensor],
) -> tf.types.experimental.GenericFunction:
  """Returns a function that takes a file, and refuses several.

  Args:
    function: Function of a file, a scalar string.

  Returns:
    Function with an input signature, since TensorFlow casts nothing but bytes and text to strings.
  """

  def checked(data):
    message = tf.strings.join(['a file is one string; this has the shape ', _shape_text(data)])
    data = container_ops.verified(data, (tf.equal(tf.rank(data), 0), message))
    return function(tf.reshape(data, []))

  return tf.function(checked, [tf.TensorSpec(None, tf.string, 'data')], autograph=False)


def _refused(message: str | tf.Tensor) -> tf.Tensor:
  """Returns a string that can't be computed."""
  return container_ops.verified(tf.constant(''), (tf.constant(False), message))


def _shape_text(x: tf.Tensor) -> tf.Tensor:
  """Returns a shape as a string such as `480x640`."""
  return tf.strings.reduce_join(tf.strings.as_string(tf.shape(x)), separator='x')
