"""Synthesis networks for toy sources, many trained side by side (Sec. 4.2.2)."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfusq.quantization.surrogates import Round, Surrogate

_EVALUATED = 2**16  # samples of each network
_BLOCK = 2**11


class Source(NamedTuple):
  """A Gaussian source that is its own latent, and what stands in for rounding.

  Attributes:
    surrogate: The forward calculation.
    scale: Standard deviation of every component, whose mean is 0.
    correlation: Of two components; None for a scalar source.
  """

  surrogate: Surrogate
  scale: float
  correlation: float | None = None


class Training(NamedTuple):
  """How networks are trained.

  Attributes:
    steps: Of Adam, whose rate falls from 3e-3 by a cosine.
    batch: Samples a step.
    repeats: Networks for each source, with other weights and other noise.
    hidden: Units of both hidden layers.
    seed: Of weights, samples and noise.
  """

  steps: int
  batch: int = 256
  repeats: int = 2
  hidden: int = 32
  seed: int = 0


class Distortion(NamedTuple):
  """Squared error per component; one for each source and repeat, `float64[sources, repeats]`.

  Attributes:
    estimated: With what the network was trained on.
    rounded: The same network's, with the rounded latent.
  """

  estimated: np.ndarray
  rounded: np.ndarray


class _Networks(tf.Module):
  """Perceptrons beside a linear map, each in a place of its own of the first axis."""

  def __init__(self, scales, dimension, training):
    super().__init__()
    count, hidden = len(scales), training.hidden
    self._scale = tf.constant(scales, tf.float32)[:, None, None]
    self._spread = tf.sqrt(self._scale**2 + 1 / 12)
    seeds = itertools.count()

    def weight(inputs, outputs, gain):
      return tf.Variable(
        gain
        / inputs**0.5
        * tf.random.stateless_normal([count, inputs, outputs], [training.seed, next(seeds)])
      )

    self._kernels = [
      weight(dimension, hidden, 1.0),
      weight(hidden, hidden, 2**0.5),
      weight(hidden, dimension, 0.1),
    ]
    self._biases = [
      tf.Variable(
        tf.random.stateless_uniform([count, 1, hidden], [training.seed, next(seeds)], -1.0, 1.0)
      )
      for _ in range(2)
    ]
    self._linear = tf.Variable(tf.eye(dimension)[None] * self._scale / self._spread)

  def __call__(self, y_tilde):
    v = y_tilde / self._spread
    hidden = v
    for kernel, bias in zip(self._kernels, self._biases):
      hidden = tf.nn.relu(hidden @ kernel + bias)
    return self._scale * (v @ self._linear + hidden @ self._kernels[2])


class _Sampler:
  """Draws latents and what stands in for them; all sources share the normal variates."""

  def __init__(self, sources, repeats):
    self._groups = [
      (surrogate, list(group))
      for surrogate, group in itertools.groupby(sources, lambda source: source.surrogate)
    ]
    self._repeats = repeats
    self.dimension = 1 if sources[0].correlation is None else 2

  def __call__(self, count, seed):
    """Returns latents and `y_tilde`, `float32[sources * repeats, count, dimension]`."""
    normal = tf.random.stateless_normal([1, self._repeats, count, self.dimension], seed)
    latents, noisy = [], []
    for number, (surrogate, group) in enumerate(self._groups):
      y = normal * tf.constant([source.scale for source in group])[:, None, None, None]
      if self.dimension == 2:
        correlation = tf.constant([source.correlation for source in group])[:, None, None]
        first, second = tf.unstack(y, axis=-1)
        y = tf.stack([first, correlation * first + tf.sqrt(1 - correlation**2) * second], -1)
      flat = tf.reshape(y, [-1, self.dimension])
      own = tf.random.experimental.stateless_fold_in(seed, number + 1)
      y_tilde = surrogate(flat, surrogate.noise(flat, own))
      shape = [len(group) * self._repeats, count, self.dimension]
      latents.append(tf.reshape(y, shape))
      noisy.append(tf.reshape(y_tilde, shape))
    return tf.concat(latents, 0), tf.stop_gradient(tf.concat(noisy, 0))


def train(sources: Sequence[Source], training: Training, name: str) -> Distortion:
  """Trains a synthesis for each source to give the latent back, and measures its squared error.

  Args:
    sources: All scalar or all pairs; those of one surrogate one after another.
    training: How.
    name: For the progress bar.
  """
  sampler = _Sampler(sources, training.repeats)
  scales = np.repeat([source.scale for source in sources], training.repeats)
  networks = _Networks(scales, sampler.dimension, training)
  optimizer = tf.keras.optimizers.Adam(
    tf.keras.optimizers.schedules.CosineDecay(3e-3, training.steps)
  )
  optimizer.build(networks.trainable_variables)
  weight = tf.constant(1 / np.minimum(scales**2, 1 / 12), tf.float32)

  @tf.function
  def step(seed):
    y, y_tilde = sampler(training.batch, seed)
    with tf.GradientTape() as tape:
      loss = tf.reduce_sum(weight * tf.reduce_mean(tf.square(networks(y_tilde) - y), [1, 2]))
    variables = networks.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))

  @tf.function
  def errors(seed):
    y, y_tilde = sampler(_BLOCK, seed)
    return [
      tf.reduce_mean(tf.square(networks(value) - y), [1, 2])
      for value in (y_tilde, Round()(y, None))
    ]

  for number in tqdm(range(training.steps), desc=name, unit='step'):
    step(tf.constant([training.seed, number]))
  found = np.mean(
    [
      errors(tf.constant([training.seed, training.steps + block]))
      for block in range(_EVALUATED // _BLOCK)
    ],
    axis=0,
    dtype=np.float64,
  )
  return Distortion(*found.reshape(2, len(sources), training.repeats))
