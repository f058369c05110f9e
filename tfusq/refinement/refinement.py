"""How latents are refined: the surrogates that stand in for rounding, and the optimizer's settings.

Temperatures and learning rate may be schedules over `STEPS` steps. A refinement of another number
of iterations, or of a number of seconds, goes through them in proportion.
"""

import contextlib
import math
import numbers
from collections.abc import Iterator

import tensorflow as tf

from tfusq.quantization.quantizer import Quantizer
from tfusq.quantization.schedules import Constant, Schedule
from tfusq.training.loss import check_quantizers

# Length of the schedules.
STEPS = 1000


class Refinement(tf.Module):
  """Quantizers of the rate and of the distortion that latents are optimized through.

  The default of an exported codec is SGA with its pathwise gradient, as published; any other pair
  that is defined for the two terms can be bound.

  Attributes:
    rate: Stands in for rounding in the rate.
    distortion: Stands in for rounding in the distortion.
    learning_rate: Learning rate of Adam at each of `STEPS` steps.

  #### References
  Yang, Bamler and Mandt, Improving inference for neural image compression, 2020,
  https://arxiv.org/abs/2006.04240.
  """

  def __init__(
    self, rate: Quantizer, distortion: Quantizer, learning_rate: float | Schedule = 0.02
  ):
    """Initializer.

    Args:
      rate: Stands in for rounding in the rate, for all latents.
      distortion: Stands in for rounding in the distortion, for all latents.
      learning_rate: Learning rate of Adam, in steps of the quantizer: a positive number or a
        schedule over `STEPS` steps.

    Raises:
      Undefined: if the distortion's estimator is defined for elementwise losses only.
      TypeError: if an argument is no quantizer.
      ValueError: if the learning rate is not positive.
    """
    super().__init__()
    check_quantizers({'rate': rate, 'distortion': distortion}, 'Refinement')
    if not isinstance(learning_rate, Schedule):
      is_number = isinstance(learning_rate, numbers.Real) and not isinstance(learning_rate, bool)
      if not (is_number and 0 < learning_rate < math.inf):
        raise ValueError(
          f'Refinement.learning_rate must be a positive number or a schedule, not {learning_rate!r}'
        )
      learning_rate = Constant(learning_rate)
    self.rate = rate
    self.distortion = distortion
    self.learning_rate = learning_rate

  @contextlib.contextmanager
  def held_at(self, step: tf.Tensor) -> Iterator[None]:
    """Has all temperatures their values at a step.

    Args:
      step: Step of the schedules, from 0 to `STEPS`, a scalar integer tensor.
    """
    with self.rate.held_at(step), self.distortion.held_at(step):
      yield

  def describe(self) -> str:
    """Returns the pair in words, such as `SGA+PGE | SGA+PGE`."""
    pair = []
    for quantizer in (self.rate, self.distortion):
      pair.append(f'{type(quantizer.surrogate).__name__}+{type(quantizer.estimator).__name__}')
    return ' | '.join(pair)
