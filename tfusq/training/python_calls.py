"""Calls from TensorFlow's threads into Python, all of which end before the interpreter does.

Once the interpreter ends, a thread that asks for its lock never gets on. An iterator of a dataset
that waits for such a call is never destroyed then, and the process hangs. At the end calls are
therefore shut out, and those under way are waited for. TensorFlow itself counts them: Python does
not know of a call that has not reached it yet.
"""

import atexit
import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

# Seconds between two looks at the number of calls, at the end.
_PAUSE = 0.001


class _Counters(NamedTuple):
  """Handles of two scalar `int64` variables.

  Attributes:
    calls: Number of calls under way.
    is_ending: 1 once the process ends, else 0.
  """

  calls: tf.Tensor
  is_ending: tf.Tensor


def call(function: Callable[[Any], np.ndarray], number: tf.Tensor) -> tf.Tensor:
  """Calls a Python function in a function of a dataset.

  Args:
    function: Function that returns a `uint8` array; several threads may call it at once.
    number: Integer tensor, which it is given as a number or an array of numbers.

  Returns:
    The array. Where the function raises, the step fails with an `InvalidArgumentError` that has the
    exception's type and text.
  """
  counters = _counters()

  # Counted before it asks: `_end` shuts out before it counts, so that one sees the other.
  with tf.control_dependencies([_add(counters.calls, 1)]):
    is_ending = _read(counters.is_ending) > 0
  result, error = tf.cond(
    is_ending,
    lambda: [np.zeros([0], np.uint8), 'the process is ending'],
    lambda: tf.numpy_function(_caught(function), [number], [tf.uint8, tf.string]),
  )
  with tf.control_dependencies([result, error]):
    is_over = _add(counters.calls, -1)

  # Only then, since an operation that fails may keep others from running.
  with tf.control_dependencies([is_over]):
    check = tf.debugging.Assert(tf.equal(error, ''), [error])
  with tf.control_dependencies([check]):
    return tf.identity(result)


def _caught(function: Callable[[Any], np.ndarray]) -> Callable[[Any], tuple[np.ndarray, str]]:
  """Returns a function of which an exception is a second result, else an empty text."""

  def caught(number: Any) -> tuple[np.ndarray, str]:
    try:
      return function(number), ''
    except Exception as error:
      return np.zeros([0], np.uint8), f'{type(error).__name__}: {error}'

  return caught


@functools.cache
def _counters() -> _Counters:
  """Makes the counters, and sees to the end of the process."""
  # Raw operations, since a `tf.Variable` would become one of the strategy in scope.
  with tf.init_scope(), tf.device('CPU:0'):
    counters = _Counters(
      *(
        tf.raw_ops.VarHandleOp(dtype=tf.int64, shape=[], shared_name=f'tfusq_python_{name}')
        for name in _Counters._fields
      )
    )
    for handle in counters:
      tf.raw_ops.AssignVariableOp(resource=handle, value=tf.constant(0, tf.int64))
  atexit.register(_end, counters)
  return counters


def _end(counters: _Counters) -> None:
  """Shuts out calls, and waits for those under way."""
  _add(counters.is_ending, 1)
  while _read(counters.calls) > 0:
    time.sleep(_PAUSE)


def _add(handle: tf.Tensor, value: int) -> tf.Operation:
  return tf.raw_ops.AssignAddVariableOp(resource=handle, value=tf.constant(value, tf.int64))


def _read(handle: tf.Tensor) -> tf.Tensor:
  return tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.int64)
