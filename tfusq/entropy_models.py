"""Densities of the quantized latent, their bits, and their range coding (Eq. 23, 24, 34)."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_compression as tfc
import tensorflow_probability as tfp

from tfusq.coding import MAX_WINDOW, TAIL_MASS, Coder
from tfusq.gradients import with_slope


class EntropyModel(tf.Module):
  """`P(y_hat | parameters)`: the base class of the group `tfusq.entropy_models`.

  Attributes:
    channels: How many network outputs each latent channel takes; 0 where nothing conditions it.
  """

  channels = 0

  def build(self, latent_channels: int) -> None:
    """Creates what depends on the number of latent channels; called once by the codec model."""

  def parameters(self, raw: tf.Tensor) -> NamedTuple:
    """Returns the parameters of each component.

    Args:
      raw: Network output, `[batch, height, width, channels * latent channels]`, float.

    Returns:
      A NamedTuple of tensors.
    """
    raise NotImplementedError

  def centre(self, parameters: NamedTuple) -> tf.Tensor:
    """Returns what zero-centre quantization subtracts; overriding it admits zero-centre."""
    raise NotImplementedError(f'{type(self).__name__} has no centre')

  def bits(self, y: tf.Tensor, parameters: NamedTuple) -> tf.Tensor:
    """Returns `-log2 P(y)`, elementwise, differentiable in `y` and the parameters."""
    raise NotImplementedError

  def coder(self, zero_centre: bool) -> Coder:
    """Makes the range coder's tables, to be stored in an exported codec.

    Args:
      zero_centre: Whether the symbols are `round(y - centre)`, or `round(y)`.

    Returns:
      The coder.

    Raises:
      NotImplementedError: where there is no bitstream; says what to use instead.
    """
    raise NotImplementedError(f'{type(self).__name__} has no bitstream')

  @classmethod
  def has_centre(cls) -> bool:
    """Whether `centre` is defined, so that zero-centre quantization is."""
    return cls.centre is not EntropyModel.centre


class MeanScale(NamedTuple):
  """Parameters of a location-scale density, both of the latent's shape."""
  mean: tf.Tensor
  scale: tf.Tensor


class Gaussian(EntropyModel):
  """Gaussian with mean and scale, integrated over unit bins, Eq. (23), (24).

  The network gives the mean and the logarithm of the scale. The scale is bounded from below,
  `max(scale, bound)`, with the passing gradient of Eq. (34): below the bound, only what would
  raise the scale passes.
  """

  channels = 2
  LEVELS = 256
  MIN_LEVEL = 0.11  # a zero-mean 16-bit table no longer changes below
  MAX_LEVEL = 256.

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
    if not 1e-6 <= bound <= self.MAX_LEVEL:
      raise ValueError(f'Gaussian.bound must lie in [1e-6, {self.MAX_LEVEL}], not {bound}')
    if not 0 <= floor < 1:
      raise ValueError(f'Gaussian.floor must be a probability below 1, not {floor}')
    self.bound = float(bound)
    self.floor = float(floor)

  def parameters(self, raw):
    mean, log_scale = tf.split(raw, 2, axis=-1)
    scale = tf.exp(tfc.upper_bound(log_scale, math.log(self.MAX_LEVEL)))
    return MeanScale(mean, tfc.lower_bound(scale, self.bound))

  def centre(self, parameters):
    return parameters.mean

  def bits(self, y, parameters):
    return saturate(gaussian_bits(y, *parameters), self.floor)

  def coder(self, zero_centre):
    if not zero_centre:
      raise NotImplementedError(
          'Gaussian has a bitstream for zero-centre quantization only: train with '
          'Codec.zero_centre = True')
    scales = np.geomspace(self.MIN_LEVEL, self.MAX_LEVEL, self.LEVELS)
    normal = tfp.distributions.Normal(np.float64(0), scales)
    radii = np.ceil(normal.quantile(1 - TAIL_MASS / 2).numpy()).astype(int)
    pmfs = [
        np.exp2(-gaussian_bits(
            tf.range(-radius, radius + 1, dtype=tf.float64), tf.constant(0, tf.float64),
            tf.constant(scale, tf.float64)).numpy())
        for radius, scale in zip(radii, scales)]

    def index(parameters):
      position = tf.math.log(parameters.scale / self.MIN_LEVEL) * (
          (self.LEVELS - 1) / math.log(self.MAX_LEVEL / self.MIN_LEVEL))
      return tf.cast(tf.clip_by_value(tf.round(position), 0, self.LEVELS - 1), tf.int32)

    return Coder(pmfs, (-radii).tolist(), index)


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
    if not 0 <= floor < 1:
      raise ValueError(f'Factorized.floor must be a probability below 1, not {floor}')
    self.floor = float(floor)

  def build(self, latent_channels):
    self.density = tfc.DeepFactorized(batch_shape=[latent_channels])

  def parameters(self, raw):
    return Unconditional(raw)

  def bits(self, y, parameters):
    log_prob = tfc.UniformNoiseAdapter(self.density).log_prob(y)
    return saturate(-log_prob / math.log(2), self.floor)

  def coder(self, zero_centre):
    # The density is monotone networks all through: bisection finds its tails to an integer.
    lowest = _first_integer(lambda y: self.density.log_cdf(y) > math.log(TAIL_MASS / 2),
                            self.density.batch_shape)
    beyond = _first_integer(
        lambda y: self.density.log_survival_function(y) < math.log(TAIL_MASS / 2),
        self.density.batch_shape)
    minima = lowest.astype(int)
    sizes = np.minimum(beyond.astype(int) - minima + 1, MAX_WINDOW)
    grid = minima + np.arange(sizes.max())[:, None]
    pmf = tfc.UniformNoiseAdapter(self.density).prob(tf.constant(grid, tf.float32)).numpy()
    channels = len(sizes)

    def index(parameters):
      return tf.broadcast_to(tf.range(channels), tf.concat(
          [tf.shape(parameters.empty)[:-1], [channels]], 0))

    pmfs = [pmf[:size, channel].astype(np.float64) for channel, size in enumerate(sizes)]
    return Coder([p / max(p.sum(), 1) for p in pmfs], minima.tolist(), index)


def _first_integer(holds, shape) -> np.ndarray:
  """Returns the least integer in +-2^20 from which on the monotone predicate `holds`."""
  low, high = np.full(shape, -2.**20), np.full(shape, 2.**20)
  while (high - low).max() > 1:
    middle = np.floor((low + high) / 2)
    above = holds(tf.constant(middle, tf.float32)).numpy()
    low, high = np.where(above, low, middle), np.where(above, middle, high)
  return high


def saturate(bits: tf.Tensor, floor: float) -> tf.Tensor:
  """Lets bits grow only logarithmically where the probability is below `floor`.

  With `b0 = -log2(floor)`, bits above `b0` become `b0 (1 + ln(bits / b0))`: continuous with its
  slope, increasing, and with a gradient of order `b0 / |y - mu|`. At a tiny scale the exact value
  is up to 1e11 bits with gradients to match, and a hard floor has none: neither trains.

  Args:
    bits: `-log2 P`, any shape.
    floor: Probability; 0 leaves the bits as they are.

  Returns:
    Bits of the same shape.
  """
  if not floor:
    return bits
  start = -math.log2(floor)
  beyond = start * (1 + tf.math.log(tf.maximum(bits, start) / start))
  return tf.where(bits > start, beyond, bits)


def gaussian_bits(y: tf.Tensor, mean: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
  """`-log2 (Phi((y + 1/2 - mean) / scale) - Phi((y - 1/2 - mean) / scale))`, Eq. (23), (24).

  By symmetry a function of `d = |y - mean|`. Outside the central bin both ends lie in one tail
  and are taken by the scaled complementary error function, inside they lie on either side of the
  mean and the two parts add: nothing underflows, at any distance or scale, what cancels at large
  scales is below 1e-4 bits in float32, and the gradients are in closed form.

  Args:
    y: Quantized latent or its surrogate, any shape, float32 or float64.
    mean: Broadcastable to `y`.
    scale: Positive, broadcastable to `y`.

  Returns:
    Bits, of the shape of `y`, differentiable in all three.
  """
  mean, scale = tf.broadcast_to(mean, tf.shape(y)), tf.broadcast_to(scale, tf.shape(y))
  mean.set_shape(y.shape)
  scale.set_shape(y.shape)
  bits, by_y, by_scale = _gaussian_bits_and_slopes(
      tf.stop_gradient(y - mean), tf.stop_gradient(scale))
  return with_slope(with_slope(bits, y - mean, by_y), scale, by_scale)


def _gaussian_bits_and_slopes(residual, scale):
  """Returns bits and their derivatives with respect to the residual and the scale."""
  d = tf.abs(residual)
  near = (d - .5) / scale   # the bin's ends; the nearer one is negative inside the central bin
  far = (d + .5) / scale
  inside = d < .5
  root = math.sqrt(.5)
  decay = tf.exp(-d / tf.square(scale))  # phi(far) / phi(near)

  # Central bin: mass on both sides of the mean. Each branch is kept finite where it is not used.
  near_in, far_in = tf.minimum(near, 0.), tf.where(inside, far, 1.)
  central = .5 * (tf.math.erf(root * far_in) + tf.math.erf(-root * near_in))
  # Tail: Q(x) = erfcx(x / sqrt(2)) exp(-x^2 / 2) / 2, the exponential of `near` taken out.
  near_out = tf.maximum(near, 0.)
  far_out = tf.where(inside, 1 / scale, far)
  tail = .5 * (tfp.math.erfcx(root * near_out) - decay * tfp.math.erfcx(root * far_out))

  mass = tf.where(inside, central, tail)
  log_mass = tf.math.log(mass) - .5 * tf.square(near_out)
  # phi(near) / P, with the same exponential taken out of both.
  hazard = tf.exp(-.5 * tf.square(near_in)) / (math.sqrt(2 * math.pi) * mass)
  fall = -tf.math.expm1(-d / tf.square(scale))  # 1 - decay, exact at large scales
  by_d = hazard * fall / scale
  by_scale = hazard * (decay / scale - near * fall) / scale
  ln2 = math.log(2)
  return -log_mass / ln2, tf.sign(residual) * by_d / ln2, by_scale / ln2
