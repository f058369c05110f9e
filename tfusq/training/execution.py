"""How a training is computed: the precision of its networks, and whether XLA compiles its steps.

With `mixed_bfloat16` or `mixed_float16`, networks compute in 16 bits from variables in float32.
Their results are cast to float32 (`tfusq.transforms.Network`), so that quantizers, entropy models
and losses compute in it. What a run has trained are float32 variables; it is exported and evaluated
in float32.
"""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

PRECISIONS = ('float32', 'mixed_bfloat16', 'mixed_float16')

# Keras holds the precision. There is one training at a time in a process.
_compiles = False


def execution(
  precision: str = 'float32', jit_compile: bool = False
) -> contextlib.AbstractContextManager:
  """Returns the scope in which everything is to be built and trained.

  Args:
    precision: Keras' policy of the networks: `float32`, `mixed_bfloat16` or `mixed_float16`.
    jit_compile: Whether XLA compiles the training step.

  Raises:
    ValueError: if there is no such precision.
  """
  if precision not in PRECISIONS:
    allowed = ', '.join(PRECISIONS)
    raise ValueError(f'execution.precision must be one of {allowed}, not {precision!r}')
  return _in_force(precision, bool(jit_compile))


@contextlib.contextmanager
def _in_force(precision: str, jit_compile: bool) -> Iterator[None]:
  global _compiles
  before = tf.keras.mixed_precision.global_policy(), _compiles
  tf.keras.mixed_precision.set_global_policy(precision)
  _compiles = jit_compile
  try:
    yield
  finally:
    tf.keras.mixed_precision.set_global_policy(before[0])
    _compiles = before[1]


def compiles() -> bool:
  """Returns whether XLA compiles training steps."""
  return _compiles


def scales_losses() -> bool:
  """Returns whether losses are scaled: gradients would underflow in float16, which ends at 6e-8."""
  return tf.keras.mixed_precision.global_policy().name == 'mixed_float16'
