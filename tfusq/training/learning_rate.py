"""Schedules of the learning rate, computed on the device that counts the steps."""

import tensorflow as tf


class PiecewiseConstantDecay(tf.keras.optimizers.schedules.PiecewiseConstantDecay):
  """Keras' schedule of this name: `values[k]` up to and with step `boundaries[k]`.

  Keras chooses the value by branches of the graph, for which the host waits in each step until the
  device has told it the number of the step. This one looks it up on the device.
  """

  def __call__(self, step: tf.Tensor) -> tf.Tensor:
    """Returns the learning rate of a step.

    Args:
      step: Number of steps that are done, a scalar integer.

    Returns:
      The learning rate, a scalar float32.
    """
    step = tf.convert_to_tensor(step)
    is_passed = step > tf.constant(self.boundaries, step.dtype)
    return tf.gather(
      tf.constant(self.values, tf.float32), tf.reduce_sum(tf.cast(is_passed, tf.int64))
    )
