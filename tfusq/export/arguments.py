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
QUALITY = tf.TensorSpec([], tf.float32, 'quality')
BYTES = tf.TensorSpec([], tf.int64, 'limit')
PSNR = tf.TensorSpec([], tf.float32, 'limit')
EFFORT = (
  tf.TensorSpec([], tf.int64, 'iterations'),
  tf.TensorSpec([], tf.float32, 'seconds'),
  tf.TensorSpec([], tf.int64, 'seed'),
)

# Some of Python's numbers are converted to the type of a specification, those of NumPy are not.
_NUMBERS = (tf.float32, tf.float64, tf.int32, tf.int64)

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
  traced = tf.function(lambda image: _with_checked(function, image), autograph=False)
  _trace(traced)
  return traced


def quality_function(
  function: Callable[[tf.Tensor], Any], at_quality: Callable[[tf.Tensor, tf.Tensor], Any]
) -> tf.types.experimental.GenericFunction:
  """Returns a function that takes an image, and a quality or none.

  Args:
    function: Function of an image, `uint8[height, width, 3]`.
    at_quality: Function of an image and a quality, a scalar float32.

  Returns:
    Function with traces as `image_function` gives them, with and without a quality.
  """

  def checked(image, quality=None):
    if quality is None:
      return _with_checked(function, image)
    return _with_checked(at_quality, image, _as(QUALITY.dtype, quality))

  traced = tf.function(checked, autograph=False)
  _trace(traced)
  _trace_with_number(traced, QUALITY)
  return traced


def limit_function(
  function: Callable[[tf.Tensor, tf.Tensor], Any], spec: tf.TensorSpec
) -> tf.types.experimental.GenericFunction:
  """Returns a function that takes an image and a limit.

  Args:
    function: Function of an image, `uint8[height, width, 3]`, and a limit.
    spec: Specification of the limit.

  Returns:
    Function with traces as `image_function` gives them.
  """

  def checked(image, limit):
    return _with_checked(function, image, _as(spec.dtype, limit))

  traced = tf.function(checked, autograph=False)
  _trace_with_number(traced, spec)
  return traced


def effort_function(
  function: Callable[..., Any], at_quality: Callable[..., Any] | None = None
) -> tf.types.experimental.GenericFunction:
  """Returns a function that takes an image and an effort, and a quality or none.

  Args:
    function: Function of an image and the three numbers of an effort.
    at_quality: Function of these and a quality, a scalar float32; None where there is one quality.

  Returns:
    Function with traces as `image_function` gives them; numbers are Python's, or of the types of
    their specifications.
  """

  def checked(image, iterations, seconds, seed, quality=None):
    numbers = [iterations, seconds, seed]
    if quality is None:
      return _with_checked(function, image, *numbers)
    return _with_checked(at_quality, image, *numbers, quality)

  traced = tf.function(checked, autograph=False)
  _trace(traced, *EFFORT)
  if at_quality is not None:
    _trace(traced, *EFFORT, QUALITY)
  return traced


def limited_effort_function(
  function: Callable[..., Any], spec: tf.TensorSpec
) -> tf.types.experimental.GenericFunction:
  """Returns a function that takes an image, a limit and an effort.

  Args:
    function: Function of an image, a limit and the three numbers of an effort.
    spec: Specification of the limit.

  Returns:
    Function with traces as `effort_function` gives them.
  """

  def checked(image, limit, iterations, seconds, seed):
    return _with_checked(function, image, limit, iterations, seconds, seed)

  traced = tf.function(checked, autograph=False)
  _trace(traced, spec, *EFFORT)
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


def _with_checked(function: Callable[..., Any], image: tf.Tensor, *others: tf.Tensor) -> Any:
  """Calls a function with an image, or refuses what is none."""
  if image.dtype != tf.uint8:
    return _refused(f'{container.IMAGE}; this has the type {image.dtype.name}')
  if image.shape.rank != 3 or image.shape[2] != 3:
    message = [f'{container.IMAGE}; this has the shape ', _shape_text(image)]
    return _refused(tf.strings.join(message))
  # A loaded function is traced for each size. The networks must not know it, to be the same for
  # all images, and to be built for one without pixels, which they refuse.
  return function(tf.compat.v1.placeholder_with_default(image, IMAGE.shape), *others)


def _trace(function: tf.types.experimental.GenericFunction, *others: tf.TensorSpec) -> None:
  """Traces a function for images, and for tensors of each other type."""
  # A loaded function takes the first trace that an argument fits, or can be converted to: uint8
  # is the last, since numbers in lists would be cast to it.
  images = [tf.TensorSpec(None, dtype, 'image') for dtype in _OTHER_TYPES]
  for spec in (*images, IMAGE, tf.TensorSpec(None, tf.uint8, 'image')):
    function.get_concrete_function(spec, *others)


def _as(dtype: tf.DType, number: float | tf.Tensor) -> tf.Tensor:
  """Returns a number in another type, a great one as a great one."""
  number = tf.convert_to_tensor(number)
  if number.dtype.is_floating and dtype.is_integer:
    # Beyond the integers, TensorFlow's cast gives the lowest one.
    number = tf.minimum(number, tf.constant(2.0**62, number.dtype))
  return tf.cast(number, dtype)


def _trace_with_number(
  function: tf.types.experimental.GenericFunction, spec: tf.TensorSpec
) -> None:
  """Traces a function of an image and a number, for numbers of each type.

  Args:
    function: The function.
    spec: Specification of the number; its type is the first that Python's numbers may have.
  """
  _trace(function, spec)
  for dtype in _NUMBERS:
    function.get_concrete_function(IMAGE, tf.TensorSpec([], dtype, spec.name))


def _refused(message: str | tf.Tensor) -> tf.Tensor:
  """Returns a string that can't be computed."""
  return container_ops.verified(tf.constant(''), (tf.constant(False), message))


def _shape_text(x: tf.Tensor) -> tf.Tensor:
  """Returns a shape as a string such as `480x640`."""
  return tf.strings.reduce_join(tf.strings.as_string(tf.shape(x)), separator='x')
