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
  """Returns the gradients of a loss, and has the sums of its graph made two terms at a time.

  `tf.gradients` could be asked for such sums, but leaves them without a device, which several
  replicas need. Eager execution has one order anyway.

  Args:
    tape: Tape that has recorded the loss.
    loss: Scalar.
    variables: Variables that the loss depends on.
  """
  found = tape.gradient(loss, variables)
  if tf.executing_eagerly():
    return found

  sums = {}
  for operation in loss.graph.get_operations():
    if operation.type == 'AddN' and len(operation.inputs) > 2:
      sums[operation.outputs[0].ref()] = _made_in_pairs(operation)

  for number, gradient in enumerate(found):
    # Of a variable that is not read it is None, of one that is read in rows no tensor.
    if isinstance(gradient, tf.Tensor):
      found[number] = sums.get(gradient.ref(), gradient)
  return found


def _made_in_pairs(operation: tf.Operation) -> tf.Tensor:
  """Returns the sum that an `AddN` makes, made two terms at a time, and gives it to its readers."""
  first, *others = operation.inputs
  joined = operation.outputs[0]
  readers = joined.consumers()

  value = first
  with tf.device(operation.device):
    for term in others:
      value = tf.raw_ops.AddV2(x=value, y=term)

  for reader in readers:
    for number, argument in enumerate(reader.inputs):
      if argument.ref() == joined.ref():
        # TensorFlow has no public way to change a graph.
        reader._update_input(number, value)
  return value
