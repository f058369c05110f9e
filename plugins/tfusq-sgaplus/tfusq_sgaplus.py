"""SGA+: stochastic Gumbel annealing with other logits than `tfusq.SGA`, over two or three integers.

A latent `y` is drawn to the integers `c` beside it: `floor(y)` and `floor(y) + 1`, or, with three
classes, the nearest integer and both of its neighbours. They have the logits

    l_c = n log p(r |y - c|) / tau,

and `y_tilde = sum of c w_c` with `w = softmax((l + g) / tau)`, a relaxed sample. The `g_c` are
independent Gumbel variables. The temperature stands twice, as in SGA. The families `p` and the
published powers `n` and factors `r`, of two and of three classes, are

    class        p(d)                                  n         r
    SGALinear    1 - d                                 1, 1.5    1, 0.98
    SGACosine    cos(pi d / 2)                         2, 2      1, 0.98
    SGASSL       sigmoid(-a logit(d))                  1, 1.4    1, 0.98 / 1.5

With two classes and the fraction `v = y - floor(y)`, `l_up - l_down` is `logit(v) / tau` for
SGALinear, `2 log tan(pi v / 2) / tau` for SGACosine, and `a logit(v) / tau` for SGASSL, so that
`a = 1` is SGALinear.

PGE and STE are defined for all of them. `y_tilde` is no sample of one or two values, so that EP is
not. Its density has a closed form for two classes, but where `tau < 1` it is infinite at both
integers, and the analyses could not integrate it; they sample, as for SGA.

#### References
Perugachi-Diaz, Gansekoele and Bhulai, Robustly overfitting latents for flexible neural image
compression, NeurIPS 2024, https://arxiv.org/abs/2401.17789. The powers, the factors and what is
clipped are those of the authors' program,
https://github.com/yperugachidiaz/flexible_neural_image_compression.
"""

import abc
import itertools
import math

import tensorflow as tf

import tfusq

# Integers relative to `floor(y)` for two classes, to the nearest integer for three.
_OFFSETS = {2: (0, 1), 3: (-1, 0, 1)}
# Logarithms are finite between this distance and 1 minus it. The authors' clips are from 1e-7 on.
_LEAST_DISTANCE = 1e-5
# The same of what Gumbel variables are made of, as in SGA.
_LEAST_SPACING = 1e-7
# Bits of a uniform number from which a second one is made: all that a float32 one has.
_BITS = {tf.float32: 23, tf.float64: 31}
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


class SGAPlus(tfusq.Surrogate):
  """Base class: a subclass defines the family `p` by `log_p`, and its published settings.

  The noise is uniform, since a component has one number for up to three Gumbel variables, which
  are made of it here. The original temperature is `Exponential(1.0, delay=0)`, that is
  `min(1, exp(-1e-3 step))`.

  Attributes:
    powers: Powers `n` by the number of classes.
    factors: Factors `r` by the number of classes.
  """

  differentiable = True
  typical_temperatures = (0.15, 1.0)
  powers = {2: 1.0, 3: 1.5}
  factors = {2: 1.0, 3: 0.98}

  def __init__(
    self, tau: float | tfusq.Schedule, classes: int = 2, power: float | None = None
  ) -> None:
    """Initializer.

    Args:
      tau: Temperature, a positive number or a schedule. As it falls to 0, this becomes rounding.
      classes: Number of integers, 2 or 3.
      power: Power `n` of the probabilities, positive; by default the published one.

    Raises:
      ValueError: if an argument is out of range.
    """
    super().__init__()
    name = type(self).__name__
    if classes not in _OFFSETS:
      raise ValueError(f'{name}.classes must be 2 or 3, not {classes}')
    if power is None:
      power = self.powers[classes]
    if not 0 < power < math.inf:
      raise ValueError(f'{name}.power must be a positive number, not {power}')
    self.tau = tfusq.Temperature(tau)
    self.classes = classes
    self.power = power
    # A neighbour of the nearest integer is up to 3/2 away.
    self.reach = 1.0 if classes == 2 else 1.5

  @abc.abstractmethod
  def log_p(self, d: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `log p(d)` and its derivative.

    Args:
      d: Distances, greater than 0 and less than 1.

    Returns:
      Two tensors of the shape and dtype of `d`.
    """

  def __call__(self, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    tau = self.tau(y.dtype)
    constant = tf.stop_gradient(y)
    # Ties go up, not to even, so that the three classes move with `y`.
    centre = tf.floor(constant if self.classes == 2 else constant + 0.5)
    offsets = _OFFSETS[self.classes]

    scores, slopes = [], []
    for offset, spacing in zip(offsets, _spacings(tf.stop_gradient(u) + 0.5, self.classes)):
      logit, slope = self._logit(constant - centre - offset)
      # Minus the logarithm of the spacing is a Gumbel variable.
      scores.append((logit - tf.math.log(spacing)) / tau)
      slopes.append(slope / tau)
    stacked = tf.nn.softmax(tf.stack(scores, axis=-1))
    weights = tf.unstack(stacked, num=self.classes, axis=-1)

    y_tilde = centre
    for offset, weight in zip(offsets, weights):
      y_tilde += offset * weight

    # The covariance of offsets and slopes, pair by pair: differences of means would cancel.
    slope = tf.zeros_like(y_tilde)
    for i, j in itertools.combinations(range(self.classes), 2):
      difference = (offsets[j] - offsets[i]) * (slopes[j] - slopes[i])
      slope += weights[i] * weights[j] * difference
    return tfusq.with_slope(y_tilde, y, slope)

  def _logit(self, difference: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the logit of an integer, given `y - c`, and its derivative with respect to `y`."""
    factor = self.factors[self.classes]
    distance = factor * tf.abs(difference)
    clipped = tf.clip_by_value(distance, _LEAST_DISTANCE, 1 - _LEAST_DISTANCE)
    log_p, slope = self.log_p(clipped)

    # The third class may be further away than `p` reaches, and its logit is constant there.
    within = tf.cast(distance <= 1, distance.dtype)
    scale = self.power / self.tau(distance.dtype)
    return scale * log_p, scale * factor * tf.sign(difference) * within * slope


class SGALinear(SGAPlus):
  """SGA+ with linear probabilities, `p(d) = 1 - d`."""

  def log_p(self, d: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.math.log(1 - d), -1 / (1 - d)


class SGACosine(SGAPlus):
  """SGA+ with cosine probabilities, `p(d) = cos(pi d / 2)`, to the power 2."""

  powers = {2: 2.0, 3: 2.0}

  def log_p(self, d: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    # The sine of the complement does not cancel where the cosine is near 0.
    angle = math.pi / 2 * (1 - d)
    return tf.math.log(tf.sin(angle)), -math.pi / 2 / tf.tan(angle)


class SGASSL(SGAPlus):
  """SGA+ with the sigmoid scaled logit, `p(d) = sigmoid(-a logit(d))`.

  With two classes `a = 1` is SGALinear, and `a = 4/3` is near SGACosine: their probabilities at
  `tau = 1` are within 0.042 of each other. With `a = pi/2`, which has its slope at half-integers,
  they are within 0.0071.

  Three classes change at half-integers, where the one that is 3/2 away and left out still has a
  probability of 4e-4 at `tau = 1`, and 3e-7 at 1/2. PGE does not see this jump.
  """

  powers = {2: 1.0, 3: 1.4}
  factors = {2: 1.0, 3: 0.98 / 1.5}

  def __init__(
    self,
    tau: float | tfusq.Schedule,
    classes: int = 2,
    power: float | None = None,
    a: float | None = None,
  ) -> None:
    """Initializer.

    Args:
      tau: Temperature, a positive number or a schedule. As it falls to 0, this becomes rounding.
      classes: Number of integers, 2 or 3.
      power: Power `n` of the probabilities, positive; by default the published one.
      a: Scale of the logit, positive; by default the published one, 2.3 for two classes and 1.4
        for three.

    Raises:
      ValueError: if an argument is out of range.
    """
    super().__init__(tau, classes, power)
    if a is None:
      a = 2.3 if classes == 2 else 1.4
    if not 0 < a < math.inf:
      raise ValueError(f'SGASSL.a must be a positive number, not {a}')
    self.a = a

  def log_p(self, d: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    scaled = self.a * (tf.math.log(d) - tf.math.log(1 - d))
    return -tf.nn.softplus(scaled), -self.a * tf.sigmoid(scaled) / (d * (1 - d))


def _spacings(uniform: tf.Tensor, classes: int) -> tuple[tf.Tensor, ...]:
  """Returns a uniform point of the simplex: positive numbers that add up to 1.

  They are independent exponential variables divided by their sum. Minus their logarithms are
  independent Gumbel variables plus a common summand, which softmax does not see.

  Args:
    uniform: Uniform numbers in [0, 1], one for each component.
    classes: Number of tensors to return, 2 or 3; the last ones fall as `uniform` rises.
  """
  if classes == 2:
    spacings = (uniform, 1 - uniform)
  else:
    second = _second_uniform(uniform)
    root = tf.sqrt(uniform)
    spacings = (root * second, root * (1 - second), 1 - root)
  return tuple(tf.maximum(spacing, _LEAST_SPACING) for spacing in spacings)


def _second_uniform(first: tf.Tensor) -> tf.Tensor:
  """Returns uniform numbers that are a function of others and all but independent of them.

  With `N = 2^bits` values `first = k / N`, and `g / N` near the golden ratio, the pairs
  `(k / N, frac(k g / N))` are a lattice that fills the unit square evenly, as Fibonacci's does.
  """
  bits = _BITS[first.dtype]
  # An odd number, so that each of the N values is met once.
  multiplier = int(_GOLDEN_RATIO * 2**bits) | 1
  index = tf.cast(first * 2**bits, tf.int64)
  remainder = tf.bitwise.bitwise_and(index * multiplier, tf.constant(2**bits - 1, tf.int64))
  return (tf.cast(remainder, first.dtype) + 0.5) / 2**bits
