"""Gradient scaling, an estimator that takes the quantization error into account."""

from collections.abc import Callable

import tensorflow as tf

import tfusq


class GradScale(tfusq.Estimator):
  """Straight-through, scaled element by element: `g_y = g (1 + delta sign(g) (y - y_tilde))`.

  `g` is the gradient with respect to `y_tilde`; `delta = 0` is STE. As STE does, it keeps the
  slope of the surrogate's soft proxy.

  #### References
  Lee, Kim and Ham, Network quantization with element-wise gradient scaling, 2021,
  https://arxiv.org/abs/2104.00903; used for latents by Sun, Yu and Katto, Improving latent
  quantization of learned image compression with gradient scaling, VCIP 2022.
  """

  def __init__(self, delta: float = 0.1):
    """Initializer.

    Args:
      delta: Strength with which the error scales the gradient; at least 0.

    Raises:
      ValueError: if it is negative.
    """
    super().__init__()
    if not delta >= 0:
      raise ValueError(f'GradScale.delta must be at least 0, not {delta}')
    self.delta = delta

  def quantize(self, surrogate: tfusq.Surrogate, y: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    y_tilde = surrogate(tf.stop_gradient(y), u)
    error = tf.stop_gradient(y) - y_tilde
    return _scaled(surrogate.proxy(y), y_tilde, self.delta * error)


# Every tensor is an argument: what a custom gradient captures from outside would get no gradient.
@tf.custom_gradient
def _scaled(
  proxy: tf.Tensor, y_tilde: tf.Tensor, error: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple]]:
  """Returns `y_tilde`; the gradient goes to `proxy`, larger where `error` has its sign."""

  def grad(g):
    return g * (1 + tf.sign(g) * error), tf.zeros_like(y_tilde), tf.zeros_like(error)

  return tf.identity(y_tilde), grad
