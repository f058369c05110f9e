"""Moving averages of a codec's weights, which are validated, exported and trained on later.

The average after step t is `d a + (1 - d) w`, with the weights `w` and `d = min(decay,
(1 + t) / (10 + t))`, so that it forgets the start within a tenth of the steps that are done. A
checkpoint holds the averages where it would hold the weights, and the weights beside them: whatever
reads a run's networks reads the averages.

Keras' optimizers have averages too (`use_ema`), which do not do here. They keep them as slots that
nothing but the optimizer reads, put them into the weights at the end of `fit`, after the last
checkpoint, and give the start the weight `decay^t`.

#### References
Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992.
https://doi.org/10.1137/0330046
"""

import contextlib
from collections.abc import Iterator, Sequence

import tensorflow as tf


class MovingAverages:
  """Exponential moving averages of variables.

  Attributes:
    decay: Weight of the average before, once there have been steps enough.
    others: Averages while the variables are trained, and weights while the averages are in force,
      as in a checkpoint.
  """

  def __init__(self, variables: Sequence[tf.Variable], decay: float):
    """Initializer.

    Args:
      variables: Variables to average, whose present values are the first averages.
      decay: Weight of the average before, at least 0 and less than 1.

    Raises:
      ValueError: if `decay` is out of range.
    """
    if not 0 <= decay < 1:
      raise ValueError(f'train.average_decay must be at least 0 and less than 1, not {decay!r}')
    self.decay = decay
    self._variables = variables
    self.others = []
    for variable in variables:
      other = tf.Variable(
        variable.numpy(),
        trainable=False,
        name='average',
        # Every replica assigns the same value.
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
      )
      self.others.append(other)

  def update(self, step: tf.Tensor) -> None:
    """Moves the averages towards the weights.

    Args:
      step: Number of steps that were done before the one that the weights are from, `int64`.
    """
    done = tf.cast(step, tf.float32)
    decay = tf.minimum(self.decay, (1 + done) / (10 + done))
    for variable, average in zip(self._variables, self.others, strict=True):
      average.assign(average + (1 - decay) * (variable - average))

  @contextlib.contextmanager
  def in_force(self) -> Iterator[None]:
    """Puts the averages in the place of the weights."""
    self.exchange()
    try:
      yield
    finally:
      self.exchange()

  def exchange(self) -> None:
    """Exchanges averages and weights."""
    for variable, other in zip(self._variables, self.others, strict=True):
      value = variable.numpy()
      variable.assign(other.numpy())
      other.assign(value)
