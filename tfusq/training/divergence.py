"""The stop of a run whose loss grows far beyond what it was, though it is finite.

The loss of a step is compared with the lowest that it has been in the mean over about 50 steps: a
single batch may cost next to nothing. It diverges when it is above 20 times that for 50 steps in a
row. This is noted on the device, as `tfusq.training.failure` says.
"""

import tensorflow as tf

from tfusq.errors import Error

FACTOR = 20.0
STEPS = 50
_TERMS = ('rate', 'distortion')


class Diverged(Error, ArithmeticError):
  """A loss that has grown; names the step and the term.

  Attributes:
    step: Number of the step since which the loss was too large.
  """

  def __init__(self, message: str, step: int = 0):
    super().__init__(message)
    self.step = step


class Divergence(tf.Module):
  """The lowest loss of a run, and for how long it was far above that."""

  def __init__(self):
    super().__init__()
    # Every replica assigns the same values.
    options = {'trainable': False, 'aggregation': tf.VariableAggregation.ONLY_FIRST_REPLICA}
    self._count = tf.Variable(0, dtype=tf.int64, name='count', **options)
    self._mean = tf.Variable(0.0, name='mean', **options)
    self._lowest = tf.Variable(float('inf'), name='lowest', **options)
    self._above = tf.Variable(0, dtype=tf.int64, name='above', **options)
    # The step at which it was noted, and the term; -1 while there is none.
    self._step = tf.Variable(-1, dtype=tf.int64, name='step', **options)
    self._term = tf.Variable(0, dtype=tf.int64, name='term', **options)

  def note(self, loss: tf.Tensor, rate: tf.Tensor, distortion: tf.Tensor, step: tf.Tensor) -> None:
    """Notes the loss of a step.

    Args:
      loss: Loss, a scalar.
      rate: Rate in bits per pixel, a scalar.
      distortion: Distortion times lambda, a scalar.
      step: Number of the step, a scalar `int64`.
    """
    above = tf.where(loss > FACTOR * self._lowest, self._above + 1, 0)
    is_first = (above >= STEPS) & (self._step < 0)
    self._step.assign(tf.where(is_first, step, self._step))
    self._term.assign(tf.where(is_first, tf.cast(distortion > rate, tf.int64), self._term))
    self._above.assign(above)

    count = self._count + 1
    mean = self._mean + (loss - self._mean) / tf.cast(tf.minimum(count, STEPS), tf.float32)
    lowest = tf.where(count >= STEPS, tf.minimum(self._lowest, mean), self._lowest)
    self._count.assign(count)
    self._mean.assign(mean)
    self._lowest.assign(lowest)

  def require_none(self) -> None:
    """Raises an error if a divergence was noted; waits for the device.

    Raises:
      Diverged: if there was one.
    """
    step = int(self._step.numpy())
    if step < 0:
      return
    term = _TERMS[int(self._term.numpy())]
    raise Diverged(
      f'the loss diverges, above {FACTOR:g} times its lowest, {float(self._lowest.numpy()):.4g}, '
      f'for the {STEPS} steps before step {step + 1}, most of it the {term}',
      step + 1 - STEPS,
    )
