"""The first step of a training in which something was not finite, noted on the device.

An assertion in the step would have the host wait for the device, which runs out of work meanwhile.
Here the device notes the step, and the host asks at the end of an interval, before it writes
anything.
"""

import tensorflow as tf

from tfusq.errors import Error

_NONE = -1
# What can be noted, the first cause first.
_TERMS = ('rate', 'distortion', 'gradient')


class NotFinite(Error, ArithmeticError):
  """A term of the loss or a gradient that is not finite; names the step."""


class FirstFailure(tf.Module):
  """The first step in which a term was not finite, and which term."""

  def __init__(self):
    super().__init__()
    # The step times the number of terms, plus the number of the term. Every replica assigns the
    # same value.
    self._code = tf.Variable(
      _NONE,
      trainable=False,
      dtype=tf.int64,
      name='first_failure',
      aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )

  def note(self, values: dict[str, tf.Tensor], step: tf.Tensor) -> None:
    """Notes a step if a value is not finite and none was noted before.

    Args:
      values: Scalar by name, for `rate`, `distortion` and `gradient`.
      step: Number of the step, a scalar `int64`.
    """
    code = tf.constant(_NONE, tf.int64)
    for number, term in reversed(list(enumerate(_TERMS))):
      code = tf.where(tf.math.is_finite(values[term]), code, len(_TERMS) * step + number)

    noted = self._code.read_value()
    self._code.assign(tf.where(noted == _NONE, code, noted))

  def require_none(self) -> None:
    """Raises an error if a step was noted; waits for the device.

    Raises:
      NotFinite: if a step was noted.
    """
    code = int(self._code.numpy())
    if code != _NONE:
      step, number = divmod(code, len(_TERMS))
      raise NotFinite(f'the {_TERMS[number]} is not finite at step {step}')
