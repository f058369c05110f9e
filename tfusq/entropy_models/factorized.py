"""The deep factorized density, for latents that nothing conditions."""

import math
from typing import NamedTuple

import tensorflow as tf

from tfusq.coding.per_channel import per_channel_tables
from tfusq.entropy_models.base import EntropyModel, require_floor
from tfusq.entropy_models.bits import saturate
from tfusq.entropy_models.deep_factorized import DeepFactorized


class Unconditional(NamedTuple):
  """No parameters, only the latent's shape.

  Attributes:
    empty: `[batch, height, width, 0]`, the network output without channels.
  """

  empty: tf.Tensor


class Factorized(EntropyModel):
  """Deep factorized density, one for each channel, for the hyperprior's latent.

  Each channel's cumulative distribution function is a small network that is monotone by
  construction. Its parameters are variables, which `build` creates.

  #### References
  Balle, Minnen, Singh, Hwang and Johnston, Variational image compression with a scale hyperprior,
  2018, Appendix 6.1. https://arxiv.org/abs/1802.01436
  """

  def __init__(self, floor: float = 1e-9):
    """Initializer.

    Args:
      floor: Probability below which bits are saturated, see `saturate`; 0 never.

    Raises:
      ValueError: if `floor` is no probability below 1.
    """
    super().__init__()
    self.floor = require_floor(self, floor)

  def build(self, latent_channels):
    self.density = DeepFactorized(latent_channels)

  def initialize_from_data(self, mean_absolute):
    self.density.begin_at(mean_absolute)

  def parameters(self, raw):
    return Unconditional(raw)

  def bits(self, y, parameters):
    return saturate(-self.density.log_mass(y) / math.log(2), self.floor)

  def coder(self, zero_centre):
    return per_channel_tables(self.density)
