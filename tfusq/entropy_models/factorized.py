"""The deep factorized density, for latents that nothing conditions."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_compression as tfc

from tfusq.coding import MAX_WINDOW, TAIL_MASS, Tables
from tfusq.entropy_models.base import EntropyModel, require_floor
from tfusq.entropy_models.bits import saturate


class Unconditional(NamedTuple):
  """No parameters: a tensor with no channels, which still carries the latent's other shape."""

  empty: tf.Tensor


class Factorized(EntropyModel):
  """Deep factorized density, one for each channel, for the hyperprior's latent.

  #### References
  Balle, Minnen, Singh, Hwang and Johnston, Variational image compression with a scale hyperprior,
  2018, Appendix 6.1.
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
    self.density = tfc.DeepFactorized(batch_shape=[latent_channels])

  def parameters(self, raw):
    return Unconditional(raw)

  def bits(self, y, parameters):
    log_prob = tfc.UniformNoiseAdapter(self.density).log_prob(y)
    return saturate(-log_prob / math.log(2), self.floor)

  def coder(self, zero_centre):
    # The density is monotone networks all through: bisection finds its tails to an integer.
    lowest = _first_integer(
      lambda y: self.density.log_cdf(y) > math.log(TAIL_MASS / 2), self.density.batch_shape
    )
    beyond = _first_integer(
      lambda y: self.density.log_survival_function(y) < math.log(TAIL_MASS / 2),
      self.density.batch_shape,
    )
    sizes = np.minimum(beyond - lowest + 1, MAX_WINDOW).astype(int)
    # A window that is cut goes around the median.
    median = _first_integer(
      lambda y: self.density.log_cdf(y) > math.log(0.5), self.density.batch_shape
    )
    minima = np.clip(median - sizes // 2, lowest, beyond + 1 - sizes).astype(int)
    grid = minima + np.arange(sizes.max())[:, None]
    pmf = tfc.UniformNoiseAdapter(self.density).prob(tf.constant(grid, tf.float32)).numpy()
    channels = len(sizes)

    def index(parameters):
      return tf.broadcast_to(
        tf.range(channels), tf.concat([tf.shape(parameters.empty)[:-1], [channels]], 0)
      )

    pmfs = [pmf[:size, channel].astype(np.float64) for channel, size in enumerate(sizes)]
    return Tables([p / max(p.sum(), 1) for p in pmfs], minima.tolist(), index)


def _first_integer(holds, shape) -> np.ndarray:
  """Returns the least integer in +-2^20 at whose bin's upper end a monotone predicate `holds`."""
  low, high = np.full(shape, -(2.0**20)), np.full(shape, 2.0**20)
  while (high - low).max() > 1:
    middle = np.floor((low + high) / 2)
    above = holds(tf.constant(middle + 0.5, tf.float32)).numpy()
    low, high = np.where(above, low, middle), np.where(above, middle, high)
  return high
