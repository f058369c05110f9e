"""The deep factorized density: cumulative distributions that are small networks."""

import math

import numpy as np
import tensorflow as tf

# Widths of the hidden layers.
_WIDTHS = (3, 3)
# Width of the densities before training: wide enough for most latents.
_INITIAL_SCALE = 10.0
# Least mean absolute value at which a density begins: narrower ones hardly differ in their bits.
_LEAST = 0.25


class DeepFactorized(tf.Module):
  """One density for each channel, and its mass in unit bins.

  The logit of the cumulative distribution is a network of three layers that is monotone by
  construction: matrices are positive by `softplus`, and the nonlinearity `x + tanh(a) tanh(x)`
  rises everywhere. It is TensorFlow Compression's class of this name, with its variables and the
  order of its operations: checkpoints and tables are the same.

  #### References
  Balle, Minnen, Singh, Hwang and Johnston, Variational image compression with a scale hyperprior,
  2018, Appendix 6.1. https://arxiv.org/abs/1802.01436

  Attributes:
    channels: Number of channels.
  """

  def __init__(self, channels: int):
    """Initializer.

    Args:
      channels: Number of channels.
    """
    super().__init__()
    self.channels = channels
    sizes = (1, *_WIDTHS, 1)
    layer_scale = _INITIAL_SCALE ** (1 / (len(sizes) - 1))

    # What checkpoints call them.
    self._matrices: list[tf.Variable] = []
    self._biases: list[tf.Variable] = []
    self._factors: list[tf.Variable] = []
    for number, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
      # Each layer has its share of the scale; `log(expm1(x))` inverts softplus.
      weight = tf.math.log(tf.math.expm1(1 / layer_scale / outputs))
      matrix = tf.fill([channels, outputs, inputs], weight)
      bias = tf.random.uniform([channels, outputs, 1], -0.5, 0.5)
      self._matrices.append(tf.Variable(matrix, name=f'matrix_{number}'))
      self._biases.append(tf.Variable(bias, name=f'bias_{number}'))
      if number < len(_WIDTHS):
        factor = tf.zeros([channels, outputs, 1])
        self._factors.append(tf.Variable(factor, name=f'factor_{number}'))

  def begin_at(self, mean_absolute: np.ndarray) -> None:
    """Makes the densities as wide as a latent; for a start, since it is a new density's width.

    Before training a density is a logistic one of scale `s`, whose mean absolute deviation is
    `2 s ln 2`.

    Args:
      mean_absolute: Mean absolute value of each channel of the latent, `[channels]`.
    """
    scale = np.maximum(mean_absolute, _LEAST) / (2 * math.log(2))
    matrix = self._matrices[0]
    outputs = matrix.shape[1]
    # The other layers have their shares of the initial scale, and this one makes up for the rest.
    weight = _INITIAL_SCALE ** (1 - 1 / len(self._matrices)) / scale / outputs
    value = np.log(np.expm1(weight))
    matrix.assign(np.broadcast_to(value[:, None, None], matrix.shape))

  def log_cdf(self, y: tf.Tensor) -> tf.Tensor:
    """Returns the logarithm of the mass below a point.

    Args:
      y: Points, float32, broadcastable to `[..., channels]`.

    Returns:
      Logarithm, `[..., channels]`.
    """
    return tf.math.log_sigmoid(self._logit(y))

  def log_survival(self, y: tf.Tensor) -> tf.Tensor:
    """Returns the logarithm of the mass above a point.

    Args:
      y: Points, float32, broadcastable to `[..., channels]`.

    Returns:
      Logarithm, `[..., channels]`.
    """
    return tf.math.log_sigmoid(-self._logit(y))

  def mass(self, y: tf.Tensor) -> tf.Tensor:
    """Returns the mass in `[y - 1/2, y + 1/2]`: the density of the sum with uniform noise.

    Args:
      y: Centres of bins, float32, broadcastable to `[..., channels]`.

    Returns:
      Mass, `[..., channels]`.
    """
    upper = self._logit(y + 0.5)
    lower = self._logit(y - 0.5)
    survival = _sigmoid(-lower) - _sigmoid(-upper)
    return tf.where(_is_right(upper), survival, _sigmoid(upper) - _sigmoid(lower))

  def log_mass(self, y: tf.Tensor) -> tf.Tensor:
    """Returns the logarithm of the mass in `[y - 1/2, y + 1/2]`, finite where that underflows.

    Args:
      y: Centres of bins, float32, broadcastable to `[..., channels]`.

    Returns:
      Logarithm, `[..., channels]`.
    """
    upper = self._logit(y + 0.5)
    lower = self._logit(y - 0.5)
    is_right = _is_right(upper)
    log_sigmoid = tf.math.log_sigmoid
    greater = tf.where(is_right, log_sigmoid(-lower), log_sigmoid(upper))
    smaller = tf.where(is_right, log_sigmoid(-upper), log_sigmoid(lower))
    # The logarithm of the difference of their exponentials.
    difference = tf.math.log1p(-tf.exp(smaller - greater)) + greater
    return tf.where(tf.math.is_inf(greater), greater, difference)

  def _logit(self, y: tf.Tensor) -> tf.Tensor:
    """Returns the logit of the mass below a point."""
    shape = tf.broadcast_dynamic_shape(tf.shape(y), tf.constant([self.channels]))
    x = tf.reshape(tf.broadcast_to(y, shape), [-1, 1, self.channels])

    x = tf.transpose(x, [2, 1, 0])
    for number, (matrix, bias) in enumerate(zip(self._matrices, self._biases, strict=True)):
      x = tf.linalg.matmul(tf.nn.softplus(matrix), x) + bias
      if number < len(self._factors):
        x += tf.math.tanh(self._factors[number]) * tf.math.tanh(x)
    return tf.reshape(tf.transpose(x, [2, 1, 0]), shape)


def _is_right(upper: tf.Tensor) -> tf.Tensor:
  """Returns where a bin's upper end is beyond the median.

  There the masses above the ends are the smaller ones, whose difference is more exact.
  """
  return tf.math.log_sigmoid(-upper) < tf.math.log_sigmoid(upper)


def _sigmoid(x: tf.Tensor) -> tf.Tensor:
  """Returns `tf.sigmoid(x)` as TensorFlow 2.14 computes it.

  Later versions round otherwise, and the masses that it gives become tables: with theirs, a
  checkpoint would be exported to a codec of another identity.
  """
  e = tf.exp(x)
  return tf.where(tf.math.is_inf(e), tf.ones_like(e), e / (1 + e))
