"""Which objects AutoGraph must convert when a graph is traced."""

from collections.abc import Iterable

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
