"""Adam with a cosine decay, which trains the small networks of all studies."""

from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf

from tfusq import progress


def minimize(
  loss: Callable[[tf.Tensor], tf.Tensor],
  variables: Sequence[tf.Variable],
  steps: int,
  learning_rate: float,
  seed: int,
  clip_norm: float | None = None,
  description: str | None = None,
) -> None:
  """Minimizes a loss of random batches.

  Args:
    loss: Function from a seed, `int32[2]`, to the scalar loss of the batch drawn with it.
    variables: Variables to train.
    steps: Number of steps, in which the learning rate falls to 0 along half a cosine.
    learning_rate: Learning rate of the first step.
    seed: First number of the seed of every step; the second is the number of the step.
    clip_norm: Largest norm of the gradient at each index of a variable's first axis, or None for
      no limit.
    description: Label of the progress reports, or None for no reports.
  """
  optimizer = tf.keras.optimizers.Adam(
    tf.keras.optimizers.schedules.CosineDecay(learning_rate, steps)
  )
  # A function that is traced may create variables in its first call only.
  optimizer.build(variables)

  @tf.function(autograph=False)
  def step(step_seed):
    with tf.GradientTape() as tape:
      value = loss(step_seed)
    gradients = tape.gradient(value, variables)
    if clip_norm is not None:
      gradients = [_clip(gradient, clip_norm) for gradient in gradients]
    optimizer.apply_gradients(zip(gradients, variables, strict=True))

  numbers: Iterable[int] = range(steps)
  if description is not None:
    numbers = progress.track(range(steps), 'step', description)

  for number in numbers:
    step(tf.constant([seed, number]))


def _clip(gradient, norm):
  """Limits the norm over all axes but the first, along which networks lie side by side."""
  return tf.clip_by_norm(gradient, norm, axes=list(range(1, gradient.shape.rank)))
