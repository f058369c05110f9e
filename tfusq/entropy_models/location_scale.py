"""Densities with a location and a scale: Gaussian and Laplacian."""

import abc
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfusq.coding.location_scale import LocationScaleDensity, centred_tables, shifted_tables
from tfusq.entropy_models.base import EntropyModel, require_floor
from tfusq.entropy_models.bits import gaussian_bits, laplacian_bits, saturate
from tfusq.quantization.bounds import lower_bound, upper_bound

# Range of the scales that have range-coding tables, and so of a scale's lower bound.
MIN_BOUND = 1e-6
MAX_SCALE = 256.0


def require_bound(model: tf.Module, bound: float) -> float:
  """Checks an entropy model's argument `bound`.

  Args:
    model: Entropy model whose class the message names.
    bound: Lower bound of a scale.

  Returns:
    The bound.

  Raises:
    ValueError: unless it is in [`MIN_BOUND`, `MAX_SCALE`].
  """
  if not MIN_BOUND <= bound <= MAX_SCALE:
    raise ValueError(
      f'{type(model).__name__}.bound must lie in [{MIN_BOUND}, {MAX_SCALE}], not {bound}'
    )
  return float(bound)


def bounded(log_scale: tf.Tensor, bound: float) -> tf.Tensor:
  """Holds the logarithm of a scale between those of `bound` and `MAX_SCALE`, Eq. (34).

  The bounded scale is `max(scale, bound)`. A gradient `g` with respect to it passes unchanged to
  the scale where `scale >= bound`, and below the bound only if descent would raise the scale,
  `g < 0`; else it becomes 0. So no scale is held at the bound for good.

  Args:
    log_scale: Natural logarithm of the scale, any shape.
    bound: Lower bound of the scale itself.

  Returns:
    The bounded logarithm, of the same shape.
  """
  log_scale = upper_bound(log_scale, math.log(MAX_SCALE))
  return lower_bound(log_scale, math.log(bound))


class MeanScale(NamedTuple):
  """Parameters of a location-scale density.

  Attributes:
    mean: Location, of the latent's shape.
    log_scale: Natural logarithm of the scale, of the latent's shape.
  """

  mean: tf.Tensor
  log_scale: tf.Tensor

  @property
  def scale(self) -> tf.Tensor:
    """The scale itself."""
    return tf.exp(self.log_scale)


class LocationScale(EntropyModel):
  """A symmetric density of mean and scale, integrated over unit bins, Eq. (23), (24).

  The network gives the mean and the logarithm of the scale, which is bounded from below with the
  gradient of Eq. (34), see `bounded`. The centre is the mean.

  A subclass must define `exact_bits`, `quantile` and `NARROW`.

  Attributes:
    NARROW: A scale at and below which the mass beyond `mean + 1/2` is less than half a 16-bit
      count, so that range-coding tables of mean 0 no longer change.
  """

  channels = 2
  NARROW: float

  def __init__(self, bound: float = 0.11, floor: float = 1e-9):
    """Initializer.

    Args:
      bound: Lower bound of the scale: about 0.11 in the joint stage, 1e-6 in the post stage
        (Sec. 5.2).
      floor: Probability below which bits are saturated, see `saturate`; 0 never.

    Raises:
      ValueError: if an argument is out of range.
    """
    super().__init__()
    self.bound = require_bound(self, bound)
    self.floor = require_floor(self, floor)

  @staticmethod
  @abc.abstractmethod
  def exact_bits(y: tf.Tensor, mean: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Returns the bits before saturation.

    Args:
      y: Quantized latent or its surrogate, any shape, float32 or float64.
      mean: Location, of the same shape and dtype.
      scale: Scale, positive, of the same shape and dtype.

    Returns:
      Bits of the same shape and dtype, differentiable in all three.
    """

  @staticmethod
  @abc.abstractmethod
  def quantile(tail: float) -> float:
    """Returns the distance from the mean, in scales, beyond which one side has the mass `tail`."""

  def parameters(self, raw):
    mean, log_scale = tf.split(raw, 2, axis=-1)
    return MeanScale(mean, bounded(log_scale, self.bound))

  def widen(self, raw, log_factor):
    mean, log_scale = tf.split(tf.cast(raw, tf.float32), 2, axis=-1)
    return tf.concat([mean, log_scale + log_factor], -1)

  def initial_raw(self, mean_absolute):
    # Also of a Gaussian: latents have heavy tails, which its deviation would make too much of.
    scale = np.clip(mean_absolute, self.bound, MAX_SCALE)
    return np.concatenate([np.zeros_like(scale), np.log(scale)])

  def centre(self, parameters):
    return parameters.mean

  def bits(self, y, parameters):
    return saturate(self.exact_bits(y, parameters.mean, parameters.scale), self.floor)

  def coder(self, zero_centre):
    density = LocationScaleDensity(
      bits=self.exact_bits,
      quantile=self.quantile,
      narrow_scale=self.NARROW,
      min_scale=MIN_BOUND,
      max_scale=MAX_SCALE,
    )
    return centred_tables(density) if zero_centre else shifted_tables(density)


class Gaussian(LocationScale):
  """Gaussian with mean and standard deviation, Eq. (23), (24)."""

  # The table of mean 0, counts of -1, 0, 1 and the escape, is constant below a scale of 0.1227.
  NARROW = 0.11
  exact_bits = staticmethod(gaussian_bits)

  @staticmethod
  def quantile(tail):
    return -float(tf.math.ndtri(tf.constant(tail, tf.float64)))


class Laplacian(LocationScale):
  """Laplacian with mean and scale `b`, of density `exp(-|y - mean| / b) / (2 b)`."""

  # The table of mean 0 is constant below a scale of 0.05.
  NARROW = 0.045
  exact_bits = staticmethod(laplacian_bits)

  @staticmethod
  def quantile(tail):
    return -math.log(2 * tail)
