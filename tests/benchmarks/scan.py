"""Prints processor seconds of the serial scan beside the positions of a latent.

    python tests/benchmarks/scan.py [--sides 1x2048 2048x1 64x64 256x256 1024x1024]

The context is that of the small MS-context, with random weights; nothing is coded.
"""

import argparse
import os
import time

# Before TensorFlow is imported, which reads it then.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import tensorflow as tf

from tfusq import Part
from tfusq.models import contexts
from tfusq.models.wavefront import Serial
from tfusq.transforms import exact

SIDES = ('1x2048', '2048x1', '64x64', '128x128', '256x256', '512x512')
CHANNELS = 96


def make_scan():
  """Returns a function of features that scans a latent of their height and width."""
  context = contexts.Causal(2 * CHANNELS)
  parameters = contexts.parameter_network([10 * CHANNELS // 3, 8 * CHANNELS // 3, 2 * CHANNELS])
  context(tf.zeros([1, 4, 4, CHANNELS]))
  parameters(tf.zeros([1, 4, 4, 4 * CHANNELS]))

  def visit(state, part, raw):
    return state, tf.round(raw[..., :CHANNELS])

  def scan(features):
    with exact.arithmetic():
      _, y_hat = Serial(context, parameters, features).scan(visit, tf.constant(0), Part('y'))
    return tf.reduce_sum(y_hat)

  spec = tf.TensorSpec([1, None, None, 2 * CHANNELS])
  return tf.function(scan, [spec], autograph=False)


def main():
  """Prints a line for each size."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--sides', nargs='*', default=SIDES)
  arguments = parser.parse_args()

  scan = make_scan()
  scan(tf.zeros([1, 3, 3, 2 * CHANNELS]))
  for sides in arguments.sides:
    height, width = map(int, sides.split('x'))
    features = tf.random.stateless_normal([1, height, width, 2 * CHANNELS], [1, 2])
    start = time.process_time()
    scan(features)
    seconds = time.process_time() - start
    print(f'{sides:>10}{seconds:>8.2f} s{1e6 * seconds / (height * width):>8.0f} us a position')


if __name__ == '__main__':
  main()
