"""What a training runs on, in a line."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfusq.training import execution


def describe() -> str:
  """Returns a line with the devices, the version of TensorFlow, the precision and the compiler."""
  gpus = []
  for gpu in tf.config.list_physical_devices('GPU'):
    gpus.append(tf.config.experimental.get_device_details(gpu))

  tensor_float_32 = tf.config.experimental.tensor_float_32_execution_enabled()
  precision = _precision(tf.keras.mixed_precision.global_policy().name, gpus, tensor_float_32)
  compiled = ', compiled by XLA' if execution.compiles() else ''
  return f'{_devices(gpus)}, TensorFlow {tf.__version__}, {precision}{compiled}'


def _devices(gpus: Sequence[dict[str, Any]]) -> str:
  """Names the devices that TensorFlow uses.

  Args:
    gpus: Details of each GPU that it sees.
  """
  names = [gpu.get('device_name', 'unknown GPU') for gpu in gpus]
  if not names:
    return 'CPU (TensorFlow sees no GPU)'
  counted = [f'{names.count(name)} x {name}' for name in dict.fromkeys(names)]
  return names[0] if len(names) == 1 else ', '.join(counted)


def _precision(policy: str, gpus: Sequence[dict[str, Any]], tensor_float_32: bool) -> str:
  """Names the precision of the networks.

  Args:
    policy: Name of Keras' policy.
    gpus: Details of each GPU.
    tensor_float_32: Whether TensorFlow may round the inputs of products to 10 bits of mantissa,
      which it does on GPUs of compute capability 8.0 or later.
  """
  rounds = [gpu.get('compute_capability', (0, 0)) >= (8, 0) for gpu in gpus]
  if policy == 'float32' and tensor_float_32 and any(rounds):
    return 'float32, products in TensorFloat-32'
  return policy
