"""Times functions in one process, in interleaved rounds, by the median."""

import os

# Before TensorFlow is imported, which reads it then.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

ROUNDS = 25
# TensorFlow warns of retracing, which is intended here.
tf.get_logger().setLevel('ERROR')


def value_and_gradients(f: Callable, *xs: tf.Tensor) -> Callable:
  """Returns a compiled function that evaluates `f` at `xs` with its gradients.

  Args:
    f: Function of the tensors.
    *xs: Tensors with respect to which it is differentiated.

  Returns:
    A function without arguments.
  """

  @tf.function
  def step(*xs):
    with tf.GradientTape() as tape:
      tape.watch(xs)
      value = f(*xs)
    return value, tape.gradient(value, xs)

  return lambda: step(*xs)


def medians(steps: dict[str, Callable]) -> dict[str, float]:
  """Returns the median milliseconds of each function.

  All of them are timed in turn, so that a disturbance of the machine meets all.
  """
  wall, _ = elapsed(steps, ROUNDS)
  return {name: 1000 * seconds for name, seconds in wall.items()}


def elapsed(steps: dict[str, Callable], rounds: int) -> tuple[dict[str, float], dict[str, float]]:
  """Times functions in turn.

  Args:
    steps: Functions without arguments, by name.
    rounds: Number of timed calls of each, after one that is not timed.

  Returns:
    Median wall seconds and median processor seconds, by name.
  """
  for step in steps.values():
    step()

  wall: dict[str, list[float]] = {name: [] for name in steps}
  processor: dict[str, list[float]] = {name: [] for name in steps}
  for _ in range(rounds):
    for name, step in steps.items():
      start, start_processor = time.perf_counter(), time.process_time()
      step()
      wall[name].append(time.perf_counter() - start)
      processor[name].append(time.process_time() - start_processor)
  return _medians(wall), _medians(processor)


def _medians(seconds):
  return {name: float(np.median(values)) for name, values in seconds.items()}
