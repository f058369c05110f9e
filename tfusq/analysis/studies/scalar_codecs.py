"""Codecs for a scalar Laplacian source, many trained side by side (Sec. 4.4.2, Fig. 7).

The source has the density `exp(-|x|) / 2`. A codec consists of an analysis `g_a`, a synthesis `g_s`
and an entropy model, and minimizes for a given `slope`

    E[-log2 P(y_tilde) + slope (x - g_s(y_tilde))^2],     y = g_a(x)

The latent is scalar, so that both terms are functions of one component, and every estimator, EP
included, is defined for both.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfusq.analysis import optimization
from tfusq.analysis.risk import scalar_noise
from tfusq.entropy_models import GaussianMixture
from tfusq.quantization.quantizer import Quantizer
from tfusq.quantization.rounding import quantize

TRANSFORMS = ('linear', 'residual blocks')

_BLOCKS = 3
_HIDDEN = 16
_BATCH = 256
_EVALUATED_SAMPLES = 2**16
_LEARNING_RATE = 1e-2

# Rare large gradients are clipped, those of each codec by themselves: a bad step of one codec must
# not shorten the steps of the others.
_CLIP_NORM = 10.0

# Lower bound of the mixture's scales, far below the step size 1.
_BOUND = 0.01

# Logits, means and logarithms of the scales of three components, which begin as one Gaussian. Their
# weights differ, since equal components would have equal gradients and stay equal.
_INITIAL_MIXTURE = (-1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Method(NamedTuple):
  """Quantizers of both terms of the loss.

  Attributes:
    name: Name in tables and legends.
    rate: Quantizer of the rate.
    distortion: Quantizer of the distortion.
  """

  name: str
  rate: Quantizer
  distortion: Quantizer


class Result(NamedTuple):
  """Performance of one codec with rounding.

  Attributes:
    method: Name of the method.
    transform: One of `TRANSFORMS`.
    slope: Weight of the squared error, in bits.
    repeat: Number of the codec among those with the same method, transform and slope.
    rate: Rate in bits.
    distortion: Squared error.
  """

  method: str
  transform: str
  slope: float
  repeat: int
  rate: np.float32
  distortion: np.float32


class _Transform(tf.Module):
  """Maps of scalars, one for each codec: an affine map, residual blocks, and an affine map.

  The codecs lie along the first axis of every variable.
  """

  def __init__(self, count: int, residual: Sequence[bool], seed: int):
    """Initializer.

    Args:
      count: Number of codecs.
      residual: Whether each codec has residual blocks.
      seed: Seed of the initial weights.
    """
    super().__init__()
    self._affine = [_identity(count), _identity(count)]
    self._blocks = []
    for block in range(_BLOCKS):
      seeds = [[seed, 3 * block + number] for number in range(3)]
      up = tf.random.stateless_normal([count, 1, _HIDDEN], seeds[0])
      down = tf.random.stateless_normal([count, _HIDDEN, 1], seeds[1])
      bias = tf.random.stateless_normal([count, 1, _HIDDEN], seeds[2])
      # Small at first, so that the training starts near the identity.
      self._blocks.append([tf.Variable(up), tf.Variable(bias), tf.Variable(0.1 * down)])

    # Linear codecs have the same graph: their blocks are multiplied by 0.
    self._residual = tf.constant(residual, tf.float32)[:, None, None]

  def __call__(self, x: tf.Tensor, codecs: slice = slice(None)) -> tf.Tensor:
    """Maps samples.

    Args:
      x: Samples of each codec, `[codecs, samples, 1]`.
      codecs: Range of codecs that `x` is for.

    Returns:
      A tensor of the shape of `x`.
    """
    (gain, shift), (last_gain, last_shift) = self._affine
    x = gain[codecs] * x + shift[codecs]
    for up, bias, down in self._blocks:
      hidden = tf.nn.relu(x @ up[codecs] + bias[codecs])
      x += self._residual[codecs] * (hidden @ down[codecs])
    return last_gain[codecs] * x + last_shift[codecs]


def _identity(count):
  """Returns gains of 1 and shifts of 0."""
  return [tf.Variable(tf.fill([count, 1, 1], value)) for value in (1.0, 0.0)]


class _Setting(NamedTuple):
  """What distinguishes the codecs of one method."""

  transform: str
  slope: float
  repeat: int


class ScalarCodecs(tf.Module):
  """Codecs of every method and every setting, trained side by side.

  They lie along the first axis of all tensors, ordered by method and then by setting.
  """

  def __init__(self, methods: Sequence[Method], slopes: Sequence[float], repeats: int, seed: int):
    """Initializer.

    Args:
      methods: Methods to compare.
      slopes: Weights of the squared error, in bits.
      repeats: Number of codecs for each method, transform and slope, which differ in initial
        weights and samples.
      seed: Seed of the initial weights.
    """
    super().__init__()
    self._methods = methods
    self._settings = [
      _Setting(*values) for values in itertools.product(TRANSFORMS, slopes, range(repeats))
    ]
    count = len(methods) * len(self._settings)
    slope = [setting.slope for setting in self._settings]
    residual = [setting.transform == 'residual blocks' for setting in self._settings]

    self._slope = tf.constant(slope, tf.float32)[:, None, None]
    self._analysis = _Transform(count, residual * len(methods), seed)
    self._synthesis = _Transform(count, residual * len(methods), seed + 1)
    self._entropy_model = GaussianMixture(bound=_BOUND)
    self._raw = tf.Variable(tf.tile(tf.constant(_INITIAL_MIXTURE)[None, None], [count, 1, 1]))

  def train(self, steps: int, seed: int) -> None:
    """Trains all codecs.

    Args:
      steps: Number of steps.
      seed: Seed of samples and noise.
    """

    def loss(step_seed):
      x = self._samples(_BATCH, step_seed)
      return self._loss(x, tf.random.experimental.stateless_fold_in(step_seed, 1))

    optimization.minimize(
      loss,
      self.trainable_variables,
      steps,
      _LEARNING_RATE,
      seed,
      clip_norm=_CLIP_NORM,
      description='laplacian',
    )

  def evaluate(self) -> list[Result]:
    """Returns the performance of each codec with rounding, at quantiles of the source."""
    probability = (np.arange(_EVALUATED_SAMPLES) + 0.5) / _EVALUATED_SAMPLES
    uniform = 2 * probability - 1
    # The inverse of the cumulative distribution.
    quantiles = -np.sign(uniform) * np.log1p(-np.abs(uniform))
    x = tf.constant(quantiles, tf.float32)[None, :, None]
    tiled = tf.tile(x, [len(self._settings), 1, 1])

    results = []
    for method, codecs in self._codecs_of_methods():
      _, y_hat = quantize(self._analysis(tiled, codecs))
      bits = tf.reduce_mean(self._bits(y_hat, codecs), [1, 2]).numpy()
      error = tf.reduce_mean(tf.square(x - self._synthesis(y_hat, codecs)), [1, 2]).numpy()
      for setting, rate, distortion in zip(self._settings, bits, error, strict=True):
        results.append(Result(method.name, *setting, rate, distortion))
    return results

  def _samples(self, count, seed):
    """Draws from the source, `float32[codecs, count, 1]`; all methods see the same samples."""
    # Short of the ends, where the logarithm is infinite.
    shape = [len(self._settings), count, 1]
    uniform = tf.random.stateless_uniform(shape, seed, -1 + 1e-6, 1 - 1e-6)
    x = -tf.sign(uniform) * tf.math.log1p(-tf.abs(uniform))
    return tf.tile(x, [len(self._methods), 1, 1])

  def _codecs_of_methods(self):
    """Returns each method with the range of its codecs."""
    count = len(self._settings)
    result = []
    for number, method in enumerate(self._methods):
      result.append((method, slice(number * count, (number + 1) * count)))
    return result

  def _loss(self, x, seed):
    """Returns the sum of the losses of all codecs, which have no variables in common."""
    y = self._analysis(x)
    total = 0.0
    for method, codecs in self._codecs_of_methods():
      total += self._loss_of_method(method, codecs, x[codecs], y[codecs], seed)
    return total

  def _loss_of_method(self, method, codecs, x, y, seed):
    """Returns the sum of the losses of a method's codecs, with `x` and `y` of these alone."""

    def bits(y_tilde):
      return self._bits(y_tilde, codecs)

    def squared_error(y_tilde):
      return tf.square(x - self._synthesis(y_tilde, codecs))

    noise = scalar_noise(method.rate.surrogate, y, seed)
    rate = method.rate.evaluate(bits, y, noise)
    # Both terms see the same noise where their surrogate is the same.
    if method.rate is not method.distortion:
      noise = scalar_noise(method.distortion.surrogate, y, seed)
    distortion = method.distortion.evaluate(squared_error, y, noise)
    return tf.reduce_sum(tf.reduce_mean(rate + self._slope * distortion, 1))

  def _bits(self, y, codecs):
    """Returns `-log2 P(y)` by each codec's mixture, of the shape of `y`."""
    raw = tf.tile(self._raw[codecs], [1, tf.shape(y)[1], 1])
    return self._entropy_model.bits(y, self._entropy_model.parameters(raw))
