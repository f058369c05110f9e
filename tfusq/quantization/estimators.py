"""Backward calculations: the gradient of a loss of `y_tilde` with respect to `y` (Sec. 4.1.2)."""

from collections.abc import Callable

import tensorflow as tf

from tfusq.errors import Error
from tfusq.quantization.gradients import with_slope
from tfusq.quantization.surrogates import Surrogate


class Undefined(Error, TypeError):
  """A pair of forward and backward calculation that has no meaning; says what to use instead."""


class Estimator(tf.Module):
  """A backward calculation: the base class of the group `tfusq.estimators`.

  Attributes:
    elementwise: Whether it is defined for elementwise losses only (the rate), so that the
      distortion needs another.
  """

  elementwise = False

  def check(self, surrogate: Surrogate) -> None:
    """Raises `Undefined` where this estimator has no meaning for `surrogate`."""

  def quantize(self, surrogate: Surrogate, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Returns `y_tilde` for a loss that may mix its components, as the distortion does.

    Args:
      surrogate: The forward calculation.
      y: Latent, any shape, float.
      u: Noise from `surrogate.noise`.

    Returns:
      `surrogate(y, u)`, with this estimator's gradient.
    """
    raise NotImplementedError

  def evaluate(
    self, f: Callable[[tf.Tensor], tf.Tensor], surrogate: Surrogate, y: tf.Tensor, u: tf.Tensor
  ) -> tf.Tensor:
    """Returns `f(y_tilde)` for an elementwise `f`, as the rate is.

    Args:
      f: Elementwise function; what else it depends on keeps its gradient at the sample.
      surrogate: The forward calculation.
      y: Latent, any shape, float.
      u: Noise from `surrogate.noise`.

    Returns:
      `f(surrogate(y, u))`, with this estimator's gradient with respect to `y`.
    """
    return f(self.quantize(surrogate, y, u))


class PGE(Estimator):
  """Pathwise gradient estimator: back-propagation at fixed noise, unbiased, Eq. (18), (28)."""

  def check(self, surrogate):
    if not surrogate.differentiable:
      raise Undefined(
        f'PGE differentiates the forward calculation, and {type(surrogate).__name__} has no '
        'useful derivative: use STE' + (', or EP for the rate' if surrogate.has_secant() else '')
      )

  def quantize(self, surrogate, y, u):
    return surrogate(y, u)


class STE(Estimator):
  """Straight-through estimator: back-propagates through the surrogate's soft proxy, Eq. (19), (32).

  The hard or noisy part counts as identity; the soft rounding of an annealed surrogate keeps its
  derivative, without which Table II is not reproduced.
  """

  def quantize(self, surrogate, y, u):
    proxy = surrogate.proxy(y)
    return with_slope(surrogate(tf.stop_gradient(y), u), proxy, tf.ones_like(proxy))


class EP(Estimator):
  """Direct expected gradient: the exact derivative of `E[f(y_tilde)]`, Eq. (20), (21), (29).

  Evaluates `f` at the sample, for the value and for the gradients of what else `f` depends on,
  and at both ends of the surrogate's secant. In float32 their difference carries the rounding of
  `f`: of a Gaussian's bits at a scale of 256, 1 % of the gradient.
  """

  elementwise = True

  def check(self, surrogate):
    if not surrogate.has_secant():
      raise Undefined(
        f'EP needs the expected loss as a secant, and {type(surrogate).__name__} has none: use '
        + ('PGE or STE' if surrogate.differentiable else 'STE')
      )

  def quantize(self, surrogate, y, u):
    raise Undefined(
      'EP is defined for elementwise losses (the rate) only: use PGE or STE for a '
      'loss that mixes components, as the distortion does'
    )

  def evaluate(self, f, surrogate, y, u):
    constant = tf.stop_gradient(y)
    value = f(surrogate(constant, u))
    secant = surrogate.secant(constant)
    slope = secant.slope * (f(secant.upper) - f(secant.lower))
    return with_slope(value, y, tf.stop_gradient(slope))
