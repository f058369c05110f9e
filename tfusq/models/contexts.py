"""Contexts: networks that condition a latent's components on those that are decoded before them.

By position, in raster order (`Causal`) or in two halves (`checkerboard`), and by slices of channels
(`slice_transform`).
"""

import numpy as np
import tensorflow as tf

from tfusq.transforms import Conv2D, Dense, exact, leaky
from tfusq.transforms.layers import Sequential

_CAUSAL = np.arange(25).reshape(5, 5) < 12
_CHECKERBOARD = np.arange(25).reshape(5, 5) % 2 == 1


class MaskedConv2D(Conv2D):
  """Convolution that sees a part of its 5x5 window.

  Attributes:
    mask: Positions of the window that are seen, `bool[5, 5]`.
  """

  def __init__(self, filters: int, mask: np.ndarray):
    """Initializer.

    Args:
      filters: Number of output channels.
      mask: Positions of the window that are seen, `bool[5, 5]`.
    """
    super().__init__(filters, 5)
    self.mask = mask

  def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves with the masked kernel; Keras calls it.

    Args:
      inputs: `[batch, height, width, channels]`, float.
      kernel: `[5, 5, channels, filters]`, float.
    """
    mask = tf.constant(self.mask[..., None, None], kernel.dtype)
    return super().convolution_op(inputs, kernel * mask)


class Causal(MaskedConv2D):
  """Sees the 12 positions before its own, in raster order; its inputs are integers.

  Attributes:
    OFFSETS: Rows and columns of the positions that are seen, relative to its own, `int[12, 2]`.

  #### References
  Minnen, Balle and Toderici, Joint autoregressive and hierarchical priors for learned image
  compression, 2018. https://arxiv.org/abs/1809.02736
  """

  OFFSETS = np.argwhere(_CAUSAL) - 2

  def __init__(self, filters: int):
    """Initializer; `filters` is the number of output channels."""
    super().__init__(filters, _CAUSAL)

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    """Returns `[batch, height, width, filters]`; in exact arithmetic while that is active."""
    if not exact.active():
      return super().call(inputs)

    batch, height, width, channels = tf.unstack(tf.shape(inputs))
    # Two rows above and two columns on either side; nothing below its own row is seen.
    padded = tf.pad(inputs, [[0, 0], [2, 0], [2, 2], [0, 0]])
    neighbours = []
    for row, column in self.OFFSETS:
      top, left = 2 + row, 2 + column
      neighbours.append(padded[:, top : top + height, left : left + width])

    seen = tf.reshape(tf.stack(neighbours), [len(self.OFFSETS), -1, channels])
    y = exact.weigh_symbols(seen, self.exact_weights())
    return tf.reshape(y, [batch, height, width, self.filters])

  def exact_weights(self) -> exact.SymbolWeights:
    """Returns the weights of the positions that it sees, for exact arithmetic."""
    return exact.round_symbol_weights(tf.boolean_mask(self.kernel, self.mask), self.bias)


def checkerboard(filters: int) -> MaskedConv2D:
  """Sees the 12 positions around its own that have the other colour of a checkerboard.

  #### References
  He, Zheng, Sun, Wang and Qin, Checkerboard context model for efficient learned image compression,
  2021. https://arxiv.org/abs/2103.15306
  """
  return MaskedConv2D(filters, _CHECKERBOARD)


def parameter_network(widths: list[int]) -> tf.keras.Sequential:
  """Returns 1x1 convolutions of the given numbers of outputs, with activations between."""
  layers = [Dense(widths[0])]
  for width in widths[1:]:
    layers += [leaky(), Dense(width)]
  return Sequential(layers)


def slice_transform(
  latent_channels: int, outputs: int, last_kernel: int = 3
) -> tf.keras.Sequential:
  """Returns a network from what is known before a slice of channels to features of the slice.

  Args:
    latent_channels: Channels of the latent, the paper's M; for 320, the widths are 224 and 128.
    outputs: Number of output channels.
    last_kernel: Side of the last convolution: 3 in Charm, 5 in ELIC.

  Returns:
    `[batch, height, width, channels]` -> `[batch, height, width, outputs]`.
  """
  return Sequential(
    [
      # 7/10 and 2/5 of M: the widths of Minnen and Singh, in proportion.
      Conv2D(max(1, latent_channels * 7 // 10), 5),
      leaky(),
      Conv2D(max(1, latent_channels * 2 // 5), 5),
      leaky(),
      Conv2D(outputs, last_kernel),
    ]
  )


class Parallel(tf.keras.layers.Layer):
  """Networks side by side, each with an input and an output of its own."""

  def __init__(self, networks: list[tf.keras.layers.Layer]):
    """Initializer; `networks` are the layers, one for each input."""
    super().__init__()
    self.networks = networks

  def call(self, inputs: list[tf.Tensor]) -> list[tf.Tensor]:
    """Returns each network's output for the input of the same number."""
    return [network(x) for network, x in zip(self.networks, inputs, strict=True)]


def colours(height: tf.Tensor, width: tf.Tensor) -> list[tf.Tensor]:
  """Returns the positions of either colour of a checkerboard.

  Args:
    height: Height of the latent, a scalar `int32`.
    width: Width of the latent, a scalar `int32`.

  Returns:
    Two `int32[n]`, in raster order; the first has the position in the upper left.
  """
  parity = tf.reshape((tf.range(height)[:, None] + tf.range(width)) % 2, [-1])
  positions = []
  for colour in (0, 1):
    is_of_colour = tf.equal(parity, colour)
    positions.append(tf.cast(tf.where(is_of_colour)[:, 0], tf.int32))
  return positions


def join(
  pieces: list[tf.Tensor], positions: list[tf.Tensor], height: tf.Tensor, width: tf.Tensor
) -> tf.Tensor:
  """Puts pieces of a latent together.

  Args:
    pieces: Pieces, `[batch, n, 1, channels]` each.
    positions: Positions of each piece, `int32[n]`, in raster order; together all positions.
    height: Height of the latent, a scalar `int32`.
    width: Width of the latent, a scalar `int32`.

  Returns:
    `[batch, height, width, channels]`.
  """
  order = tf.math.invert_permutation(tf.concat(positions, 0))
  flat = tf.gather(tf.concat(pieces, 1), order, axis=1)

  shape = tf.shape(flat)
  y = tf.reshape(flat, tf.stack([shape[0], height, width, shape[3]]))
  y.set_shape([None, None, None, flat.shape[3]])
  return y
