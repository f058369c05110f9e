"""Gradient scaling, an estimator that takes the quantization error into account."""

import tensorflow as tf

import tfusq


class GradScale(tfusq.Estimator):
  """Straight-through, scaled element by element: `g_y = g (1 + delta sign(g) (y - y_tilde))`.

  `g` is the gradient with respect to `y_tilde`; `delta = 0` is STE. As STE does, it keeps the
  slope of the surrogate's soft proxy.

  #### References
  Lee, Kim and Ham, Network quantization with element-wise gradient scaling, 2021; used for latents
  by Sun, Yu and Katto, Improving latent quantization of learned image compression with gradient
  scaling, 2022.
  """

  def __init__(self, delta: float = 0.1):
    """Initializer.

    Args:
      delta: How strongly the error scales the gradient; at least 0.

    Raises:
      ValueError: if it is negative.
    """
    super().__init__()
    if not delta >= 0:
      raise ValueError(f'GradScale.delta must be at least 0, not {delta}')
    self.delta = delta

  def quantize(self, surrogate, y, u):
    y_tilde = surrogate(tf.stop_gradient(y), u)
    return _scaled(surrogate.proxy(y), y_tilde, self.delta * (tf.stop_gradient(y) - y_tilde))


@tf.custom_gradient
def _scaled(proxy, y_tilde, error):
  """Returns `y_tilde`; the gradient goes to `proxy`, scaled by the error where signs agree."""

  def grad(g):
    return g * (1 + tf.sign(g) * error), tf.zeros_like(y_tilde), tf.zeros_like(error)

  return tf.identity(y_tilde), grad
