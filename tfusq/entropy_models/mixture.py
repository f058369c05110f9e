"""The discretized Gaussian mixture."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfusq.coding import bisection
from tfusq.entropy_models.base import EntropyModel, require_floor
from tfusq.entropy_models.bits import gaussian_bits, mixture_bits, saturate
from tfusq.entropy_models.location_scale import MAX_SCALE, bounded, require_bound


class Mixture(NamedTuple):
  """Parameters of a mixture, each of the latent's shape with an axis of components after it.

  Attributes:
    logits: Unnormalized logarithms of the weights.
    mean: Means of the components.
    log_scale: Natural logarithms of their standard deviations.
  """

  logits: tf.Tensor
  mean: tf.Tensor
  log_scale: tf.Tensor


class GaussianMixture(EntropyModel):
  """Mixture of Gaussians, integrated over unit bins: `P(y) = sum_k w_k P_k(y)`.

  The network gives a logit, a mean and the logarithm of a scale for each component. The weights `w`
  are the softmax of the logits, and scales are bounded as those of `Gaussian`. The centre is the
  weighted mean `sum_k w_k mean_k`, on the grid of the code.

  Attributes:
    channels: Three times the number of components.

  #### References
  Cheng, Sun, Takeuchi and Katto, Learned image compression with discretized Gaussian mixture
  likelihoods and attention modules, 2020. https://arxiv.org/abs/2001.01568
  """

  channels = 9

  def __init__(self, components: int = 3, bound: float = 0.11, floor: float = 1e-9):
    """Initializer.

    Args:
      components: Number of Gaussians, at least 1.
      bound: Lower bound of every scale.
      floor: Probability below which bits are saturated, see `saturate`; 0 never.

    Raises:
      ValueError: if an argument is out of range.
    """
    super().__init__()
    if not (isinstance(components, int) and components >= 1):
      raise ValueError(f'GaussianMixture.components must be at least 1, not {components!r}')
    self.channels = 3 * components
    self.bound = require_bound(self, bound)
    self.floor = require_floor(self, floor)

  def parameters(self, raw):
    components = self.channels // 3
    shape = tf.concat([tf.shape(raw)[:-1], [-1, components]], 0)
    logits, mean, log_scale = tf.split(raw, 3, axis=-1)
    return Mixture(
      tf.reshape(logits, shape),
      tf.reshape(mean, shape),
      bounded(tf.reshape(log_scale, shape), self.bound),
    )

  def widen(self, raw, log_factor):
    logits, mean, log_scale = tf.split(tf.cast(raw, tf.float32), 3, axis=-1)
    # A channel's components lie side by side.
    of_components = tf.repeat(log_factor, self.channels // 3, axis=-1)
    return tf.concat([logits, mean, log_scale + of_components], -1)

  def initial_raw(self, mean_absolute):
    # Equal components would have equal gradients: their scales are an octave apart.
    components = self.channels // 3
    octaves = 2.0 ** (np.arange(components) - (components - 1) / 2)
    scales = np.clip(mean_absolute[:, None] * octaves, self.bound, MAX_SCALE)
    return np.concatenate([np.zeros(2 * scales.size), np.log(scales).reshape(-1)])

  def centre(self, parameters):
    logits, mean, _ = parameters
    smooth = tf.reduce_sum(tf.nn.softmax(logits) * mean, -1)
    # The code's value, which both ends have exactly, with the gradient of the smooth one.
    return bisection.centre(logits, mean) + (smooth - tf.stop_gradient(smooth))

  def bits(self, y, parameters):
    logits, mean, log_scale = parameters
    y = tf.broadcast_to(y[..., None], tf.shape(mean))
    component_bits = gaussian_bits(y, mean, tf.exp(log_scale))
    return saturate(mixture_bits(component_bits, logits), self.floor)

  def coder(self, zero_centre):
    return bisection.Bisection(zero_centre)
