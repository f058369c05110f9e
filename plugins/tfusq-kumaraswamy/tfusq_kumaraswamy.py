"""Soft rounding with Kumaraswamy noise, the surrogate of C3."""

import tensorflow as tf

import tfusq


class Kumaraswamy(tfusq.SUA):
  """Soft rounding, Kumaraswamy noise, denoising: `r(s(y) + k - 1/2)`.

  `k` has the Kumaraswamy distribution on [0, 1] with parameters `a` and
  `b = (2^a (a - 1) + 1) / a`, which puts its mode at 1/2. With `a = 1` the noise is uniform, and
  this is SUA. For other `a` the density is not uniform, so the expected loss is no secant and the
  estimator EP is refused.

  #### References
  Kim, Bauer, Theis, Schwarz and Dupont, C3: High-performance and low-complexity neural compression
  from a single image or video, 2023, https://arxiv.org/abs/2312.02753.
  """

  # The secant of SUA holds for uniform noise only.
  secant = tfusq.Surrogate.secant
  typical_temperatures = {'alpha': (3.0, 5.0), 'a': (2.0, 1.2)}

  def __init__(self, alpha: float | tfusq.Schedule, a: float | tfusq.Schedule):
    """Initializer.

    Args:
      alpha: Temperature of the soft rounding, the reciprocal of C3's `T`.
      a: Shape of the noise, at least 1; C3 moves it from 2 to 1.

    Raises:
      ValueError: if `a` is a number less than 1.
    """
    if not isinstance(a, tfusq.Schedule) and not a >= 1:
      raise ValueError(f'Kumaraswamy.a must be at least 1, not {a}')
    super().__init__(alpha)
    self.a = tfusq.Temperature(a)

  def noise(self, y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    a = self.a(y.dtype)
    b = (2**a * (a - 1) + 1) / a

    # The inverse of the distribution function, 1 - (1 - k^a)^b, at uniform values.
    uniform = tf.random.stateless_uniform(tf.shape(y), seed, dtype=y.dtype)
    k = (1 - (1 - uniform) ** (1 / b)) ** (1 / a)
    return k - 0.5
