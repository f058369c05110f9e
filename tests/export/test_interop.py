"""A quantizer alone, in a Keras model and in a TensorFlow Compression script of somebody's own."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from readme import blocks
from tfusq.entropy_models import gaussian_bits


def readme_lines(word):
  """The README's three lines that have the word, compiled."""
  (code,) = (block for block in blocks('python') if word in block)
  assert len(code.strip().splitlines()) == 3
  return code


def test_a_keras_model_trains_with_the_three_lines_of_the_rate():
  first, *rest = readme_lines('minus_log2_p').splitlines(keepends=True)
  names = {'tfusq': tfusq}
  exec(first, names)  # the quantizer, once

  class Autoencoder(tf.keras.Model):
    def __init__(self):
      super().__init__()
      self.analysis, self.synthesis = tf.keras.layers.Dense(2), tf.keras.layers.Dense(8)
      self.quantizer = names['quantizer']

    def call(self, x):
      y = self.analysis(x)
      step = tf.cast(self.optimizer.iterations, tf.int32)
      local = {**names, 'y': y, 'step': step, 'minus_log2_p': lambda v: gaussian_bits(v, 0.0, 1.0)}
      exec(''.join(rest), local)
      self.add_loss(0.01 * tf.reduce_mean(local['bits']))
      return self.synthesis(y)

  tf.keras.utils.set_random_seed(1)
  model = Autoencoder()
  model.compile(tf.keras.optimizers.Adam(0.02), 'mse')
  x = tf.random.stateless_normal([256, 8], [1, 2])
  losses = model.fit(x, x, batch_size=32, epochs=10, verbose=0).history['loss']
  assert losses[-1] < 0.9 * losses[0]
  alpha = names['quantizer'].surrogate.alpha.value
  assert float(alpha) == np.float32(1 + 11 * 79 / 10_000)  # annealed up to the last step
  assert any(variable is alpha for variable in model.non_trainable_variables)  # and saved with it


def test_a_tensorflow_compression_script_trains_with_the_three_lines_of_the_distortion():
  tfc = pytest.importorskip('tensorflow_compression')
  first, *rest = readme_lines('UniformNoiseAdapter').splitlines(keepends=True)
  names = {'tfusq': tfusq, 'tfc': tfc, 'tf': tf, 'prior': tfc.DeepFactorized(batch_shape=[4])}
  exec(first, names)
  tf.keras.utils.set_random_seed(2)
  analysis = tfc.SignalConv2D(4, 5, corr=True, strides_down=4, padding='same_zeros')
  synthesis = tfc.SignalConv2D(3, 5, corr=False, strides_up=4, padding='same_zeros')
  optimizer = tf.keras.optimizers.Adam(0.01)
  x = tf.random.stateless_uniform([2, 16, 16, 3], [3, 4])
  x = tf.image.resize(x[:, ::4, ::4], [16, 16])

  @tf.function
  def train(step):
    with tf.GradientTape() as tape:
      local = {**names, 'y': 4 * analysis(x), 'step': step}
      exec(''.join(rest), local)
      loss = local['bits'] / 512 + 100 * tf.reduce_mean(tf.square(synthesis(local['y_tilde']) - x))
    variables = [
      *analysis.trainable_variables,
      *synthesis.trainable_variables,
      *names['prior'].trainable_variables,
    ]
    gradients = tape.gradient(loss, variables)
    optimizer.apply_gradients(zip(gradients, variables))
    return loss, tf.linalg.global_norm(gradients[:1])

  results = [[value.numpy() for value in train(tf.constant(step))] for step in range(150)]
  losses, norms = zip(*results)
  assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
  assert np.isfinite(norms).all() and min(norms) > 0  # the encoder learns through the quantizer


def test_neither_gin_nor_the_codec_is_imported():
  code = (
    'import sys, tfusq; tfusq.Quantizer(tfusq.SUA(8.), tfusq.EP()); '
    'assert not {"gin", "tfusq.training.codec", "tfusq.config"} & set(sys.modules)'
  )
  subprocess.run([sys.executable, '-c', code], check=True)
