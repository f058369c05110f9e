"""Ours against TensorFlow Compression's, in one process: `python tests/benchmarks/core.py`.

Prints medians of interleaved rounds in milliseconds, and the ratio: below 1, ours is faster.
"""

import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import time

import numpy as np
import tensorflow as tf
import tensorflow_compression as tfc

from tfusq import transforms
from tfusq.entropy_models import gaussian_bits

ROUNDS = 15


def value_and_gradients(f, *xs):
  """Returns a compiled function that evaluates f and all its gradients."""
  @tf.function
  def step():
    with tf.GradientTape() as tape:
      tape.watch(xs)
      value = f(*xs)
    return value, tape.gradient(value, xs)
  return step


def training_step(layer, x):
  """Keras's way: the layer inside a model that `fit` traces."""
  model = tf.keras.Sequential([layer])
  model.compile('sgd', 'mse')
  return lambda: model.train_on_batch(x, x)


def compare(name, ours, theirs):
  """Times both in turn, so that what else the machine does meets both."""
  times = {ours: [], theirs: []}
  for step in times:
    step()
  for _ in range(ROUNDS):
    for step, taken in times.items():
      start = time.perf_counter()
      step()
      taken.append(1000 * (time.perf_counter() - start))
  a, b = (np.median(taken) for taken in times.values())
  print(f'{name:<52}{a:>9.1f}{b:>9.1f}{a / b:>8.2f}')


def main():
  print(f'{"value and gradients, ms":<52}{"ours":>9}{"TFC":>9}{"ratio":>8}')
  y = tf.random.stateless_normal([8, 16, 16, 192], [1, 2])
  mean, scale = tf.zeros_like(y), tf.fill(y.shape, .7)
  compare('Gaussian bits, 8x16x16x192, against NoisyNormal',
          value_and_gradients(gaussian_bits, y, mean, scale),
          value_and_gradients(lambda y, mean, scale: -tfc.NoisyNormal(
              loc=mean, scale=scale).log_prob(y) / np.log(2), y, mean, scale))
  x = tf.random.stateless_normal([8, 64, 64, 64], [3, 4])
  compare('GDN, 8x64x64x64, Keras training step', training_step(transforms.GDN(), x),
          training_step(tfc.GDN(), x))
  compare('GDN, 8x64x64x64, traced alone', value_and_gradients(transforms.GDN(), x),
          value_and_gradients(tfc.GDN(), x))


if __name__ == '__main__':
  main()
