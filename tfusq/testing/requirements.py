"""What the checks share: latents to try, gradients, and how a violation is raised."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfusq.errors import Error
from tfusq.quantization.surrogates import Surrogate

MAX_Z = 5
SAMPLES = 100_000
HARD_LATENTS = np.array(
  [-2, -1, 0, 1, 7, -1.5, -0.5, 0.5, 2.5, 60.5, 1e4, -1e4, 0.3, -0.7, 1e-6, 0.4999999, 0.9999999]
)


class NonConformance(Error, AssertionError):
  """What an object violates, in one sentence with a number."""


class NotApplicable(Error):
  """Why a check says nothing about an object."""


def require(condition, sentence: str) -> None:
  """Raises `NonConformance` with the sentence unless all of the condition holds."""
  if not np.all(condition):
    raise NonConformance(sentence)


def grid(dtype: tf.DType = tf.float32) -> tf.Tensor:
  """Latents in every phase of three cells, none a half-integer or an integer."""
  return tf.constant(np.linspace(-1.5, 1.5, 60, endpoint=False) + 0.0123, dtype)[None]


def noise_of(surrogate: Surrogate, y: tf.Tensor, seed=(1, 2)) -> tf.Tensor:
  """Returns a surrogate's noise for a latent, of a fixed seed."""
  return surrogate.noise(y, tf.constant(seed))


def gradient_of(f: Callable, *xs: tf.Tensor) -> tuple:
  """Returns `f(*xs)` and its gradients with respect to each of `xs`, zeros where unconnected."""
  with tf.GradientTape() as tape:
    tape.watch(xs)
    value = f(*xs)
  return value, tape.gradient(value, xs, unconnected_gradients='zero')


def across(low: float, high: float, dtype: tf.DType) -> list[tf.Tensor]:
  """Returns `[SAMPLES, 1]` latents that are all `low`, all `high`, and evenly spread between."""
  return [
    tf.constant(y, dtype)[:, None]
    for y in (
      np.full(SAMPLES, low),
      np.full(SAMPLES, high),
      low + (high - low) * (np.arange(SAMPLES) + 0.5) / SAMPLES,
    )
  ]


def require_integral(
  change: tf.Tensor, slope: tf.Tensor, low: float, high: float, mean_of: str
) -> None:
  """Requires that a sampled gradient, over [low, high], integrates to the sampled change."""
  change, integral = change.numpy(), (high - low) * slope.numpy()
  error = np.hypot(change.std(), integral.std()) / np.sqrt(SAMPLES) + 1e-4
  z = (change.mean() - integral.mean()) / error
  require(
    abs(z) < MAX_Z,
    f'{mean_of} over [{low}, {high}] changes by {change.mean():.5f}, and the '
    f'gradient integrates to {integral.mean():.5f}: z = {z:.1f}',
  )


def require_same_when_traced(f: Callable, *xs: tf.Tensor) -> None:
  """Requires of `f(*xs)`, a list of tensors, that a graph of unknown shapes gives it as well."""
  traced = tf.function(
    f, input_signature=[tf.TensorSpec([None] * x.shape.rank, x.dtype) for x in xs], autograph=False
  )
  try:
    results = traced(*xs)
  except Exception as error:
    raise NonConformance(
      f'a graph with {sum(x.shape.rank for x in xs)} unknown dimensions cannot be traced: '
      f'{type(error).__name__}: {error}'
    ) from error
  for ours, expected in zip(results, f(*xs)):
    apart = np.max(np.abs(ours - expected) / (1 + np.abs(expected)), initial=0)
    require(apart < 1e-3, f'a graph of unknown shapes gives values {apart:.3g} (relative) apart')
