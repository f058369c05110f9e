"""How the benchmarks time: in one process, in interleaved rounds, by the median."""

import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

ROUNDS = 25
tf.get_logger().setLevel('ERROR')  # of retracing, which is meant here


def value_and_gradients(f: Callable, *xs: tf.Tensor) -> Callable:
  """Returns a compiled function that evaluates f and all its gradients."""
  @tf.function
  def step(*xs):
    with tf.GradientTape() as tape:
      tape.watch(xs)
      value = f(*xs)
    return value, tape.gradient(value, xs)
  return lambda: step(*xs)


def medians(steps: dict[str, Callable]) -> dict[str, float]:
  """Returns the median milliseconds of each, all timed in turn, so that noise meets all."""
  times = {name: [] for name in steps}
  for step in steps.values():
    step()
  for _ in range(ROUNDS):
    for name, step in steps.items():
      start = time.perf_counter()
      step()
      times[name].append(1000 * (time.perf_counter() - start))
  return {name: float(np.median(taken)) for name, taken in times.items()}
