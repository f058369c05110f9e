"""Contexts: networks that condition a latent's components on those that are decoded before them.

By position, in raster order (`Causal`) or in two halves (`checkerboard`), and by slices of channels
(`slice_transform`).
"""

import numpy as np
import tensorflow as tf

from tfusq import transforms
from tfusq.transforms import Conv2D, Dense, Network, exact, leaky

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

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    """Returns `[batch, height, width, filters]`; float32, as networks do."""
    return tf.cast(super().call(inputs), tf.float32)

  def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves with the masked kernel; Keras calls it.

    Args:
      inputs: `[batch, height, width, channels]`, float.
      kernel: `[5, 5, channels, filters]`, float.
    """
    kernel = tf.convert_to_tensor(kernel)  # in the precision of the layer
    mask = tf.constant(self.mask[..., None, None], kernel.dtype)
    return super().convolution_op(inputs, kernel * mask)

  def exact_weights(self) -> exact.Weights:
    """Returns the weights for exact arithmetic, those that are not seen being zero."""
    return exact.weights((self,), self._round_weights)

  def _round_weights(self) -> exact.Weights:
    return exact.round_weights(self.kernel.numpy() * self.mask[..., None, None], self.bias.numpy())


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
    y = exact.weigh_symbols(seen, self.symbol_weights())
    return tf.reshape(y, [batch, height, width, self.filters])

  def symbol_weights(self) -> exact.SymbolWeights:
    """Returns the weights of the positions that it sees, for exact arithmetic."""
    return exact.weights((self,), self._round_symbol_weights)

  def _round_symbol_weights(self) -> exact.SymbolWeights:
    return exact.round_symbol_weights(self.kernel.numpy()[self.mask], self.bias.numpy())


def checkerboard(filters: int) -> MaskedConv2D:
  """Sees the 12 positions around its own that have the other colour of a checkerboard.

  #### References
  He, Zheng, Sun, Wang and Qin, Checkerboard context model for efficient learned image compression,
  2021. https://arxiv.org/abs/2103.15306
  """
  return MaskedConv2D(filters, _CHECKERBOARD)


def parameter_network(widths: list[int]) -> Network:
  """Returns 1x1 convolutions of the given numbers of outputs, with activations between."""
  layers = [Dense(widths[0])]
  for width in widths[1:]:
    layers += [leaky(), Dense(width)]
  return Network(layers)


def slice_transform(latent_channels: int, outputs: int, last_kernel: int = 3) -> Network:
  """Returns a network from what is known before a slice of channels to features of the slice.

  Args:
    latent_channels: Channels of the latent, the paper's M; for 320, the widths are 224 and 128.
    outputs: Number of output channels.
    last_kernel: Side of the last convolution: 3 in Charm, 5 in ELIC.

  Returns:
    `[batch, height, width, channels]` -> `[batch, height, width, outputs]`.
  """
  return Network(
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
    Two `int32[n]`, in raster order; the first has the position in the upper left. They are
    constants where the graph knows height and width.
  """
  known = [tf.get_static_value(size) for size in (height, width)]
  if None not in known:
    rows, columns = np.indices(known)
    parity = (rows + columns).reshape(-1) % 2
    return [tf.constant(np.flatnonzero(parity == colour), tf.int32) for colour in (0, 1)]

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

  batch, _, _, channels = transforms.sizes(flat)
  return tf.reshape(flat, [batch, height, width, channels])
