"""Soft rounding with Kumaraswamy noise, the surrogate of C3."""

import tensorflow as tf

import tfusq


class Kumaraswamy(tfusq.SUA):
  """Soft rounding, Kumaraswamy noise, denoising: `r(s(y) + k - 1/2)`.

  `k` is Kumaraswamy distributed on [0, 1] with parameters `a` and `b = (2^a (a - 1) + 1) / a`,
  which puts its mode at 1/2; `a = 1` is uniform noise, and so SUA. The density is not uniform, so
  that the expected loss has no secant: PGE and STE only.

  #### References
  Kim, Bauer, Theis, Schwarz and Dupont, C3: High-performance and low-complexity neural compression
  from a single image or video, 2023 (arXiv 2312.02753).
  """

  secant = tfusq.Surrogate.secant  # takes SUA's away
  typical_temperatures = {'alpha': (3.0, 5.0), 'a': (2.0, 1.2)}  # what the checks try

  def __init__(self, alpha: float | tfusq.Schedule, a: float | tfusq.Schedule):
    """Initializer.

    Args:
      alpha: Temperature of the soft rounding; C3's T is 1 / alpha.
      a: Shape of the noise, from 2 to 1 in C3; at least 1.

    Raises:
      ValueError: if `a` is a number less than 1.
    """
    if not isinstance(a, tfusq.Schedule) and not a >= 1:
      raise ValueError(f'Kumaraswamy.a must be at least 1, not {a}')
    super().__init__(alpha)
    self.a = tfusq.Temperature(a)

  def noise(self, y, seed):
    a = self.a(y.dtype)
    b = (2**a * (a - 1) + 1) / a
    v = tf.random.stateless_uniform(tf.shape(y), seed, dtype=y.dtype)
    return (1 - (1 - v) ** (1 / b)) ** (1 / a) - 0.5
