"""Backward calculations: the gradient of a loss of `y_tilde` with respect to `y` (Sec. 4.1.2).

For a loss `L` of the sample `y_tilde = Q(y, u)` of a surrogate,

    PGE    L'(y_tilde) dQ(y, u)/dy              the gradient of the sample; unbiased
    STE    L'(y_tilde) proxy'(y)                proxy(y) = y, or s(y) with soft rounding; biased
    EP     slope (f(upper) - f(lower))          d/dy E[f(Q(y, u))] itself, for elementwise f

The estimators differ in the gradient with respect to `y` alone. Other parameters of the loss, such
as the mean and scale of a density, receive the gradient at the sample. It is unbiased, because the
sample does not depend on them.

#### References
Equations: On uniform scalar quantization for learned image compression, 2023,
https://arxiv.org/abs/2309.17051.
STE: Bengio, Leonard and Courville, Estimating or propagating gradients through stochastic neurons
for conditional computation, 2013, https://arxiv.org/abs/1308.3432.
"""

import abc
from collections.abc import Callable

import tensorflow as tf

from tfusq.errors import Error
from tfusq.quantization.base import Surrogate
from tfusq.quantization.gradients import with_slope


class Undefined(Error, TypeError):
  """A surrogate with an estimator that is not defined for it; says which one to use instead."""


class Estimator(tf.Module, metaclass=abc.ABCMeta):
  """A backward calculation: the base class of the group `tfusq.estimators`.

  A subclass must define `quantize`. It may define

  * `check`, to refuse surrogates for which it has no meaning,
  * `evaluate`, where it has a better gradient for elementwise functions, and
  * `elementwise = True`, if it is defined for these alone; `quantize` then raises `Undefined`.

  A subclass must keep, for every surrogate that `check` admits:

  * The value is the surrogate's sample, `surrogate(y, u)`, bit for bit.
  * The gradient with respect to `y` has the shape of `y` and is finite.
  * For a linear loss its mean over a unit interval of `y` is 1, since `Q(y + 1, u) = Q(y, u) + 1`.
  * Everything else that the loss depends on receives its gradient at the sample.
  * It works in a graph of unknown shapes.

  `tfusq check NAME` and `tfusq.testing.conformance` test this.

  Attributes:
    elementwise: Whether it is defined for elementwise functions (the rate) only, so that the
      distortion needs another estimator.
  """

  elementwise = False

  def check(self, surrogate: Surrogate) -> None:
    """Refuses a surrogate for which this estimator is not defined; by default none.

    Args:
      surrogate: Forward calculation.

    Raises:
      Undefined: if there is no such gradient; the message names estimators to use instead.
    """

  @abc.abstractmethod
  def quantize(self, surrogate: Surrogate, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Returns `y_tilde` for a loss that may mix its components, as the distortion does.

    Args:
      surrogate: Forward calculation that `check` admits.
      y: Latent, any shape, float.
      u: Noise from `surrogate.noise`, broadcastable to `y`.

    Returns:
      `surrogate(y, u)`, of the shape and dtype of `y`, with this estimator's gradient.

    Raises:
      Undefined: if the estimator is defined for elementwise functions only.
    """

  def evaluate(
    self, f: Callable[[tf.Tensor], tf.Tensor], surrogate: Surrogate, y: tf.Tensor, u: tf.Tensor
  ) -> tf.Tensor:
    """Returns an elementwise function of `y_tilde`, as the rate is.

    Args:
      f: Elementwise function, which keeps the shape of its argument. Parameters that it captures
        receive their gradients at the sample.
      surrogate: Forward calculation that `check` admits.
      y: Latent, any shape, float.
      u: Noise from `surrogate.noise`, broadcastable to `y`.

    Returns:
      `f(surrogate(y, u))`, of the shape of `y`, with this estimator's gradient with respect to `y`.
    """
    return f(self.quantize(surrogate, y, u))


class PGE(Estimator):
  """Pathwise gradient estimator: back-propagation at fixed noise, Eq. (18), (28).

  Unbiased. Its variance grows with the temperature: `1 / s'` is part of the gradient of SUA.
  """

  def check(self, surrogate: Surrogate) -> None:
    if surrogate.differentiable:
      return
    remedy = 'STE, or EP for the rate' if surrogate.has_secant() else 'STE'
    raise Undefined(
      f'PGE differentiates the forward calculation, and {type(surrogate).__name__} has no '
      f'useful derivative: use {remedy}'
    )

  def quantize(self, surrogate: Surrogate, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    return surrogate(y, u)


class STE(Estimator):
  """Straight-through estimator: back-propagation through the soft proxy, Eq. (19), (32), (33).

  The hard or noisy part of the surrogate counts as the identity; soft rounding keeps its slope:

      Round, UQs, UQi, SR    L'(y_tilde)
      SUA, SUAn, SRA, SHA    L'(y_tilde) s'(y)

  Without `s'` the variances of the paper's Table II are not reproduced.
  """

  def quantize(self, surrogate: Surrogate, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    proxy = surrogate.proxy(y)
    sample = surrogate(tf.stop_gradient(y), u)
    return with_slope(sample, proxy, tf.ones_like(proxy))


class EP(Estimator):
  """Direct expected gradient: the exact derivative of `E[f(y_tilde)]`, Eq. (20), (21), (29).

  It evaluates `f` at the sample, for the value and for the gradients of the parameters of `f`, and
  at both ends of the surrogate's secant for the gradient with respect to `y`:

      AUN, UQs, UQi    f(y + 1/2) - f(y - 1/2)
      SUA              s'(y) (f(y + 1/2) - f(y - 1/2))
      SUAn             s'(y) (f(s(y) + 1/2) - f(s(y) - 1/2))
      SR               f(floor(y) + 1) - f(floor(y))
      SRA              s'(y) (f(floor(y) + 1) - f(floor(y)))
      SGAHard          P_up'(y) (f(floor(y) + 1) - f(floor(y)))

  Where latents condition others, as in autoregressive models, they must be passed on by another
  estimator: this is the gradient of each component's own function only.

  The difference carries the rounding errors of `f`. In float32, with the bits of a Gaussian of
  scale 256, they are 1 % of the gradient.
  """

  elementwise = True

  def check(self, surrogate: Surrogate) -> None:
    if surrogate.has_secant():
      return
    remedy = 'PGE or STE' if surrogate.differentiable else 'STE'
    raise Undefined(
      f'EP needs the expected loss as a secant, and {type(surrogate).__name__} has none: '
      f'use {remedy}'
    )

  def quantize(self, surrogate: Surrogate, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    raise Undefined(
      'EP is defined for elementwise losses (the rate) only: use PGE or STE for a '
      'loss that mixes components, as the distortion does'
    )

  def evaluate(
    self, f: Callable[[tf.Tensor], tf.Tensor], surrogate: Surrogate, y: tf.Tensor, u: tf.Tensor
  ) -> tf.Tensor:
    constant = tf.stop_gradient(y)
    value = f(surrogate(constant, u))
    secant = surrogate.secant(constant)
    slope = secant.slope * (f(secant.upper) - f(secant.lower))

    # The ends of the secant give no gradient to the parameters of `f`: those have the sample's.
    return with_slope(value, y, tf.stop_gradient(slope))
