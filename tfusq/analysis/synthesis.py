"""Small synthesis networks that restore a Gaussian latent from its surrogate (Sec. 4.2.2).

A Gaussian source is its own latent, `y ~ N(0, scale^2)`. A network `g` is trained to minimize

    E (g(y_tilde) - y)^2

where `y_tilde` is the output of a surrogate. The minimum over all functions is that of the ideal
decoder `g(y_tilde) = E[y | y_tilde]`, whose error is `E Var(y | y_tilde)`. Two components with
correlation `rho` are `y_1 = scale n_1` and `y_2 = rho y_1 + sqrt(1 - rho^2) scale n_2`, where `n_1`
and `n_2` are independent standard normal variates.

The networks of all sources are trained side by side: each is an index of the first axis of every
tensor.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfusq.analysis import optimization
from tfusq.quantization.base import Surrogate
from tfusq.quantization.surrogates import Round

_LEARNING_RATE = 3e-3

# Samples for the error of each network, in blocks that bound the memory.
_EVALUATED_SAMPLES = 2**16
_BLOCK = 2**11

# Squared error of rounding a wide source: the variance of U(-1/2, 1/2).
_ROUNDING_ERROR = 1 / 12


class Source(NamedTuple):
  """A Gaussian source that is its own latent, and its surrogate for rounding.

  Attributes:
    surrogate: Forward calculation.
    scale: Standard deviation of every component; the mean is 0.
    correlation: Correlation of two components, or None for a scalar source.
  """

  surrogate: Surrogate
  scale: float
  correlation: float | None = None


class Training(NamedTuple):
  """Settings of a training.

  Attributes:
    steps: Number of steps.
    batch: Number of samples in a step.
    repeats: Number of networks for each source, which differ in initial weights and in noise.
    hidden: Number of units in each of the two hidden layers.
    seed: Seed of weights, samples and noise.
  """

  steps: int
  batch: int = 256
  repeats: int = 2
  hidden: int = 32
  seed: int = 0


class Distortion(NamedTuple):
  """Squared error per component of each network, `float64[sources, repeats]`.

  Attributes:
    estimated: Error with the surrogate that the network was trained on.
    rounded: Error of the same network with the rounded latent.
  """

  estimated: np.ndarray
  rounded: np.ndarray


class _Networks(tf.Module):
  """Networks that are the sum of a linear map and a perceptron with two hidden layers."""

  def __init__(self, scales: np.ndarray, dimension: int, training: Training):
    """Initializer.

    Args:
      scales: Standard deviation of the source of each network, `float[networks]`.
      dimension: Number of components of a latent.
      training: Settings of the training.
    """
    super().__init__()
    hidden = training.hidden
    self._count = len(scales)
    self._seed = training.seed
    self._variable_numbers = itertools.count()
    self._scale = tf.constant(scales, tf.float32)[:, None, None]
    # Standard deviation of a latent with uniform noise, which brings all inputs to one range.
    self._input_scale = tf.sqrt(self._scale**2 + _ROUNDING_ERROR)

    # He's gain sqrt(2) where the input is a rectifier's. The small gain at the end starts the
    # training near the linear map.
    self._kernels = [
      self._kernel(dimension, hidden, gain=1.0),
      self._kernel(hidden, hidden, gain=2**0.5),
      self._kernel(hidden, dimension, gain=0.1),
    ]
    self._biases = [self._bias(hidden), self._bias(hidden)]
    # The best linear decoder of additive uniform noise, y_tilde scale^2 / (scale^2 + 1/12).
    self._linear = tf.Variable(tf.eye(dimension)[None] * self._scale / self._input_scale)

  def _kernel(self, inputs, outputs, gain):
    normal = tf.random.stateless_normal([self._count, inputs, outputs], self._next_seed())
    return tf.Variable(gain / inputs**0.5 * normal)

  def _bias(self, units):
    # Spread out, so that the rectifiers' bends are at different latents from the start.
    uniform = tf.random.stateless_uniform([self._count, 1, units], self._next_seed(), -1.0, 1.0)
    return tf.Variable(uniform)

  def _next_seed(self):
    return [self._seed, next(self._variable_numbers)]

  def __call__(self, y_tilde: tf.Tensor) -> tf.Tensor:
    """Returns restored latents of the shape of `y_tilde`, `[networks, samples, dimension]`."""
    normalized = y_tilde / self._input_scale
    hidden = normalized
    for kernel, bias in zip(self._kernels[:2], self._biases, strict=True):
      hidden = tf.nn.relu(hidden @ kernel + bias)
    return self._scale * (normalized @ self._linear + hidden @ self._kernels[2])


class _Sampler:
  """Draws latents and their surrogates, the latents of all sources from the same variates.

  Common variates make the errors of different sources comparable with fewer samples.
  """

  def __init__(self, sources: Sequence[Source], repeats: int):
    """Initializer.

    Args:
      sources: Sources, those with one surrogate next to each other.
      repeats: Number of networks for each source.
    """
    # One call of a surrogate serves all its sources.
    groups = itertools.groupby(sources, lambda source: source.surrogate)
    self._groups = [(surrogate, list(members)) for surrogate, members in groups]
    self._repeats = repeats
    self.dimension = 1 if sources[0].correlation is None else 2

  def __call__(self, count: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns latents and `y_tilde`, both `float32[sources * repeats, count, dimension]`."""
    normal = tf.random.stateless_normal([1, self._repeats, count, self.dimension], seed)
    latents, surrogates = [], []

    for number, (surrogate, members) in enumerate(self._groups):
      y = _latents(members, normal)
      # Surrogates take a batch of latents; those of one draw may share noise over the components.
      batch = tf.reshape(y, [-1, self.dimension])
      noise_seed = tf.random.experimental.stateless_fold_in(seed, number + 1)
      y_tilde = surrogate(batch, surrogate.noise(batch, noise_seed))

      shape = [len(members) * self._repeats, count, self.dimension]
      latents.append(tf.reshape(y, shape))
      surrogates.append(tf.reshape(y_tilde, shape))

    return tf.concat(latents, 0), tf.stop_gradient(tf.concat(surrogates, 0))


def _latents(sources, normal):
  """Returns latents `[sources, repeats, count, dimension]` made of standard normal variates."""
  scale = tf.constant([source.scale for source in sources])
  y = normal * scale[:, None, None, None]
  if sources[0].correlation is None:
    return y

  correlation = tf.constant([source.correlation for source in sources])[:, None, None]
  first, independent = tf.unstack(y, axis=-1)
  second = correlation * first + tf.sqrt(1 - correlation**2) * independent
  return tf.stack([first, second], -1)


def train(sources: Sequence[Source], training: Training, description: str) -> Distortion:
  """Trains synthesis networks for each source, and measures their squared errors.

  Args:
    sources: Sources, either all scalar or all pairs; those with one surrogate are next to each
      other.
    training: Settings of the training.
    description: Label of the progress reports.

  Returns:
    The errors with the surrogate and with rounding.
  """
  sampler = _Sampler(sources, training.repeats)
  scales = np.repeat([source.scale for source in sources], training.repeats)
  networks = _Networks(scales, sampler.dimension, training)
  # Errors are about 1/12 for wide sources and about scale^2 for narrow ones. The weights bring all
  # losses to one range, since one learning rate serves all networks.
  weights = tf.constant(1 / np.minimum(scales**2, _ROUNDING_ERROR), tf.float32)

  def loss(seed):
    y, y_tilde = sampler(training.batch, seed)
    # A sum over networks, which have no variables in common: each follows its own gradient.
    return tf.reduce_sum(weights * _squared_errors(networks, y_tilde, y))

  optimization.minimize(
    loss,
    networks.trainable_variables,
    training.steps,
    _LEARNING_RATE,
    training.seed,
    description=description,
  )

  errors = _evaluate(networks, sampler, training)
  estimated, rounded = errors.reshape(2, len(sources), training.repeats)
  return Distortion(estimated, rounded)


def _evaluate(networks, sampler, training):
  """Returns the errors with surrogates and with rounding, `float64[2, networks]`."""

  @tf.function
  def block_errors(seed):
    y, y_tilde = sampler(_BLOCK, seed)
    y_hat = Round()(y, None)
    return _squared_errors(networks, y_tilde, y), _squared_errors(networks, y_hat, y)

  errors = []
  for block in range(_EVALUATED_SAMPLES // _BLOCK):
    # Numbers of steps that training did not take, so that the samples are new.
    errors.append(block_errors(tf.constant([training.seed, training.steps + block])))
  return np.mean(errors, axis=0, dtype=np.float64)


def _squared_errors(networks, y_tilde, y):
  """Returns the mean squared error per component of each network, `float32[networks]`."""
  return tf.reduce_mean(tf.square(networks(y_tilde) - y), [1, 2])
