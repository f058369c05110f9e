"""Sums of floats in an order that timing does not change, so that runs are equal bit for bit.

TensorFlow's `AddN` adds its inputs in the order in which they are given, but begins with a later
one if that is the first whose buffer it may overwrite: whose other readers are done. This depends
on threads and on the load of the machine. Of two inputs the order changes nothing, of three the
last digit. Sums of more than two are made in two places, and both are shut here: where a tensor
with several readers gets its gradient, and where the arithmetic stage of TensorFlow's graph
optimizer joins additions (the other stages do not).
https://github.com/tensorflow/tensorflow/blob/v2.14.1/tensorflow/core/kernels/aggregate_ops.h
"""

import contextlib
from collections.abc import Iterator, Sequence

import tensorflow as tf

_STAGE = 'arithmetic_optimization'


@contextlib.contextmanager
def additions() -> Iterator[None]:
  """Keeps TensorFlow inside from joining the additions of the functions that it runs."""
  before = tf.config.optimizer.get_experimental_options().get(_STAGE, True)
  tf.config.optimizer.set_experimental_options({_STAGE: False})
  try:
    yield
  finally:
    tf.config.optimizer.set_experimental_options({_STAGE: before})


def gradients(
  tape: tf.GradientTape, loss: tf.Tensor, variables: Sequence[tf.Variable]
) -> list[tf.Tensor]:
  """Returns the gradients of a loss, whose terms are added two at a time in a graph.

  Args:
    tape: Tape that has recorded the loss, for eager execution, which has one order anyway.
    loss: Scalar.
    variables: Variables that the loss depends on.
  """
  if tf.executing_eagerly():
    return tape.gradient(loss, variables)
  pairwise = tf.AggregationMethod.EXPERIMENTAL_TREE
  return tf.gradients(loss, variables, aggregation_method=pairwise)
