"""The library's one `tf.custom_gradient`: a value with a slope of our choosing."""

import tensorflow as tf


@tf.custom_gradient
def with_slope(value: tf.Tensor, x: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
  """Returns `value`, adding `slope` to what it passes back to `x`.

  The gradient of `value` itself is kept, so stop it where `slope` is to replace it. Every tensor
  is an argument on purpose: a custom gradient over a closure silently drops the gradients of what
  the closure captures. Second derivatives through `x` are zero.

  Args:
    value: What the forward pass sees.
    x: What `slope` is the derivative with respect to; the shape of `value`.
    slope: `d value / d x`, elementwise, of the same shape; treated as a constant.

  Returns:
    `value`, unchanged.

  Raises:
    ValueError: if the static shapes differ, as they do when a function that mixes components is
      given to an estimator that needs an elementwise one.
    InvalidArgumentError: if the shapes that a graph did not know differ.
  """
  if not value.shape.is_compatible_with(x.shape) or not slope.shape.is_compatible_with(x.shape):
    raise ValueError(
      f'an elementwise function must keep the shape: value {value.shape}, x {x.shape}, '
      f'slope {slope.shape}'
    )

  if not (value.shape.is_fully_defined() and x.shape.is_fully_defined()):
    with tf.control_dependencies(
      [
        tf.debugging.assert_equal(
          tf.shape(value), tf.shape(x), 'an elementwise function must keep the shape'
        )
      ]
    ):
      value = tf.identity(value)
  slope = tf.stop_gradient(slope)

  def grad(upstream):
    return upstream, upstream * slope, tf.zeros_like(slope)

  return tf.identity(value), grad
