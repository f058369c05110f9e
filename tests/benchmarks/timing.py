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


def elapsed(steps: dict[str, Callable], rounds: int) -> tuple[dict[str, float], dict[str, float]]:
  """Returns the median wall and processor seconds of each, all timed in turn."""
  wall, cpu = ({name: [] for name in steps} for _ in range(2))
  for step in steps.values():
    step()
  for _ in range(rounds):
    for name, step in steps.items():
      start = time.perf_counter(), time.process_time()
      step()
      wall[name].append(time.perf_counter() - start[0])
      cpu[name].append(time.process_time() - start[1])
  return tuple(
    {name: float(np.median(taken)) for name, taken in times.items()} for times in (wall, cpu)
  )
