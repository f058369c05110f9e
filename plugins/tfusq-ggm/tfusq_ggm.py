"""Generalized Gaussian entropy model, whose tails are a third parameter."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy import special

import tfusq
from tfusq.coding import MAX_WINDOW, TAIL_MASS, trim
from tfusq.entropy_models import saturate

# Shapes for which there are tables of the range coder; a learned shape takes the nearest.
SHAPES = np.geomspace(0.5, 4.0, 16)
# Argument from which the incomplete gamma function is replaced by its asymptotic series.
_SERIES_START = 500.0


class MeanDeviationShape(NamedTuple):
  """Parameters of a generalized Gaussian, each of the latent's shape.

  Attributes:
    mean: Mean.
    deviation: Standard deviation.
    shape: Exponent `b`.
  """

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
  Zhang, Li and Liu, Generalized Gaussian model for learned image compression, 2024,
  https://arxiv.org/abs/2411.19320.
  """

  channels = 3
  # Tables of each shape, geometrically spaced in the deviation.
  LEVELS = 128
  # A Gaussian's scale below which its zero-mean 16-bit table no longer changes.
  MIN_BOUND = 0.11
  MAX_DEVIATION = 256.0

  def __init__(self, bound: float = 0.11, shape: float | None = None, floor: float = 1e-9):
    """Initializer.

    Args:
      bound: Lower bound of a Gaussian's scale, as `Gaussian.bound`; the bounds of other shapes
        follow from it.
      shape: Shape of every component; by default the network gives each its own.
      floor: Probability below which bits are saturated; 0 for none.

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
    self.bound = float(bound)
    self.floor = float(floor)

    # The bound is a smooth function of the logarithm of the shape: straight lines between 64 points
    # are enough.
    self._range = math.log(self.shapes[0]) - 1e-3, math.log(self.shapes[-1]) + 1e-3
    shapes = np.exp(np.linspace(*self._range, 64))
    self._log_bounds = np.log(deviation_bound(shapes, bound))

  def parameters(self, raw: tf.Tensor) -> MeanDeviationShape:
    if self.channels == 2:
      mean, log_deviation = tf.split(raw, 2, axis=-1)
      log_shape = tf.fill(tf.shape(mean), tf.constant(math.log(self.shapes[0]), raw.dtype))
    else:
      mean, log_deviation, log_shape = tf.split(raw, 3, axis=-1)
      log_shape = self._between_shapes(log_shape)

    bound = self._log_bound(tf.stop_gradient(log_shape))
    log_deviation = tfusq.upper_bound(log_deviation, math.log(self.MAX_DEVIATION))
    log_deviation = tfusq.lower_bound(log_deviation, bound)
    return MeanDeviationShape(mean, tf.exp(log_deviation), tf.exp(log_shape))

  def widen(self, raw: tf.Tensor, log_factor: tf.Tensor) -> tf.Tensor:
    mean, log_deviation, *log_shape = tf.split(tf.cast(raw, tf.float32), self.channels, axis=-1)
    return tf.concat([mean, log_deviation + log_factor, *log_shape], -1)

  def _log_bound(self, log_shape: tf.Tensor) -> tf.Tensor:
    """Returns the logarithm of the deviation's bound, between the two points next to a shape."""
    log_bounds = tf.constant(self._log_bounds, log_shape.dtype)
    low, high = self._range
    last = len(self._log_bounds) - 1
    position = (log_shape - low) / tf.constant(high - low, log_shape.dtype) * last
    position = tf.clip_by_value(position, 0, last)
    left = tf.minimum(tf.floor(position), last - 1)

    weight = position - left
    point = tf.cast(left, tf.int32)
    return weight * tf.gather(log_bounds, point + 1) + (1 - weight) * tf.gather(log_bounds, point)

  def _between_shapes(self, x: tf.Tensor) -> tf.Tensor:
    """Maps any number to the logarithm of a shape between the first and the last of `shapes`."""
    low = math.log(self.shapes[0])
    high = math.log(self.shapes[-1])
    half = (high - low) / 2
    return (low + high) / 2 + half * tf.tanh(x / half)

  def centre(self, parameters: MeanDeviationShape) -> tf.Tensor:
    return parameters.mean

  def bits(self, y: tf.Tensor, parameters: MeanDeviationShape) -> tf.Tensor:
    # In float32 the masses of narrow bins are differences that cancel, and far tails underflow.
    wide = [tf.cast(x, tf.float64) for x in (y, *parameters)]
    bits = saturate(generalized_gaussian_bits(*wide), self.floor)
    return tf.cast(bits, y.dtype)

  def coder(self, zero_centre: bool) -> tfusq.Coder:
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
      for pmf, minimum in _tables(shape, deviations):
        pmfs.append(pmf)
        minima.append(minimum)

    log_shapes = np.log(self.shapes)
    borders = (log_shapes[1:] + log_shapes[:-1]) / 2

    def table(parameters):
      """Returns the table of the nearest shape and, among its tables, the nearest deviation."""
      log_shape = tf.math.log(parameters.shape)
      shape_index = tf.searchsorted(
        tf.constant(borders.tolist(), tf.float32), tf.reshape(log_shape, [-1])
      )
      shape_index = tf.reshape(shape_index, tf.shape(log_shape))

      log_minimum = tf.gather(tf.constant(log_minima, tf.float32), shape_index)
      step = tf.gather(tf.constant(steps, tf.float32), shape_index)
      level = tf.round((tf.math.log(parameters.deviation) - log_minimum) / step)
      level = tf.clip_by_value(level, 0, self.LEVELS - 1)
      return shape_index * self.LEVELS + tf.cast(level, tf.int32)

    return tfusq.Tables(pmfs, minima, table)


def _tables(shape: float, deviations: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
  """Yields for each deviation the probabilities that a table keeps, and the first one's integer."""
  tail = _inverse_log_survival(np.float64(1 / shape), math.log(TAIL_MASS)) ** (1 / shape)
  scales = deviations / float(deviation_of_unit_scale(shape))
  radii = np.ceil(tail * scales).astype(int)
  radii = np.minimum(radii, (MAX_WINDOW - 1) // 2)
  widths = 2 * radii + 1

  # The bits of all tables in one call.
  y = np.concatenate([np.arange(-radius, radius + 1.0) for radius in radii])
  mean = np.zeros_like(y)
  arguments = (y, mean, np.repeat(deviations, widths), np.full_like(y, shape))
  bits = generalized_gaussian_bits(*[tf.constant(x, tf.float64) for x in arguments])

  for pmf, radius in zip(np.split(np.exp2(-bits.numpy()), np.cumsum(widths)[:-1]), radii):
    trimmed, dropped = trim(pmf)
    yield trimmed, int(dropped - radius)


def deviation_of_unit_scale(shape: np.ndarray | tf.Tensor | float) -> tf.Tensor:
  """Returns the standard deviation at `s = 1`, `sqrt(Gamma(3/b) / Gamma(1/b))`."""
  return tf.exp((tf.math.lgamma(3 / shape) - tf.math.lgamma(1 / shape)) / 2)


def deviation_bound(shape: np.ndarray, gaussian: float) -> np.ndarray:
  """Returns the deviations at which the mass outside of +-1/2 is a Gaussian's.

  Args:
    shape: Shapes, float64.
    gaussian: Scale of the Gaussian.

  Returns:
    A deviation for each shape.
  """
  # The mass is Q(1/b, t) at t = (0.5 / s)^b, for the Gaussian with b = 2 and s = scale sqrt(2).
  t = 0.5 * (0.5 / gaussian) ** 2
  log_mass = float(_scaled_log_survival(np.float64(0.5), np.float64(t))) - t
  t = _inverse_log_survival(1 / shape, log_mass)
  return 0.5 / t ** (1 / shape) * deviation_of_unit_scale(shape).numpy()


def generalized_gaussian_bits(
  y: tf.Tensor, mean: tf.Tensor, deviation: tf.Tensor, shape: tf.Tensor
) -> tf.Tensor:
  """Returns `-log2` of the mass in `[y - 1/2, y + 1/2]`, differentiable in all arguments.

  The masses of the half-lines beyond the bin's ends are the regularized upper incomplete gamma
  function `Q(1/b, t)` at `t = (|x| / s)^b`. Outside of the central bin, the exponential of the
  larger one is taken out, so that nothing underflows.

  Args:
    y: Latent, float64, as all arguments.
    mean: Mean.
    deviation: Standard deviation.
    shape: Exponent `b`.

  Returns:
    Bits, of the arguments' shape.
  """
  scale = deviation / deviation_of_unit_scale(shape)
  distance = tf.abs(tf.stop_gradient(y - mean))
  s = tf.stop_gradient(scale)
  near = (distance - 0.5) / s
  far = (distance + 0.5) / s
  inside = near < 0

  # At 0 the gradient of the incomplete gamma function would not be finite; (1e-70)^4 is not yet 0.
  t_near = tf.pow(tf.maximum(tf.abs(near), 1e-70), shape)
  t_far = tf.pow(tf.maximum(tf.abs(far), 1e-70), shape)
  log_near = _scaled_log_survival(1 / shape, t_near)
  log_far = _scaled_log_survival(1 / shape, t_far)

  # The central bin has the mass 1 - (Q_near + Q_far) / 2, another one (Q_near - Q_far) / 2.
  outside = tf.exp(log_near - t_near) + tf.exp(log_far - t_far)
  central = tf.math.log1p(-0.5 * outside)
  drop = tf.where(inside, tf.ones_like(distance), t_far - t_near + log_near - log_far)
  tail = log_near + tf.math.log(-0.5 * tf.math.expm1(-drop))
  taken_out = tf.where(inside, tf.zeros_like(distance), t_near)
  log_mass = tf.where(inside, central, tail)

  # The slopes are the densities at both ends over the mass, with the same exponential taken out.
  log_constant = tf.math.log(shape / (2 * s)) - tf.math.lgamma(1 / shape)
  hazard = tf.stop_gradient(tf.exp(log_constant - (t_near - taken_out) - log_mass))
  decay = tf.exp(tf.stop_gradient(t_near - t_far))
  by_y = tf.sign(y - mean) * hazard * (1 - decay) / math.log(2)
  by_scale = hazard * (far * decay - near) / math.log(2)

  bits = (taken_out - log_mass) / math.log(2)
  bits = tfusq.with_slope(bits, tf.broadcast_to(y - mean, tf.shape(bits)), by_y)
  return tfusq.with_slope(bits, tf.broadcast_to(scale, tf.shape(bits)), by_scale)


def _scaled_log_survival(a, t):
  """Returns `log Q(a, t) + t`, by its asymptotic series where `Q` would underflow."""
  below = tf.minimum(t, _SERIES_START)
  exact = tf.math.log(tf.math.igammac(a, below)) + below

  # Q(a, t) ~ t^(a-1) exp(-t) / Gamma(a) (1 + (a-1)/t + (a-1)(a-2)/t^2 + ...); from t = 500 on,
  # the terms after the fourth are less than 1e-11.
  above = tf.maximum(t, _SERIES_START)
  series = 0.0
  term = 1.0
  for k in range(1, 5):
    term *= (a - k) / above
    series += term
  asymptotic = (a - 1) * tf.math.log(above) - tf.math.lgamma(a) + tf.math.log1p(series)
  return tf.where(t < _SERIES_START, exact, asymptotic)


def _inverse_log_survival(a, log_q: float) -> np.ndarray:
  """Returns the `t` at which `log Q(a, t)` is `log_q`."""
  if log_q > -30:
    return special.gammainccinv(a, math.exp(log_q))

  # Each step multiplies the error by (1 - a) / t.
  t = np.full_like(a, -log_q)
  for _ in range(20):
    t = _scaled_log_survival(a, t).numpy() - log_q
  return t
