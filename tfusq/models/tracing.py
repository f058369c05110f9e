"""Which objects AutoGraph must convert when a graph is traced."""

import functools
from collections.abc import Callable, Iterable

import tensorflow as tf

# Nothing here branches in Python on a tensor; Keras has AutoGraph convert what needs it.
_UNCONVERTED = ('tfusq', 'keras', 'tf_keras')


def needs_autograph(parts: Iterable[object]) -> bool:
  """Whether functions of some objects need AutoGraph, which another's classes may do.

  To find that nothing needs it takes AutoGraph as long as tracing a step or exporting a codec.

  Args:
    parts: All objects whose methods are traced, such as a model and its submodules.
  """
  packages = {type(part).__module__.partition('.')[0] for part in parts}
  return not packages.issubset(_UNCONVERTED)


def converted_if_needed(step: Callable) -> Callable:
  """Has Keras trace a codec's step without AutoGraph where nothing needs it.

  Args:
    step: Method of a codec, which takes a batch; the codec has `needs_autograph`.
  """
  unconverted = tf.autograph.experimental.do_not_convert(step)

  @functools.wraps(step)
  def traced(self, data):
    # Asked while a graph is traced only, not in each eager step.
    if tf.inside_function() and not self.needs_autograph:
      return unconverted(self, data)
    return step(self, data)

  return traced
