"""Files that keep a limit of length or PSNR: the search for the quality, in TensorFlow.

Plain files are searched by bisection, since each quality's is longer and better than the one below.
A refined file is shorter or better than the plain one of its quality by about as much as that of a
neighbouring quality. So a refinement tells which quality to refine next: that whose plain file
keeps the limit when this is moved by as much. A few refinements are made, and the best file that
keeps the limit is taken, refined or plain.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tfusq.export import container_ops
from tfusq.export.refining import Coded, either, psnr
from tfusq.refinement import Budget

# Refinements of one picture, at a quality each.
TRIES = 3


class Found(NamedTuple):
  """Result of a search among plain files.

  Attributes:
    step: Quality step of the file; -1 or the number of steps, where none keeps the limit.
    data: The file, a scalar string.
    last: Length or PSNR of the file that was tried last.
  """

  step: tf.Tensor
  data: tf.Tensor
  last: tf.Tensor


# Returns a plain file at a step, and what synthesis reconstructs it from.
Encode = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def best_within(encode: Encode, limit: tf.Tensor, steps: int) -> Found:
  """Finds the plain file of the best quality that has at most so many bytes.

  Args:
    encode: Function from a step to a file.
    limit: Greatest length, a scalar `int64`.
    steps: Number of quality steps.
  """

  def try_middle(low, high, best, _):
    middle = (low + high + 1) // 2
    data, _ = encode(middle)
    size = tf.cast(tf.strings.length(data), tf.int64)
    fits = size <= limit
    return (
      tf.where(fits, middle, low),
      tf.where(fits, high, middle - 1),
      tf.where(fits, data, best),
      size,
    )

  # The best that is known to fit, the best that may, the former's file, and the last size.
  start = (-1, steps - 1, '', tf.constant(0, tf.int64))
  low, _, best, size = _while_apart(try_middle, start)
  return Found(low, best, size)


def least_reaching(
  encode: Encode,
  reconstruct: Callable[[tf.Tensor], tf.Tensor],
  image: tf.Tensor,
  limit: tf.Tensor,
  steps: int,
) -> Found:
  """Finds the plain file of the lowest quality with at least a PSNR.

  Args:
    encode: Function from a step to a file.
    reconstruct: Function from a quantized latent to a picture.
    image: The picture, `uint8[height, width, 3]`.
    limit: Least PSNR in dB, a scalar `float32`.
    steps: Number of quality steps.
  """

  def try_middle(low, high, best, _):
    middle = (low + high) // 2
    data, y_hat = encode(middle)
    reached = psnr(image, reconstruct(y_hat))
    reaches = reached >= limit
    return (
      tf.where(reaches, low, middle + 1),
      tf.where(reaches, middle, high),
      tf.where(reaches, data, best),
      reached,
    )

  # The lowest that may reach it, the lowest that does, the latter's file, and the last PSNR.
  _, high, best, reached = _while_apart(try_middle, (0, steps, '', 0.0))
  return Found(high, best, reached)


def verified_size(data: tf.Tensor, is_found: tf.Tensor, limit: tf.Tensor, size: tf.Tensor) -> Any:
  """Returns a file, or refuses a limit of length.

  Args:
    data: The file.
    is_found: Whether the file keeps the limit.
    limit: The limit.
    size: Length of the lowest quality's file, where none keeps it.
  """
  numbers = [tf.strings.as_string(number) for number in (limit, size)]
  message = tf.strings.join(
    ['no quality fits into ', numbers[0], ' bytes: the lowest takes ', numbers[1]]
  )
  return container_ops.verified(data, (is_found, message))


def verified_psnr(
  data: tf.Tensor, is_found: tf.Tensor, limit: tf.Tensor, reached: tf.Tensor
) -> Any:
  """Returns a file, or refuses a limit of PSNR.

  Args:
    data: The file.
    is_found: Whether the file keeps the limit.
    limit: The limit.
    reached: PSNR of the highest quality, where none keeps it.
  """
  numbers = [tf.strings.as_string(number, precision=2) for number in (limit, reached)]
  message = tf.strings.join(
    ['no quality reaches ', numbers[0], ' dB: the highest has ', numbers[1]]
  )
  return container_ops.verified(data, (is_found, message))


class Kind(NamedTuple):
  """A kind of limit, as far as the search among refined files depends on it.

  Attributes:
    step: Function from a limit to the step of the plain file that keeps it; the nearest one where
      there is none.
    keeps: Function of a file: whether it keeps the limit.
    is_better: Function of two files that do: whether the first is better.
    moved: Function of a plain and a refined file of one quality: the limit of plain files with
      which refined ones just keep the limit.
  """

  step: Callable[[tf.Tensor], tf.Tensor]
  keeps: Callable[[Coded], tf.Tensor]
  is_better: Callable[[Coded, Coded], tf.Tensor]
  moved: Callable[[Coded, Coded], tf.Tensor]


def of_size(limit: tf.Tensor, step: Callable[[tf.Tensor], tf.Tensor]) -> Kind:
  """Returns the limit of a file's length.

  Args:
    limit: Greatest length, a scalar `int64`.
    step: Function from a length to a step.
  """

  def moved(plain, refined):
    ratio = tf.cast(plain.size, tf.float64) / tf.cast(refined.size, tf.float64)
    return tf.cast(tf.cast(limit, tf.float64) * ratio, tf.int64)

  return Kind(
    step,
    lambda coded: coded.size <= limit,
    lambda one, other: one.psnr > other.psnr,
    moved,
  )


def of_psnr(limit: tf.Tensor, step: Callable[[tf.Tensor], tf.Tensor]) -> Kind:
  """Returns the limit of a decoded picture's PSNR.

  Args:
    limit: Least PSNR in dB, a scalar `float32`.
    step: Function from a PSNR to a step.
  """
  return Kind(
    step,
    lambda coded: coded.psnr >= limit,
    lambda one, other: one.size < other.size,
    lambda plain, refined: limit + plain.psnr - refined.psnr,
  )


def best_refined(
  kind: Kind,
  both: Callable[[tf.Tensor, Budget], tuple[Coded, Coded]],
  limit: tf.Tensor,
  budget: Budget,
) -> tuple[tf.Tensor, Coded, Coded]:
  """Returns the best file that keeps a limit, of a few qualities' plain and refined ones.

  Args:
    kind: Kind of the limit.
    both: Function from a step and a budget to the plain and the refined file.
    limit: The limit.
    budget: Limits of the optimization; the seconds are those of all qualities together.

  Returns:
    Whether there is one; the file; and the file that was tried last.
  """
  each = budget._replace(seconds=budget.seconds / TRIES)

  def attempt(number, step, is_found, best, _):
    plain, refined = both(step, each)
    for coded in (plain, refined):
      is_better = kind.keeps(coded) & (~is_found | kind.is_better(coded, best))
      best = either(is_better, coded, best)
      is_found |= is_better
    following = kind.step(kind.moved(plain, refined))
    number = tf.where(following == step, TRIES, number + 1)
    return number, following, is_found, best, refined

  none = Coded(tf.constant(''), tf.constant(0, tf.float64), tf.constant(0.0))
  _, _, is_found, best, last = tf.while_loop(
    lambda number, *_: number < TRIES,
    attempt,
    (tf.constant(0), kind.step(limit), tf.constant(False), none, none),
    parallel_iterations=1,
  )
  return is_found, best, last


def _while_apart(body: Callable, start: tuple) -> tuple:
  """Repeats `body` until its first two values are equal; one at a time, to save memory."""
  return tf.while_loop(
    lambda low, high, *_: low < high,
    body,
    tuple(tf.convert_to_tensor(value) for value in start),
    parallel_iterations=1,
  )
