"""Generalized Gaussian entropy model, whose tails are a third parameter."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_compression as tfc
import tensorflow_probability as tfp

import tfusq
from tfusq.coding import MAX_WINDOW, TAIL_MASS, trim
from tfusq.entropy_models import saturate

SHAPES = np.geomspace(0.5, 4.0, 16)


class MeanDeviationShape(NamedTuple):
  """Parameters of a generalized Gaussian, each of the latent's shape."""

  mean: tf.Tensor
  deviation: tf.Tensor
  shape: tf.Tensor


class GeneralizedGaussian(tfusq.EntropyModel):
  """Density `b / (2 s Gamma(1/b)) exp(-(|y - mean| / s)^b)`, integrated over unit bins.

  Shape `b = 2` is the Gaussian, `b = 1` the Laplacian, less has heavier tails. The network gives
  the mean, the logarithm of the standard deviation and that of the shape, kept in [0.5, 4] by a
  hyperbolic tangent. The deviation's lower bound depends on the shape: there the mass outside of
  the central bin is that of a Gaussian at its bound.

  Bits take about 15 times as long as a Gaussian's, 7 times with a fixed shape, for the incomplete
  gamma function in float64 and its derivative. Table indexes are made with `tanh`, `exp` and `log`,
  which may differ in the last bit between machines: a file is then refused there, not misread.

  #### References
  Zhang, Li and Liu, Generalized Gaussian model for learned image compression, 2024
  (arXiv 2411.19320).
  """

  channels = 3
  LEVELS = 128
  MIN_BOUND = 0.11  # of the Gaussian, below which a zero-mean 16-bit table no longer changes
  MAX_DEVIATION = 256.0

  def __init__(self, bound: float = 0.11, shape: float | None = None, floor: float = 1e-9):
    """Initializer.

    Args:
      bound: Lower bound of a Gaussian's scale, as `Gaussian.bound`; other shapes have theirs from
        it.
      shape: The shape of every component; None: each has its own, from the network.
      floor: Probability below which bits are saturated; 0 never.

    Raises:
      ValueError: if an argument is out of range.
    """
    super().__init__()
    if not 1e-6 <= bound <= 1:
      raise ValueError(f'GeneralizedGaussian.bound must lie in [1e-6, 1], not {bound}')
    if not 0 <= floor < 1:
      raise ValueError(f'GeneralizedGaussian.floor must be a probability below 1, not {floor}')
    if shape is not None:
      if not SHAPES[0] <= shape <= SHAPES[-1]:
        raise ValueError(
          f'GeneralizedGaussian.shape must lie in [{SHAPES[0]}, {SHAPES[-1]}], not {shape}'
        )
      self.channels = 2
    self.shapes = SHAPES if shape is None else np.array([shape])
    self.bound, self.floor = float(bound), float(floor)
    # A smooth function of the logarithm of the shape: straight lines between 64 points will do.
    self._range = math.log(self.shapes[0]) - 1e-3, math.log(self.shapes[-1]) + 1e-3
    self._log_bounds = np.log(deviation_bound(np.exp(np.linspace(*self._range, 64)), bound))

  def parameters(self, raw):
    if self.channels == 2:
      mean, log_deviation = tf.split(raw, 2, axis=-1)
      log_shape = tf.fill(tf.shape(mean), tf.constant(math.log(self.shapes[0]), raw.dtype))
    else:
      mean, log_deviation, log_shape = tf.split(raw, 3, axis=-1)
      low, high = (math.log(shape) for shape in (self.shapes[0], self.shapes[-1]))
      middle, half = (low + high) / 2, (high - low) / 2
      log_shape = middle + half * tf.tanh(log_shape / half)
    bound = tfp.math.interp_regular_1d_grid(
      tf.stop_gradient(log_shape), *self._range, tf.constant(self._log_bounds, raw.dtype)
    )
    log_deviation = tfc.upper_bound(log_deviation, math.log(self.MAX_DEVIATION))
    return MeanDeviationShape(
      mean, tf.exp(tfc.lower_bound(log_deviation, bound)), tf.exp(log_shape)
    )

  def centre(self, parameters):
    return parameters.mean

  def bits(self, y, parameters):
    # The masses of narrow bins are differences that cancel, and far tails underflow, in float32.
    wide = [tf.cast(x, tf.float64) for x in (y, *parameters)]
    return tf.cast(saturate(generalized_gaussian_bits(*wide), self.floor), y.dtype)

  def coder(self, zero_centre):
    if not zero_centre:
      raise NotImplementedError(
        'GeneralizedGaussian has a bitstream for zero-centre quantization only: train with '
        'Codec.zero_centre = True'
      )
    log_minima = np.log(deviation_bound(self.shapes, self.MIN_BOUND))
    steps = (math.log(self.MAX_DEVIATION) - log_minima) / (self.LEVELS - 1)
    pmfs, minima = [], []
    for shape, log_minimum, step in zip(self.shapes, log_minima, steps):
      deviations = np.exp(log_minimum + step * np.arange(self.LEVELS))
      tail = _inverse_log_survival(1 / shape, math.log(TAIL_MASS)) ** (1 / shape)
      radii = np.ceil(tail * deviations / deviation_of_unit_scale(shape)).astype(int)
      radii = np.minimum(radii, (MAX_WINDOW - 1) // 2)
      widths = 2 * radii + 1
      y = np.concatenate([np.arange(-radius, radius + 1.0) for radius in radii])
      bits = generalized_gaussian_bits(
        *(
          tf.constant(x, tf.float64)
          for x in (y, 0 * y, np.repeat(deviations, widths), 0 * y + shape)
        )
      )
      for pmf, radius in zip(np.split(np.exp2(-bits.numpy()), np.cumsum(widths)[:-1]), radii):
        pmf, dropped = trim(pmf)
        pmfs.append(pmf)
        minima.append(int(dropped - radius))

    log_shapes = np.log(self.shapes)
    borders = ((log_shapes[1:] + log_shapes[:-1]) / 2).tolist()

    def table(parameters):
      kind = tf.searchsorted(
        tf.constant(borders, tf.float32), tf.reshape(tf.math.log(parameters.shape), [-1])
      )
      kind = tf.reshape(kind, tf.shape(parameters.shape))
      above = tf.math.log(parameters.deviation) - tf.gather(
        tf.constant(log_minima, tf.float32), kind
      )
      level = tf.round(above / tf.gather(tf.constant(steps, tf.float32), kind))
      level = tf.clip_by_value(level, 0, self.LEVELS - 1)
      return kind * self.LEVELS + tf.cast(level, tf.int32)

    return tfusq.Tables(pmfs, minima, table)


def deviation_of_unit_scale(shape) -> tf.Tensor:
  """The standard deviation at `s = 1`, `sqrt(Gamma(3/b) / Gamma(1/b))`."""
  return tf.exp((tf.math.lgamma(3 / shape) - tf.math.lgamma(1 / shape)) / 2)


def deviation_bound(shape: np.ndarray, gaussian: float) -> np.ndarray:
  """The deviation with the mass outside of +-1/2 that a Gaussian of scale `gaussian` has."""
  t = 0.5 * (0.5 / gaussian) ** 2
  log_mass = float(_scaled_log_survival(np.float64(0.5), np.float64(t))) - t
  t = _inverse_log_survival(1 / shape, log_mass)
  return 0.5 / t ** (1 / shape) * deviation_of_unit_scale(shape).numpy()


def generalized_gaussian_bits(y, mean, deviation, shape) -> tf.Tensor:
  """`-log2` of the mass in `[y - 1/2, y + 1/2]`, differentiable in all; float64.

  The masses of the half-lines beyond the bin's ends are the regularized upper incomplete gamma
  function `Q(1/b, t)` at `t = (|x| / s)^b`; outside of the central bin the larger one's
  exponential is taken out.
  """
  scale = deviation / deviation_of_unit_scale(shape)
  d, s = tf.abs(tf.stop_gradient(y - mean)), tf.stop_gradient(scale)
  near, far = (d - 0.5) / s, (d + 0.5) / s
  inside = near < 0
  # At 0 the gradient of the incomplete gamma function would not be finite; 1e-70^4 still is no 0.
  t_near, t_far = (tf.pow(tf.maximum(tf.abs(x), 1e-70), shape) for x in (near, far))
  log_near, log_far = (_scaled_log_survival(1 / shape, t) for t in (t_near, t_far))

  central = tf.math.log1p(-0.5 * (tf.exp(log_near - t_near) + tf.exp(log_far - t_far)))
  drop = tf.where(inside, tf.ones_like(d), t_far - t_near + log_near - log_far)
  tail = log_near + tf.math.log(-0.5 * tf.math.expm1(-drop))
  taken_out = tf.where(inside, tf.zeros_like(d), t_near)
  log_mass = tf.where(inside, central, tail)

  # Densities at both ends over the mass, with the same exponential taken out.
  log_constant = tf.math.log(shape / (2 * s)) - tf.math.lgamma(1 / shape)
  hazard = tf.stop_gradient(tf.exp(log_constant - (t_near - taken_out) - log_mass))
  decay = tf.exp(tf.stop_gradient(t_near - t_far))
  ln2 = math.log(2)
  bits = tfusq.with_slope(
    (taken_out - log_mass) / ln2,
    tf.broadcast_to(y - mean, tf.shape(log_mass)),
    tf.sign(y - mean) * hazard * (1 - decay) / ln2,
  )
  return tfusq.with_slope(
    bits, tf.broadcast_to(scale, tf.shape(bits)), hazard * (far * decay - near) / ln2
  )


def _scaled_log_survival(a, t):
  """`log Q(a, t) + t`, by its asymptotic series where `Q` would underflow."""
  start = 500.0
  middle = tf.minimum(t, start)
  series, term = 0.0, 1.0
  beyond = tf.maximum(t, start)
  for k in range(1, 5):
    term *= (a - k) / beyond
    series += term
  return tf.where(
    t < start,
    tf.math.log(tf.math.igammac(a, middle)) + middle,
    (a - 1) * tf.math.log(beyond) - tf.math.lgamma(a) + tf.math.log1p(series),
  )


def _inverse_log_survival(a, log_q: float) -> np.ndarray:
  """The `t` at which `log Q(a, t)` is `log_q`."""
  if log_q > -30:
    return tfp.math.igammacinv(a, np.float64(math.exp(log_q))).numpy()
  t = np.full_like(a, -log_q)  # where a step errs by (1 - a) / t of the error before
  for _ in range(20):
    t = _scaled_log_survival(a, t).numpy() - log_q
  return t
