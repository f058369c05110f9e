"""The base class of surrogates: the contract that every forward calculation keeps."""

import abc
from typing import NamedTuple

import tensorflow as tf

from tfusq.quantization.noise import uniform
from tfusq.quantization.schedules import TYPICAL_TEMPERATURES


class Secant(NamedTuple):
  """Law of `Q(y, u)`: `d/dy E[f(Q(y, u))] = slope (f(upper) - f(lower))` for every function `f`.

  Attributes:
    lower: Lower end, of the shape and dtype of `y`.
    upper: Upper end, of the same shape.
    slope: Factor, of the same shape.
  """

  lower: tf.Tensor
  upper: tf.Tensor
  slope: tf.Tensor


class Surrogate(tf.Module, metaclass=abc.ABCMeta):
  """A forward calculation: the base class of the group `tfusq.surrogates`.

  A subclass must define `__call__`. It may define

  * `noise`, where `u` is not uniform on `[-1/2, 1/2]` for each component,
  * `differentiable = True`, which admits the pathwise gradient estimator (PGE),
  * `secant`, which admits the expected gradient (EP),
  * `proxy`, the soft map that the straight-through estimator (STE) differentiates,
  * `density`, which lets the analyses integrate where they otherwise sample,
  * `discrete = True`, if `y_tilde` is an integer, and
  * `reach`, if `y_tilde` may be further than 1 from `y`.

  A subclass must keep, in float32 and float64, eagerly and in a graph of unknown shapes:

  * Elementwise: a component of `y_tilde` depends on that component of `y` and `u` only.
  * Deterministic: equal `(y, u)` give equal `y_tilde`; everything random is in `noise`.
  * Unit step: `Q(y + k, u) = Q(y, u) + k` for integer `k`.
  * Near: `|Q(y, u) - y| <= reach`.
  * Finite: values and gradients are finite at integers, half-integers, and 10^4.
  * Annealed: a parameter that is a temperature is annotated `float | Schedule` and held, under its
    name, as a `Temperature`, so that training moves it.

  `tfusq check NAME` and `tfusq.testing.conformance` test this.

  Attributes:
    differentiable: Whether the gradient of `__call__` at fixed noise is the gradient of the
      sample.
    discrete: Whether `y_tilde` is an integer.
    reach: Largest distance of `y_tilde` from `y`; that of two integers and of noise of one step is
      at most 1.
    typical_temperatures: Values that checks and analyses use where a temperature is not given: a
      sequence for each temperature of the constructor, or a mapping from their names to sequences.
  """

  differentiable = False
  discrete = False
  reach = 1.0
  typical_temperatures = TYPICAL_TEMPERATURES

  def noise(self, y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns the noise `u` of a call: by default uniform on `[-1/2, 1/2)`, of the shape of `y`.

    Args:
      y: Latent, `[batch, ...]`; only its shape and dtype matter.
      seed: `int32[2]`, as for `tf.random.stateless_uniform`; equal seeds give equal noise.

    Returns:
      Noise of the rank and dtype of `y`, broadcastable to it.
    """
    return uniform(tf.shape(y), seed, -0.5, 0.5, y.dtype)

  @abc.abstractmethod
  def __call__(self, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Returns `y_tilde = Q(y, u)`.

    Args:
      y: Latent, any shape, float.
      u: Noise from `noise`, broadcastable to `y`.

    Returns:
      `y_tilde`, of the shape and dtype of `y`.
    """

  def secant(self, y: tf.Tensor) -> Secant:
    """Returns the law of `y_tilde` as a secant.

    Args:
      y: Latent, any shape, float.

    Returns:
      The secant, three tensors of the shape and dtype of `y`.

    Raises:
      NotImplementedError: if the surrogate has none (`has_secant`).
    """
    raise NotImplementedError(f'{type(self).__name__} has no secant')

  def proxy(self, y: tf.Tensor) -> tf.Tensor:
    """Returns the soft map whose slope is the gradient of STE: by default `y` itself.

    Args:
      y: Latent, any shape, float.

    Returns:
      Differentiable function of `y`, of its shape and dtype.
    """
    return y

  def density(self, y_tilde: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Returns the law of one component of `y_tilde` given `y`.

    Args:
      y_tilde: Values at which the law is evaluated; integers if the surrogate is `discrete`.
      y: Latent; the two broadcast to each other.

    Returns:
      Probability density, or probability if the surrogate is `discrete`.

    Raises:
      NotImplementedError: if the surrogate has none (`has_density`).
    """
    raise NotImplementedError(f'{type(self).__name__} has no density')

  @classmethod
  def has_density(cls) -> bool:
    """Returns whether `density` is defined, and for this class's samples.

    A subclass that overrides the sample but not the density has none.
    """
    mro = cls.__mro__
    definer = next(base for base in mro if 'density' in vars(base))
    overriding = mro[: mro.index(definer)]
    overrides_sample = any('__call__' in vars(base) or 'noise' in vars(base) for base in overriding)
    return definer is not Surrogate and not overrides_sample

  @classmethod
  def has_secant(cls) -> bool:
    """Returns whether `secant` is defined, so that EP is."""
    return cls.secant is not Surrogate.secant
