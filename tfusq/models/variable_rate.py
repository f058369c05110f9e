"""Variable rate: gains of a latent, by which one codec has many qualities.

Each channel of the latent is multiplied by a gain before it is quantized, and by another after, the
inverse gain: the greater the gain, the finer the quantization. Both are trained at a few levels, of
which each has a lambda of its own. Between two levels they are interpolated exponentially, in as
many steps as `STEPS_PER_LEVEL`, and so is lambda. These steps are all qualities that there are.

A quality's third number for each channel widens the density that the network gives, so that the
network need not tell from the hyperlatent which quality it is.

#### References
Cui, Wang, Gao, Guo, Feng and Bai, Asymmetric gained deep image compression with continuous rate
adaptation, 2021, Sec. 3. https://arxiv.org/abs/2003.02012
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.interpolate
import tensorflow as tf

from tfusq.models.gained import Gains

# A step changes a file's length by one or two percent.
STEPS_PER_LEVEL = 32

# The fraction of 2^32 that the golden ratio is. Its multiples, without whole parts, lie evenly.
_GOLDEN = 2654435769
_ALL = 2**32


class Target(NamedTuple):
  """What each image of a batch is trained for.

  Attributes:
    lmbda: Weight of the distortion, a number or `float32[batch]`.
    weight: Weight of the image's loss, a number or `float32[batch]`.
    gains: Gains of the image's own latent; None where the rate is fixed.
  """

  lmbda: float | tf.Tensor
  weight: float | tf.Tensor = 1.0
  gains: Gains | None = None


class Levels(tf.keras.layers.Layer):
  """Numbers for each level and channel, interpolated between levels.

  Attributes:
    values: `float32[levels, channels]`, trained.
  """

  def __init__(self, name: str, start: np.ndarray):
    """Initializer.

    Args:
      name: Name of the Keras layer.
      start: `float[levels, channels]` to start with.
    """
    super().__init__(name=name, dtype='float32')
    self.values = self.add_weight(
      'values', start.shape, initializer=tf.constant_initializer(start), dtype='float32'
    )

  def call(self, position: tf.Tensor) -> tf.Tensor:
    """Interpolates linearly.

    Args:
      position: Places between the levels, `float32[n]`, 0 at the first.

    Returns:
      `float32[n, channels]`.
    """
    levels = tf.range(self.values.shape[0], dtype=tf.float32)
    weights = tf.nn.relu(1 - tf.abs(position[:, None] - levels))
    return weights @ self.values


class VariableRate(tf.keras.layers.Layer):
  """The gains of a codec of many qualities.

  A quality is a number from 1 to the number of levels, in steps; the step counts from 0.

  Attributes:
    lambdas: Lambda of each level, increasing.
    steps: Number of quality steps.
    gain: Logarithms of the gains before quantization; only compressing needs them.
    inverse_gain: Logarithms of the gains after it.
    widening: Numbers that are added to the logarithms of the densities' scales.
  """

  def __init__(
    self, lambdas: Sequence[float] = (0.0018, 0.0035, 0.0067, 0.0130, 0.0250, 0.0483, 0.0932, 0.18)
  ):
    """Initializer.

    Args:
      lambdas: Lambda of each level, at least two, increasing.

    Raises:
      ValueError: if they are not.
    """
    super().__init__(name='variable_rate', dtype='float32')
    lambdas = tuple(lambdas)
    numbers = [0.0, *lambdas, math.inf]
    if len(lambdas) < 2 or any(not a < b for a, b in zip(numbers, numbers[1:])):
      raise ValueError(
        f'VariableRate.lambdas must be two or more increasing positive numbers, not {lambdas!r}'
      )
    self.lambdas = tuple(float(lmbda) for lmbda in lambdas)
    self.steps = (len(lambdas) - 1) * STEPS_PER_LEVEL + 1

  def create(self, channels: int, lmbda: float) -> None:
    """Creates the variables, with gains in proportion to the square root of lambda.

    With the step of the quantizer, the squared error at high rates is `step^2 / 12`, and the rate
    falls by `log2 step` bits: the step with the least loss is in proportion to `lambda^(-1/2)`.

    Args:
      channels: Number of channels of the image's own latent.
      lmbda: Lambda for which the networks start; its gain is 1.
    """
    log_gain = 0.5 * np.log(np.array(self.lambdas) / lmbda)
    start = np.repeat(log_gain[:, None], channels, 1)
    self.gain = Levels('gain', start)
    self.inverse_gain = Levels('inverse_gain', -start)
    self.widening = Levels('widening', start)

  def target(self, step: tf.Tensor, lmbda: float) -> Target:
    """Returns what images are trained for at some steps.

    A loss grows with lambda, about as its square root. The weights keep the high qualities from
    being all that counts.

    Args:
      step: Quality step of each image, `int[n]`.
      lmbda: Lambda of an image whose loss has the weight 1.
    """
    lambdas = self.lmbda(step)
    return Target(lambdas, tf.sqrt(lmbda / lambdas), self.gains(step))

  def spread(self, index: tf.Tensor) -> tf.Tensor:
    """Returns the step of each image of a training, so that any few in a row are of all rates.

    Args:
      index: Number of each image in the run, `int64[n]`.

    Returns:
      `int64[n]`.
    """
    fraction = tf.bitwise.bitwise_and(index * _GOLDEN, tf.constant(_ALL - 1, tf.int64))
    return fraction * self.steps // _ALL

  def lmbda(self, step: tf.Tensor) -> tf.Tensor:
    """Returns lambda at steps, of the shape of `step`, float32."""
    return tf.gather(self.all_lambdas().astype(np.float32), step)

  def all_lambdas(self) -> np.ndarray:
    """Returns lambda at all steps, `float64[steps]`."""
    return np.exp(self._interpolate(np.log(self.lambdas)[:, None]))[:, 0]

  def all_of(self, levels: Levels) -> np.ndarray:
    """Returns the numbers of all steps, `float64[steps, channels]`.

    Args:
      levels: One of the attributes.
    """
    return self._interpolate(levels.values.numpy().astype(np.float64))

  def gains(self, step: tf.Tensor) -> Gains:
    """Returns the gains at steps, `float32[n, 1, 1, channels]` each.

    Args:
      step: Quality steps, `int[n]`.
    """
    position = tf.cast(step, tf.float32) / STEPS_PER_LEVEL
    gain, inverse_gain, widening = (
      levels(position)[:, None, None] for levels in (self.gain, self.inverse_gain, self.widening)
    )
    return Gains(tf.exp(gain), tf.exp(inverse_gain), widening)

  @property
  def default_step(self) -> int:
    """The step of the middle level, the lower one of two."""
    return (len(self.lambdas) - 1) // 2 * STEPS_PER_LEVEL

  def _interpolate(self, values: np.ndarray) -> np.ndarray:
    """Interpolates `[levels, n]` between the levels, to `[steps, n]`."""
    positions = np.arange(self.steps) / STEPS_PER_LEVEL
    return scipy.interpolate.interp1d(np.arange(len(values)), values, axis=0)(positions)
