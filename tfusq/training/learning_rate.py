"""Schedules of the learning rate, computed on the device that counts the steps."""

import math

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


class CosineDecay(tf.keras.optimizers.schedules.CosineDecay):
  """Keras' schedule of this name, without its branch between the warm-up and the decay.

  #### References
  Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, 2017.
  https://arxiv.org/abs/1608.03983
  """

  def __call__(self, step: tf.Tensor) -> tf.Tensor:
    """Returns the learning rate of a step.

    Args:
      step: Number of steps that are done, a scalar integer.

    Returns:
      The learning rate, a scalar float32.
    """
    step = tf.cast(step, tf.float32)
    peak, warmup_steps = self.initial_learning_rate, 0
    if self.warmup_target is not None:
      peak, warmup_steps = self.warmup_target, self.warmup_steps

    done = tf.clip_by_value((step - warmup_steps) / self.decay_steps, 0, 1)
    share = (1 - self.alpha) * (1 + tf.cos(math.pi * done)) / 2 + self.alpha
    if not warmup_steps:
      return peak * share
    rising = self.initial_learning_rate + step / warmup_steps * (peak - self.initial_learning_rate)
    return tf.where(step < warmup_steps, rising, peak * share)


class Since(tf.keras.optimizers.schedules.LearningRateSchedule):
  """Another schedule, whose step 0 is a later step of the optimizer: that of a branch."""

  def __init__(self, schedule: tf.keras.optimizers.schedules.LearningRateSchedule, start: int):
    """Initializer.

    Args:
      schedule: The other schedule.
      start: Number of the optimizer's steps before the schedule begins.
    """
    super().__init__()
    self._schedule = schedule
    self._start = start

  def __call__(self, step: tf.Tensor) -> tf.Tensor:
    """Returns the learning rate of a step.

    Args:
      step: Number of the optimizer's steps that are done, a scalar integer.

    Returns:
      The learning rate, a scalar float32.
    """
    return self._schedule(step - self._start)

  def get_config(self) -> dict[str, object]:
    """Returns the arguments, as Keras asks for them."""
    return {'schedule': self._schedule, 'start': self._start}
