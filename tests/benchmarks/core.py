"""Compares core operations with TensorFlow Compression's: `python tests/benchmarks/core.py`.

Prints medians of interleaved rounds in one process, in milliseconds, and their ratio; below 1, the
operations of this package are faster.
"""

import argparse

import numpy as np
import tensorflow as tf
import tensorflow_compression as tfc

import tfusq
import timing
from tfusq.entropy_models import gaussian_bits, mixture_bits
from tfusq.transforms import GDN, base

BATCH, SIDE = 8, 128


def training_step(gdn):
  """Returns a function that does a training step of the small MS-hyper.

  Args:
    gdn: Class of the normalization layers.
  """
  # The transforms look the class up where they are defined.
  ours = base.GDN
  base.GDN = gdn
  try:
    model = tfusq.MSHyper(tfusq.Gaussian(), tfusq.Factorized(), 64, 96)
  finally:
    base.GDN = ours

  alpha = tfusq.Linear(12.0, 1000)
  codec = tfusq.Codec(
    model,
    tfusq.Quantizer(tfusq.SUA(alpha), tfusq.EP()),
    tfusq.Quantizer(tfusq.SUA(alpha), tfusq.STE()),
    tfusq.Quantizer(tfusq.AUN(), tfusq.PGE()),
    tfusq.Quantizer(tfusq.Round(), tfusq.STE()),
    lmbda=0.01,
    zero_centre=True,
  )
  learning_rate = tf.keras.optimizers.schedules.PiecewiseConstantDecay([900], [1e-3, 1e-4])
  codec.compile(tf.keras.optimizers.Adam(learning_rate, global_clipnorm=10.0))

  noise = tf.random.stateless_uniform([BATCH, SIDE, SIDE, 3], [5, 6])
  batch = {'image': tf.cast(255 * noise, tf.uint8), 'index': tf.range(BATCH, dtype=tf.int64)}
  iterator = iter(tf.data.Dataset.from_tensors(batch).repeat())
  function = codec.make_train_function()
  return lambda: function(iterator)


def mixture(y, logits, means, scales):
  """Returns the bits of a mixture of three Gaussians."""
  components = gaussian_bits(tf.repeat(y[..., None], 3, -1), means, scales)
  return mixture_bits(components, logits)


def noisy_normal(y, mean, scale):
  """Returns the bits of a Gaussian by TensorFlow Compression."""
  return -tfc.NoisyNormal(loc=mean, scale=scale).log_prob(y) / np.log(2)


def noisy_normal_mixture(y, logits, means, scales):
  """Returns the bits of a mixture by TensorFlow Compression."""
  weight = tf.nn.softmax(logits)
  prior = tfc.NoisyNormalMixture(loc=means, scale=scales, weight=weight)
  return -prior.log_prob(y) / np.log(2)


def compare(name, ours, theirs):
  """Times two functions and prints a row."""
  times = timing.medians({'ours': ours, 'theirs': theirs})
  ratio = times['ours'] / times['theirs']
  print(f'{name:<52}{times["ours"]:>9.1f}{times["theirs"]:>9.1f}{ratio:>8.2f}')


def main():
  """Prints the table."""
  argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
  print(f'{"value and gradients, ms":<52}{"ours":>9}{"TFC":>9}{"ratio":>8}')

  y = tf.random.stateless_normal([8, 16, 16, 192], [1, 2])
  mean = tf.zeros_like(y)
  scale = tf.fill(y.shape, 0.7)
  compare(
    'Gaussian bits, 8x16x16x192, against NoisyNormal',
    timing.value_and_gradients(gaussian_bits, y, mean, scale),
    timing.value_and_gradients(noisy_normal, y, mean, scale),
  )

  components = [*y.shape, 3]
  logits = tf.random.stateless_normal(components, [0, 4])
  means = tf.random.stateless_normal(components, [1, 4])
  scales = tf.exp(tf.random.stateless_normal(components, [2, 4]))
  compare(
    'mixture bits, three components, NoisyNormalMixture',
    timing.value_and_gradients(mixture, y, logits, means, scales),
    timing.value_and_gradients(noisy_normal_mixture, y, logits, means, scales),
  )

  compare(
    'small MS-hyper, training step 8x128x128, GDN',
    training_step(GDN),
    training_step(tfc.GDN),
  )


if __name__ == '__main__':
  main()
