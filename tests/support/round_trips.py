"""Latents as an entropy model describes them, and their way through a coder."""

import functools

import numpy as np
import tensorflow as tf

from tfusq import GaussianMixture, Laplacian


def traced_round_trip(coder):
  """Returns a function that codes and decodes in graph mode, as an exported codec does."""

  run = tf.function(functools.partial(_round_trip, coder), autograph=False)
  return lambda symbols, index: [result.numpy() for result in run(symbols, index)]


def round_trip(coder, symbols, index):
  """Returns the string of the symbols, and the symbols that are decoded from it; not traced.

  Of graphs, `test_symbols_return_and_take_their_ideal_length` shows the same for each coder.
  """
  return [result.numpy() for result in _round_trip(coder, symbols, index)]


def _round_trip(coder, symbols, index):
  string = coder.finalize(coder.encode(coder.encoder(), symbols, index))
  _, decoded = coder.decode(coder.decoder(string), index)
  return string, decoded


def draw_latents(model, scales, count=60_000):
  """Draws latents with the model's distribution, around means of any fraction.

  Args:
    model: Gaussian, Laplacian or Gaussian mixture.
    scales: Least and greatest scale, between which scales are uniform.
    count: Number of latents.

  Returns:
    The latents, `float32[1, 100, count / 100]`, and their parameters.
  """
  rng = np.random.default_rng(0)
  shape = (1, 100, count // 100)
  if isinstance(model, GaussianMixture):
    components = (*shape, model.channels // 3)
    logits = rng.normal(0, 1, components)
    means = rng.normal(0, 1.5, components) + rng.normal(0, 5, shape)[..., None]
    log_scales = np.log(rng.uniform(*scales, components))
    raw = [logits, means, log_scales]
    chosen = choose_components(rng, logits)
    mean = np.take_along_axis(means, chosen, -1)[..., 0]
    log_scale = np.take_along_axis(log_scales, chosen, -1)[..., 0]
  else:
    mean = rng.normal(0, 5, shape)
    log_scale = np.log(rng.uniform(*scales, shape))
    raw = [mean, log_scale]

  noise = rng.laplace(size=shape) if isinstance(model, Laplacian) else rng.normal(size=shape)
  y = tf.constant(mean + np.exp(log_scale) * noise, tf.float32)
  return y, model.parameters(join_raw(raw))


def choose_components(rng, logits):
  """Draws a component of each mixture, by adding Gumbel noise; `[..., 1]`."""
  exponential = -np.log(rng.uniform(size=logits.shape))
  return np.argmax(logits - np.log(exponential), -1)[..., None]


def join_raw(raw):
  """Returns a network's output, from what it gives in each parameter's channels."""
  batch_and_height = raw[0].shape[:2]
  channels = [part.reshape(*batch_and_height, -1) for part in raw]
  return tf.constant(np.concatenate(channels, -1), tf.float32)
