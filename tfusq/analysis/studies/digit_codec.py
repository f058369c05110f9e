"""Codecs for digits, and the bias of the straight-through gradient in them (Sec. 4.4.2, Fig. 6).

Let `e(y_tilde)` be the squared error of a digit's reconstruction, and `p` the soft map that STE
goes through. Given the latent, the components of `y_tilde` are independent. The mean of STE's
gradient with respect to component 1 is

    E[p'(y_1) de/dy_tilde_1 (y_tilde_1, y_tilde_2)]

and the gradient of the expected error is, by the surrogate's secant,

    slope(y_1) E[e(upper(y_1), y_tilde_2) - e(lower(y_1), y_tilde_2)]

The bias is their difference. Two components are so few that both expectations are sums over all
values of `y_tilde`.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfusq.analysis import optimization, tabulation
from tfusq.entropy_models import Gaussian
from tfusq.quantization.base import Surrogate
from tfusq.quantization.estimators import EP, STE
from tfusq.quantization.quantizer import Quantizer
from tfusq.quantization.surrogates import SR

PIXELS = 28 * 28

_BATCH = 128
_LEARNING_RATE = 3e-3
# Bits for a squared error of 1, summed over a digit's pixels.
_LMBDA = 1.0

# Digits that the mean squared error is measured at.
_ERROR_DIGITS = 2560
# Values of a component of y_tilde, where its distribution is continuous.
_QUANTILES = 24


class DigitCodec(tf.Module):
  """Perceptrons with two hidden layers, from digits to two latent components and back."""

  def __init__(self, analysis: int, synthesis: int, seed: Sequence[int]):
    """Initializer.

    Args:
      analysis: Number of units in each hidden layer of the analysis.
      synthesis: Number of units in each hidden layer of the synthesis.
      seed: Two numbers that all draws depend on.
    """
    super().__init__()
    self._seed = seed
    self._analysis = _perceptron([PIXELS, analysis, analysis, 2], seed)
    self._synthesis = _perceptron([2, synthesis, synthesis, PIXELS], seed)
    self._entropy_model = Gaussian()
    # Two means and two logarithms of scales.
    self._raw = tf.Variable([[0.0, 0.0, 1.0, 1.0]])
    surrogate = SR()
    self._rate = Quantizer(surrogate, EP())
    self._distortion = Quantizer(surrogate, STE())

  def latents(self, x: tf.Tensor) -> tf.Tensor:
    """Returns the latents of digits, `float32[digits, 2]`."""
    # A gain that spreads the latents over several steps from the start.
    return 4 * self._analysis(x)

  def squared_errors(self, x: tf.Tensor, y_tilde: tf.Tensor) -> tf.Tensor:
    """Returns the squared error of each reconstruction, summed over the pixels.

    Args:
      x: Digits, `float32[digits, 784]`.
      y_tilde: Quantized latents, `float32[..., digits, 2]`.

    Returns:
      Errors, `float32[..., digits]`.
    """
    reconstruction = tf.sigmoid(self._synthesis(y_tilde))
    return tf.reduce_sum(tf.square(x - reconstruction), -1)

  def train(self, digits: np.ndarray, steps: int) -> None:
    """Trains the networks and the entropy model.

    Args:
      digits: Training set, `float32[count, 784]`.
      steps: Number of steps.
    """
    images = tf.constant(digits)

    def loss(seed):
      index = tf.random.stateless_uniform([_BATCH], seed, maxval=len(digits), dtype=tf.int32)
      x = tf.gather(images, index)
      return self._loss(x, tf.random.experimental.stateless_fold_in(seed, 1))

    seed = 1000 * self._seed[0] + self._seed[1]
    optimization.minimize(loss, self.trainable_variables, steps, _LEARNING_RATE, seed)

  def _loss(self, x, seed):
    """Returns the mean over digits of rate + lambda squared error."""

    def bits(y_tilde):
      raw = tf.tile(self._raw, [tf.shape(y_tilde)[0], 1])
      return self._entropy_model.bits(y_tilde, self._entropy_model.parameters(raw))

    y = self.latents(x)
    noise = self._rate.noise(y, seed)
    rate = self._rate.evaluate(bits, y, noise)
    errors = self.squared_errors(x, self._distortion(y, noise))
    return (tf.reduce_sum(rate) + _LMBDA * tf.reduce_sum(errors)) / _BATCH

  def error(self, digits: np.ndarray) -> float:
    """Returns the mean squared error of a digit, summed over its pixels, with rounding."""
    x = tf.constant(digits[:_ERROR_DIGITS])
    y_hat = tf.round(self.latents(x))
    return float(tf.reduce_mean(self.squared_errors(x, y_hat)))

  def bias(self, surrogate: Surrogate, digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measures the bias of STE's gradient with respect to the latent.

    Args:
      surrogate: Forward calculation, with a secant.
      digits: Digits, `float32[digits, 784]`.

    Returns:
      The bias, and the gradient of the expected squared error, both `float32[digits, 2]`.
    """
    x = tf.constant(digits)
    y = self.latents(x)
    values, probabilities = possible_values(surrogate, y)

    estimated, expected = [], []
    for component in (0, 1):
      estimated.append(self._mean_gradient(x, y, surrogate, values, probabilities, component))
      expected.append(self._expected_gradient(x, y, surrogate, values, probabilities, component))
    expected = np.stack(expected, 1)
    return np.stack(estimated, 1) - expected, expected

  def _mean_gradient(self, x, y, surrogate, values, probabilities, component):
    """Returns the mean of STE's gradient with respect to a component, `float32[digits]`."""
    other_values = values[:, :, 1 - component]
    other_probabilities = probabilities[:, :, 1 - component]

    mean = 0.0
    # A loop over the values of the component, and a tensor over those of the other.
    for value, probability in zip(
      tf.unstack(values[:, :, component]), tf.unstack(probabilities[:, :, component]), strict=True
    ):
      y_tilde = _with_component(value, other_values, component)
      gradient = self._gradient(x, y_tilde)[..., component]
      mean += tf.reduce_sum(probability[None] * other_probabilities * gradient, 0)
    return _proxy_slope(surrogate, y)[:, component] * mean

  def _expected_gradient(self, x, y, surrogate, values, probabilities, component):
    """Returns the gradient of the expected error in a component, `float32[digits]`."""
    other_values = values[:, :, 1 - component]
    other_probabilities = probabilities[:, :, 1 - component]

    def mean_error(value):
      y_tilde = _with_component(value, other_values, component)
      return tf.reduce_sum(other_probabilities * self.squared_errors(x, y_tilde), 0)

    secant = surrogate.secant(y)
    upper = mean_error(secant.upper[:, component])
    lower = mean_error(secant.lower[:, component])
    return secant.slope[:, component] * (upper - lower)

  def _gradient(self, x, y_tilde):
    """Returns the derivatives of the squared errors, of the shape of `y_tilde`."""
    with tf.GradientTape() as tape:
      tape.watch(y_tilde)
      errors = self.squared_errors(x, y_tilde)
    return tape.gradient(errors, y_tilde)


def _perceptron(widths, seed):
  """Returns dense layers of these widths, rectified but for the last."""
  layers = []
  for number, width in enumerate(widths[1:]):
    last = number == len(widths) - 2
    initializer = tf.keras.initializers.HeNormal(seed=10_000 * seed[0] + 100 * seed[1] + number)
    activation = None if last else 'relu'
    layers.append(tf.keras.layers.Dense(width, activation, kernel_initializer=initializer))
  network = tf.keras.Sequential(layers)
  network.build([None, widths[0]])
  return network


def possible_values(surrogate: Surrogate, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Enumerates the values of each component of `y_tilde`.

  Args:
    surrogate: Forward calculation with independent components.
    y: Latents, `float32[digits, 2]`.

  Returns:
    Values and their probabilities, both `float32[values, digits, 2]`. If the surrogate does not
    give the probabilities of integers, the values are those for quantiles of the noise.
  """
  if surrogate.discrete and surrogate.has_density():
    # A surrogate is at most a step away from its latent.
    values = tf.stack([tf.floor(y) + integer for integer in (-1.0, 0.0, 1.0, 2.0)])
    return values, surrogate.density(values, y[None])

  quantiles = tabulation.noise_quantiles(surrogate, _QUANTILES)
  noise = tf.constant(quantiles, tf.float32)[:, None, None]
  values = surrogate(tf.tile(y[None], [_QUANTILES, 1, 1]), tf.tile(noise, [1, *y.shape]))
  return values, tf.ones_like(values) / _QUANTILES


def _proxy_slope(surrogate, y):
  """Returns the derivative of the soft map that STE goes through, of the shape of `y`."""
  with tf.GradientTape() as tape:
    tape.watch(y)
    soft = surrogate.proxy(y)
  return tape.gradient(soft, y)


def _with_component(value, other_values, component):
  """Returns `y_tilde` with one value of a component and all values of the other.

  Args:
    value: Value of the component for each digit, `float32[digits]`.
    other_values: Values of the other component, `float32[values, digits]`.
    component: Number of the component, 0 or 1.

  Returns:
    Quantized latents, `float32[values, digits, 2]`.
  """
  value = tf.broadcast_to(value[None], other_values.shape)
  components = [value, other_values] if component == 0 else [other_values, value]
  return tf.stack(components, -1)
