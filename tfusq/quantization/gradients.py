"""A value with a prescribed slope."""

from collections.abc import Callable

import tensorflow as tf

_MESSAGE = 'an elementwise function must keep the shape'


@tf.custom_gradient
def with_slope(
  value: tf.Tensor, x: tf.Tensor, slope: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
  """Returns `value`, whose gradient with respect to `x` is increased by `slope`.

  The gradient of `value` itself is kept; stop it where `slope` is to replace it. Second
  derivatives through `x` are zero.

  Args:
    value: Result of the forward pass, any shape, float.
    x: Tensor of the shape of `value` that receives the gradient `upstream * slope`.
    slope: Derivative of `value` with respect to `x`, elementwise, of the same shape; treated as a
      constant.

  Returns:
    `value`, unchanged.

  Raises:
    ValueError: if the static shapes differ. That is so when a function that mixes components is
      passed to an estimator that needs an elementwise one.
    InvalidArgumentError: if shapes that were unknown in the graph differ when it runs.
  """
  if not value.shape.is_compatible_with(x.shape) or not slope.shape.is_compatible_with(x.shape):
    raise ValueError(f'{_MESSAGE}: value {value.shape}, x {x.shape}, slope {slope.shape}')

  if not (value.shape.is_fully_defined() and x.shape.is_fully_defined()):
    same_shape = tf.debugging.assert_equal(tf.shape(value), tf.shape(x), _MESSAGE)
    with tf.control_dependencies([same_shape]):
      value = tf.identity(value)

  slope = tf.stop_gradient(slope)

  # Every tensor is an argument of `with_slope`, on purpose: a custom gradient over a closure
  # silently drops the gradients of the tensors that the closure captures.
  def grad(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return upstream, upstream * slope, tf.zeros_like(slope)

  return tf.identity(value), grad
