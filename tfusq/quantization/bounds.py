"""Bounds that a trained value can leave again: what lies beyond keeps the gradient that leads back.

The values are those of `tf.maximum` and `tf.minimum`, whose gradient is 0 beyond the bound: a scale
that fell below would stay there. They are TensorFlow Compression's bounds with its gradient
`identity_if_towards`.
"""

from collections.abc import Callable

import tensorflow as tf

_Gradient = Callable[[tf.Tensor], tuple[tf.Tensor, None]]


def lower_bound(x: tf.Tensor | tf.Variable, bound: tf.Tensor | float) -> tf.Tensor:
  """Returns `max(x, bound)`.

  Below the bound, only a gradient passes with which descent would raise `x`: a negative one.

  Args:
    x: Float tensor, any shape.
    bound: Bound, broadcastable to `x`, which gets no gradient.

  Returns:
    Tensor of the shape and dtype of `x`.
  """
  x = tf.convert_to_tensor(x)
  bound = tf.convert_to_tensor(bound, x.dtype)

  @tf.custom_gradient
  def bounded(x: tf.Tensor, bound: tf.Tensor) -> tuple[tf.Tensor, _Gradient]:
    def gradient(upstream):
      return _where((x >= bound) | (upstream < 0), upstream), None

    return tf.maximum(x, bound), gradient

  return bounded(x, bound)


def upper_bound(x: tf.Tensor | tf.Variable, bound: tf.Tensor | float) -> tf.Tensor:
  """Returns `min(x, bound)`.

  Above the bound, only a gradient passes with which descent would lower `x`: a positive one.

  Args:
    x: Float tensor, any shape.
    bound: Bound, broadcastable to `x`, which gets no gradient.

  Returns:
    Tensor of the shape and dtype of `x`.
  """
  x = tf.convert_to_tensor(x)
  bound = tf.convert_to_tensor(bound, x.dtype)

  @tf.custom_gradient
  def bounded(x: tf.Tensor, bound: tf.Tensor) -> tuple[tf.Tensor, _Gradient]:
    def gradient(upstream):
      return _where((x <= bound) | (upstream > 0), upstream), None

    return tf.minimum(x, bound), gradient

  return bounded(x, bound)


def _where(passes, upstream):
  return upstream * tf.cast(passes, upstream.dtype)
