"""The qualities of an exported codec: tables with the gains of each quality step.

They are stored with the codec, so that encoder and decoder have equal gains on every machine; `exp`
gives others on others.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfusq.export import container_ops
from tfusq.models import Gains, VariableRate
from tfusq.models.variable_rate import STEPS_PER_LEVEL


class Quality(NamedTuple):
  """One quality of a codec.

  Attributes:
    step: Quality step, a scalar integer, as files state it.
    gains: Gains of the image's own latent; None where the rate is fixed.
  """

  step: int | tf.Tensor = 0
  gains: Gains | None = None


class Qualities(tf.Module):
  """All qualities of a codec.

  Attributes:
    steps: Number of quality steps; 1 where the rate is fixed.
    levels: Number of levels, the greatest quality.
    default_step: Step that is taken where none is named.
    encoder_tables: Tables that only compressing needs, `float32[steps, channels]`.
    decoder_tables: Tables that decompressing needs too, `float32[steps, channels]` each.
  """

  def __init__(self, variable_rate: VariableRate | None = None):
    """Makes the tables.

    Args:
      variable_rate: Gains of a codec, created; None where the rate is fixed.
    """
    super().__init__(name='qualities')
    self.steps = 1
    self.levels = 1
    self.default_step = 0
    self.encoder_tables: list[tf.Variable] = []
    self.decoder_tables: list[tf.Variable] = []
    if variable_rate is None:
      return

    self.steps = variable_rate.steps
    self.levels = len(variable_rate.lambdas)
    self.default_step = variable_rate.default_step
    self.encoder_tables = [_table(np.exp(variable_rate.all_of(variable_rate.gain)))]
    self.decoder_tables = [
      _table(np.exp(variable_rate.all_of(variable_rate.inverse_gain))),
      _table(variable_rate.all_of(variable_rate.widening)),
    ]

  def at(self, step: int | tf.Tensor, decodes: bool = False) -> Quality:
    """Returns the quality of a step.

    Args:
      step: Quality step, a scalar integer below `steps`.
      decodes: Whether it is for decoding alone, whose gain of the latent is 1.
    """
    if self.steps == 1:
      return Quality()
    inverse_gain, widening = (_row(table, step) for table in self.decoder_tables)
    # A decoder does not have the table.
    gain = tf.ones_like(inverse_gain) if decodes else _row(self.encoder_tables[0], step)
    return Quality(step, Gains(gain, inverse_gain, widening))

  def step_of(self, quality: tf.Tensor) -> tf.Tensor:
    """Returns the step that is nearest to a quality, a scalar `int32`.

    Args:
      quality: From 1 to `levels`, a scalar float; others are refused when it is computed.
    """
    is_there = (quality >= 1) & (quality <= self.levels)
    message = f'this codec has the qualities from 1 to {self.levels}'
    quality = container_ops.verified(quality, (is_there, message))
    return tf.cast(tf.round((quality - 1) * STEPS_PER_LEVEL), tf.int32)


def _row(table: tf.Variable, step: int | tf.Tensor) -> tf.Tensor:
  """Returns a step's numbers, `[1, 1, 1, channels]`."""
  return tf.gather(table, step)[None, None, None]


def _table(values: np.ndarray) -> tf.Variable:
  return tf.Variable(values.astype(np.float32), trainable=False, name='quality')
