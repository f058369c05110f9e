"""The quantizer of one term of the loss: a surrogate for rounding, and a gradient estimator.

With an offset `mu` (zero-centre quantization),

    y_tilde = Q(y - mu, u) + mu.

Let `J = dQ/dy` as the estimator defines it: 1 for PGE with AUN and for STE without soft rounding,
`s'` for STE with soft rounding, `s' r'` for PGE with SUA. Then

    dy_tilde / dy = J,    dy_tilde / dmu = 1 - J.

With the partial stop-gradient (Sec. 5.3) the caller passes `stop_gradient(mu)`, and the offset
receives nothing from the distortion: `dy_tilde / dmu = 0`.

In the rate, `l(y_tilde; mu, sigma)`, the mean `mu` is also a parameter of the density. If the
offset is stopped, `mu` receives the gradient of the density at the sample, `dl/dmu(y_tilde)`. If it
is not stopped, `l` is a function of `Q(y - mu, u)` alone, and `mu` receives minus the gradient of
`y`. For AUN both have the same mean, for rounding with STE they are equal; for SUA they differ.
"""

import contextlib
from collections.abc import Callable, Iterator

import tensorflow as tf

from tfusq.quantization.base import Surrogate
from tfusq.quantization.estimators import Estimator
from tfusq.quantization.temperature import Temperature


class Quantizer(tf.Module):
  """A surrogate with an estimator: `Q(y - offset, u) + offset` and its gradient."""

  def __init__(self, surrogate: Surrogate, estimator: Estimator):
    """Initializer.

    Args:
      surrogate: Forward calculation.
      estimator: Backward calculation.

    Raises:
      Undefined: if the estimator is not defined for the surrogate.
      TypeError: if an argument is not a `Surrogate` or not an `Estimator`.
    """
    super().__init__()
    if not isinstance(surrogate, Surrogate):
      raise TypeError(f'Quantizer.surrogate must be a Surrogate, not {surrogate!r}')
    if not isinstance(estimator, Estimator):
      raise TypeError(f'Quantizer.estimator must be an Estimator, not {estimator!r}')
    estimator.check(surrogate)
    self.surrogate = surrogate
    self.estimator = estimator

  def noise(self, y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns the noise `u` of a call, as `Surrogate.noise` does.

    Args:
      y: Latent, `[batch, ...]`; only its shape and dtype matter.
      seed: `int32[2]`; equal seeds give equal noise.

    Returns:
      Noise of the rank and dtype of `y`, broadcastable to it.
    """
    return self.surrogate.noise(y, seed)

  def __call__(self, y: tf.Tensor, u: tf.Tensor, offset: tf.Tensor | None = None) -> tf.Tensor:
    """Returns `y_tilde = Q(y - offset, u) + offset`, for a loss that may mix its components.

    Args:
      y: Latent, any shape, float.
      u: Noise from `noise`.
      offset: Quantization offset, broadcastable to `y`; None is 0. Its gradient is kept: stop it
        for the partial stop-gradient of Sec. 5.3.

    Returns:
      `y_tilde`, of the shape and dtype of `y`.

    Raises:
      Undefined: if the estimator is defined for elementwise losses only.
    """
    if offset is None:
      return self.estimator.quantize(self.surrogate, y, u)
    return self.estimator.quantize(self.surrogate, y - offset, u) + offset

  def evaluate(
    self,
    f: Callable[[tf.Tensor], tf.Tensor],
    y: tf.Tensor,
    u: tf.Tensor,
    offset: tf.Tensor | None = None,
  ) -> tf.Tensor:
    """Returns an elementwise function of `y_tilde`, such as the bits of each component.

    Args:
      f: Elementwise function of `y_tilde`, which keeps its shape.
      y: Latent, any shape, float.
      u: Noise from `noise`.
      offset: Quantization offset, as in a call.

    Returns:
      `f(y_tilde)`, of the shape of `y`.
    """
    if offset is None:
      return self.estimator.evaluate(f, self.surrogate, y, u)
    return self.estimator.evaluate(lambda v: f(v + offset), self.surrogate, y - offset, u)

  def anneal(self, step: tf.Tensor) -> None:
    """Moves every temperature in the surrogate and the estimator to a training step.

    Args:
      step: Scalar integer tensor.
    """
    for module in self.submodules:
      if isinstance(module, Temperature):
        module.anneal(step)

  @contextlib.contextmanager
  def held_at(self, step: tf.Tensor) -> Iterator[None]:
    """Has every temperature its value at a step, without a change of variables.

    Args:
      step: Scalar integer tensor.
    """
    with contextlib.ExitStack() as stack:
      for module in self.submodules:
        if isinstance(module, Temperature):
          stack.enter_context(module.held_at(step))
      yield

  def temperatures(self) -> dict[str, tf.Tensor]:
    """Returns the present temperatures, scalar float32 tensors, by name, such as `SUA.alpha`."""
    values = {}
    for owner in self.submodules:
      for name, attribute in vars(owner).items():
        if isinstance(attribute, Temperature):
          values[f'{type(owner).__name__}.{name}'] = attribute(tf.float32)
    return values
