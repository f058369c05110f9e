"""A scale of the loss with which gradients fit into float16.

Gradients of a pixel's error are a millionth of those of the loss, and float16 ends at 6e-8. The
loss is therefore multiplied by a power of 2, and the gradients of the variables, which are float32,
are divided by it. Where one of them is not finite the scale was too large: the step changes nothing
but the scale.

Keras' `LossScaleOptimizer` does so too, but by a branch of the graph, for which the host waits in
each step, and it does not count a step that changes nothing, so that the steps of a run, which
decide about batches, noise and temperatures, would no longer be those of its optimizer.
"""

from collections.abc import Sequence

import tensorflow as tf

_FIRST = 2.0**15
# Keras' numbers.
_STEPS_TO_GROWTH = 2000
_FACTOR = 2.0


class LossScale(tf.Module):
  """The scale, which falls at gradients that are not finite and rises after many that are.

  Attributes:
    scale: The scale, at least 1.
    good_steps: Number of steps since it changed.
  """

  def __init__(self):
    super().__init__()
    # Every replica assigns the same values.
    options = {'trainable': False, 'aggregation': tf.VariableAggregation.ONLY_FIRST_REPLICA}
    self.scale = tf.Variable(_FIRST, name='loss_scale', dtype=tf.float32, **options)
    self.good_steps = tf.Variable(0, name='good_steps', dtype=tf.int64, **options)

  def scaled(self, loss: tf.Tensor) -> tf.Tensor:
    """Returns the loss to differentiate.

    Args:
      loss: The loss, a scalar float32.
    """
    return loss * self.scale

  def unscaled(self, gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Returns the gradients of the loss itself.

    Args:
      gradients: Gradients of the scaled loss, float32.
    """
    factor = 1 / self.scale
    return [gradient * factor for gradient in gradients]

  def apply(
    self,
    optimizer: tf.keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor],
    variables: Sequence[tf.Variable],
    norm: tf.Tensor,
  ) -> tf.Tensor:
    """Takes the optimizer's step if the gradients are finite, and moves the scale.

    A step that is not taken counts: the number of the optimizer's iterations rises.

    Args:
      optimizer: Optimizer, built.
      gradients: Unscaled gradients, of all replicas together.
      variables: Variables that they belong to.
      norm: Norm of the gradients, a scalar.

    Returns:
      Whether the step was taken, a boolean scalar. It is true also where the scale can't fall any
      more, so that it is an error.
    """
    is_finite = tf.math.is_finite(norm)
    kept = [*variables]
    kept += [variable for variable in optimizer.variables if variable is not optimizer.iterations]
    before = [tf.identity(variable) for variable in kept]
    optimizer.apply_gradients(zip(gradients, variables), skip_gradients_aggregation=True)

    # Chosen value by value: a branch would have the host wait.
    def restore(strategy, before, is_finite):
      for variable, value in zip(kept, before, strict=True):
        strategy.extended.update(variable, _restore, args=(value, is_finite), group=False)

    tf.distribute.get_replica_context().merge_call(restore, args=(before, is_finite))

    is_least = self.scale <= 1
    self._move(is_finite)
    return is_finite | is_least

  def _move(self, is_finite: tf.Tensor) -> None:
    good_steps = self.good_steps + 1
    grows = is_finite & (good_steps >= _STEPS_TO_GROWTH)
    kept_or_raised = tf.where(grows, self.scale * _FACTOR, self.scale)
    lowered = tf.maximum(self.scale / _FACTOR, 1)
    self.scale.assign(tf.where(is_finite, kept_or_raised, lowered))
    self.good_steps.assign(tf.where(is_finite & ~grows, good_steps, 0))


def _restore(variable: tf.Variable, before: tf.Tensor, is_finite: tf.Tensor) -> None:
  variable.assign(tf.where(is_finite, variable, before))
