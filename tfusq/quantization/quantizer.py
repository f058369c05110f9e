"""A forward and a backward calculation, standing in for rounding in one term of the loss."""

from collections.abc import Callable

import tensorflow as tf

from tfusq.quantization.estimators import Estimator
from tfusq.quantization.surrogates import Surrogate
from tfusq.quantization.temperature import Temperature


class Quantizer(tf.Module):
  """`surrogate` x `estimator`: `Q(y - offset) + offset` with a gradient."""

  def __init__(self, surrogate: Surrogate, estimator: Estimator):
    """Initializer.

    Args:
      surrogate: The forward calculation.
      estimator: The backward calculation.

    Raises:
      Undefined: if the pair has no meaning.
      TypeError: if an argument is not of its kind.
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
    """Returns the noise that a call takes; see `Surrogate.noise`."""
    return self.surrogate.noise(y, seed)

  def __call__(self, y: tf.Tensor, u: tf.Tensor, offset: tf.Tensor | None = None) -> tf.Tensor:
    """Returns `y_tilde = Q(y - offset) + offset`.

    Args:
      y: Latent, any shape, float.
      u: Noise from `noise`.
      offset: Quantization offset, broadcastable to `y`; None is 0. Its gradient is kept: stop it
        for the partial stop-gradient of Sec. 5.3.

    Returns:
      `y_tilde`, of the shape and dtype of `y`.
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
    """Returns `f(y_tilde)` for an elementwise `f`; the arguments are those of a call."""
    if offset is None:
      return self.estimator.evaluate(f, self.surrogate, y, u)
    return self.estimator.evaluate(lambda v: f(v + offset), self.surrogate, y - offset, u)

  def anneal(self, step: tf.Tensor) -> None:
    """Moves every temperature in the surrogate and the estimator to `step`."""
    for module in self.submodules:
      if isinstance(module, Temperature):
        module.anneal(step)

  def temperatures(self) -> dict[str, tf.Tensor]:
    """Returns the present temperatures by name, such as `SUA.alpha`."""
    return {
      f'{type(owner).__name__}.{name}': value(tf.float32)
      for owner in self.submodules
      for name, value in vars(owner).items()
      if isinstance(value, Temperature)
    }
