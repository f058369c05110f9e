"""What the checks share: latents to try, gradients, and how a violation is reported."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfusq.errors import Error
from tfusq.quantization.base import Surrogate

# A correct object exceeds 5 standard errors once in two million comparisons; seeds are fixed
# besides, so that a check gives the same result each time.
MAX_Z = 5
SAMPLES = 100_000

# Integers, half-integers (ties, and the cells' borders of soft rounding), values just beside them,
# and values where float32 has few digits left for the fraction.
HARD_LATENTS = np.array(
  [-2, -1, 0, 1, 7, -1.5, -0.5, 0.5, 2.5, 60.5, 1e4, -1e4, 0.3, -0.7, 1e-6, 0.4999999, 0.9999999]
)


class NonConformance(Error, AssertionError):
  """A property that an object violates, in one sentence with a number."""


class NotApplicable(Error):
  """The reason why a check says nothing about an object."""


def require(condition: bool | np.ndarray | tf.Tensor, sentence: str) -> None:
  """Requires a condition.

  Args:
    condition: Boolean or array of booleans, all of which must be true.
    sentence: Message of the error, one sentence with a number.

  Raises:
    NonConformance: if the condition does not hold.
  """
  if not np.all(condition):
    raise NonConformance(sentence)


def grid(dtype: tf.DType = tf.float32) -> tf.Tensor:
  """Returns latents at every phase of three cells, none at a half-integer or an integer.

  Args:
    dtype: Floating-point type.

  Returns:
    `[1, 60]` latents of `dtype`.
  """
  return tf.constant(np.linspace(-1.5, 1.5, 60, endpoint=False) + 0.0123, dtype)[None]


def noise_of(surrogate: Surrogate, y: tf.Tensor, seed: Sequence[int] = (1, 2)) -> tf.Tensor:
  """Returns a surrogate's noise for a latent.

  Args:
    surrogate: Forward calculation.
    y: Latent, `[batch, ...]`.
    seed: Two integers.

  Returns:
    The noise, of the rank of `y`.
  """
  return surrogate.noise(y, tf.constant(seed))


def gradient_of(
  f: Callable[..., tf.Tensor], *inputs: tf.Tensor
) -> tuple[tf.Tensor, list[tf.Tensor]]:
  """Returns the value of a function and its gradients.

  Args:
    f: Function of the inputs; where its value is not a scalar, the gradients are those of the sum.
    *inputs: Tensors to differentiate with respect to.

  Returns:
    `f(*inputs)`, and a gradient for each input: zeros where the value does not depend on it.
  """
  with tf.GradientTape() as tape:
    tape.watch(inputs)
    value = f(*inputs)
  return value, tape.gradient(value, inputs, unconnected_gradients='zero')


def require_gradients(loss: Callable[[], tf.Tensor], variables: Sequence[tf.Variable]) -> None:
  """Requires that the gradient of a loss reaches every variable, at once or after a first step.

  A network whose last layer is zero at first has a gradient in that layer alone until it has moved.

  Args:
    loss: Function that returns the loss, a scalar.
    variables: Variables; their values are those of before afterwards.

  Raises:
    NonConformance: if it does not reach all of them.
  """
  gradients = _gradients(loss, variables)
  missing = _unreached(variables, gradients)
  if missing:
    before = [tf.identity(variable) for variable in variables]
    for variable, gradient in zip(variables, gradients, strict=True):
      if gradient is not None:
        variable.assign_sub(1e-3 * tf.sign(gradient))
    again = _unreached(variables, _gradients(loss, variables))
    missing = [name for name in missing if name in again]
    for variable, value in zip(variables, before, strict=True):
      variable.assign(value)

  require(
    not missing,
    f'{len(missing)} of {len(variables)} variables get no gradient: {missing[:3]}',
  )


def _gradients(
  loss: Callable[[], tf.Tensor], variables: Sequence[tf.Variable]
) -> list[tf.Tensor | None]:
  with tf.GradientTape() as tape:
    value = loss()
  return tape.gradient(value, variables)


def _unreached(
  variables: Sequence[tf.Variable], gradients: Sequence[tf.Tensor | None]
) -> list[str]:
  """Returns the names of the variables whose gradient is absent or zero."""
  pairs = zip(variables, gradients, strict=True)
  return [variable.name for variable, gradient in pairs if gradient is None or not np.any(gradient)]


def require_repeatable_start(start: Callable[[], None], variables: Sequence[tf.Variable]) -> None:
  """Requires that a start from data is finite, and the same when it is repeated.

  Args:
    start: Function that starts from data.
    variables: Variables that it may set.

  Raises:
    NonConformance: if a value is not finite, or depends on what was there before.
  """
  start()
  first = [variable.numpy() for variable in variables]
  start()
  for variable, value in zip(variables, first, strict=True):
    require(np.isfinite(value), f'{variable.name} is not finite after the start from data')
    difference = np.max(np.abs(variable.numpy() - value), initial=0)
    require(
      difference == 0,
      f'{variable.name} is {difference:.3g} apart where the start from data is repeated',
    )


def across(low: float, high: float, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """Returns latents with which a gradient is integrated over an interval.

  Args:
    low: Lower end of the interval.
    high: Upper end.
    dtype: Floating-point type.

  Returns:
    Three `[SAMPLES, 1]` tensors: all `low`, all `high`, and evenly spread between.
  """
  phases = (np.arange(SAMPLES) + 0.5) / SAMPLES
  start = tf.constant(np.full(SAMPLES, low), dtype)
  end = tf.constant(np.full(SAMPLES, high), dtype)
  between = tf.constant(low + (high - low) * phases, dtype)
  return start[:, None], end[:, None], between[:, None]


def require_integral(
  change: tf.Tensor, slope: tf.Tensor, low: float, high: float, description: str
) -> None:
  """Requires that a sampled gradient integrates to the sampled change of a function.

  Args:
    change: Samples of the function at `high` minus samples at `low`, `[SAMPLES, 1]`.
    slope: Samples of its gradient at latents spread over the interval, `[SAMPLES, 1]`.
    low: Lower end of the interval.
    high: Upper end.
    description: Name of the function, for the message.

  Raises:
    NonConformance: if the means differ by `MAX_Z` standard errors or more.
  """
  changes = change.numpy()
  integrals = (high - low) * slope.numpy()

  # The second term is for rounding errors where there is no noise at all.
  error = np.hypot(changes.std(), integrals.std()) / np.sqrt(SAMPLES) + 1e-4
  z = (changes.mean() - integrals.mean()) / error
  require(
    abs(z) < MAX_Z,
    f'{description} over [{low}, {high}] changes by {changes.mean():.5f}, and the '
    f'gradient integrates to {integrals.mean():.5f}: z = {z:.1f}',
  )


def require_same_when_traced(
  f: Callable[..., Sequence[tf.Tensor]], *inputs: tf.Tensor, known_channels: bool = False
) -> None:
  """Requires that a graph of unknown shapes gives the results of an eager call.

  Args:
    f: Function of the inputs that returns a sequence of tensors.
    *inputs: Tensors.
    known_channels: Whether the size of the last axis of the inputs is known in the graph.

  Raises:
    NonConformance: if the graph can't be traced or run, or a result differs.
  """
  signature = []
  unknown = 0
  for tensor in inputs:
    shape = [None] * tensor.shape.rank
    if known_channels:
      shape[-1] = tensor.shape[-1]
    unknown += shape.count(None)
    signature.append(tf.TensorSpec(shape, tensor.dtype))

  traced = tf.function(f, input_signature=signature, autograph=False)
  try:
    results = traced(*inputs)
  except Exception as error:  # Whatever the object raises, this is what it violates.
    raise NonConformance(
      f'a graph with {unknown} unknown dimensions cannot be traced: {type(error).__name__}: {error}'
    ) from error

  for result, expected in zip(results, f(*inputs), strict=True):
    errors = np.abs(result - expected) / (1 + np.abs(expected))
    worst = np.max(errors, initial=0)
    require(worst < 1e-3, f'a graph of unknown shapes gives values {worst:.3g} (relative) apart')
