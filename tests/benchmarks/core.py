"""Ours against TensorFlow Compression's, in one process: `python tests/benchmarks/core.py`.

Prints medians of interleaved rounds in milliseconds, and the ratio: below 1, ours is faster.
"""

import numpy as np
import tensorflow as tf
import tensorflow_compression as tfc

import tfusq
import timing
from tfusq import transforms
from tfusq.entropy_models import gaussian_bits, mixture_bits


def training_step(gdn):
  """A whole step of the small MS-hyper, with one or the other normalization."""
  transforms.GDN, ours = gdn, transforms.GDN
  try:
    alpha = tfusq.Linear(12.0, 1000)
    model = tfusq.MSHyper(tfusq.Gaussian(), tfusq.Factorized(), 64, 96)
    codec = tfusq.Codec(
      model,
      tfusq.Quantizer(tfusq.SUA(alpha), tfusq.EP()),
      tfusq.Quantizer(tfusq.SUA(alpha), tfusq.STE()),
      tfusq.Quantizer(tfusq.AUN(), tfusq.PGE()),
      tfusq.Quantizer(tfusq.Round(), tfusq.STE()),
      lmbda=0.01,
      zero_centre=True,
    )
    codec.compile(
      tf.keras.optimizers.Adam(
        tf.keras.optimizers.schedules.PiecewiseConstantDecay([900], [1e-3, 1e-4]),
        global_clipnorm=10.0,
      )
    )
  finally:
    transforms.GDN = ours
  batch = {
    'image': tf.cast(255 * tf.random.stateless_uniform([8, 128, 128, 3], [5, 6]), tf.uint8),
    'index': tf.range(8, dtype=tf.int64),
  }
  iterator = iter(tf.data.Dataset.from_tensors(batch).repeat())
  function = codec.make_train_function()
  return lambda: function(iterator)


def compare(name, ours, theirs):
  ours, theirs = timing.medians({'ours': ours, 'theirs': theirs}).values()
  print(f'{name:<52}{ours:>9.1f}{theirs:>9.1f}{ours / theirs:>8.2f}')


def main():
  print(f'{"value and gradients, ms":<52}{"ours":>9}{"TFC":>9}{"ratio":>8}')
  y = tf.random.stateless_normal([8, 16, 16, 192], [1, 2])
  mean, scale = tf.zeros_like(y), tf.fill(y.shape, 0.7)
  compare(
    'Gaussian bits, 8x16x16x192, against NoisyNormal',
    timing.value_and_gradients(gaussian_bits, y, mean, scale),
    timing.value_and_gradients(
      lambda y, mean, scale: -tfc.NoisyNormal(loc=mean, scale=scale).log_prob(y) / np.log(2),
      y,
      mean,
      scale,
    ),
  )
  logits, means, scales = (
    tf.random.stateless_normal([*y.shape, 3], [seed, 4]) for seed in range(3)
  )
  scales = tf.exp(scales)

  def mixture(y, logits, means, scales):
    components = gaussian_bits(tf.repeat(y[..., None], 3, -1), means, scales)
    return mixture_bits(components, logits)

  compare(
    'mixture bits, three components, NoisyNormalMixture',
    timing.value_and_gradients(mixture, y, logits, means, scales),
    timing.value_and_gradients(
      lambda y, logits, means, scales: (
        -tfc.NoisyNormalMixture(loc=means, scale=scales, weight=tf.nn.softmax(logits)).log_prob(y)
        / np.log(2)
      ),
      y,
      logits,
      means,
      scales,
    ),
  )
  compare(
    'small MS-hyper, training step 8x128x128, GDN',
    training_step(transforms.GDN),
    training_step(tfc.GDN),
  )


if __name__ == '__main__':
  main()
