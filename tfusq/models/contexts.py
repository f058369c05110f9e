"""Contexts: what a latent's decoded components say of those that follow, by position and slice."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfusq.transforms import Conv2D, Dense, exact, leaky

_CAUSAL = np.arange(25).reshape(5, 5) < 12
_CHECKERBOARD = np.arange(25).reshape(5, 5) % 2 == 1


class MaskedConv2D(Conv2D):
  """Convolution that sees a part of its 5x5 window.

  Attributes:
    mask: `bool[5, 5]`.
  """

  def __init__(self, filters: int, mask: np.ndarray):
    super().__init__(filters, 5)
    self.mask = mask

  def convolution_op(self, inputs, kernel):
    return super().convolution_op(
      inputs, kernel * tf.constant(self.mask[..., None, None], kernel.dtype)
    )


class Causal(MaskedConv2D):
  """Sees the 12 positions before its own, in raster order; of integers.

  #### References
  Minnen, Balle and Toderici, Joint autoregressive and hierarchical priors, 2018.
  """

  OFFSETS = np.argwhere(_CAUSAL) - 2  # rows and columns of what it sees

  def __init__(self, filters: int):
    super().__init__(filters, _CAUSAL)

  def call(self, inputs):
    if not exact.active():
      return super().call(inputs)
    batch, height, width, channels = tf.unstack(tf.shape(inputs))
    padded = tf.pad(inputs, [[0, 0], [2, 0], [2, 2], [0, 0]])
    seen = tf.stack(
      [
        padded[:, 2 + row : 2 + row + height, 2 + column : 2 + column + width]
        for row, column in self.OFFSETS
      ]
    )
    seen = tf.reshape(seen, [len(self.OFFSETS), -1, channels])
    y = exact.weigh_symbols(seen, self.exact_weights())
    return tf.reshape(y, [batch, height, width, self.filters])

  def exact_weights(self) -> exact.SymbolWeights:
    """Returns the weights of what it sees, for exact arithmetic."""
    return exact.round_symbol_weights(tf.boolean_mask(self.kernel, self.mask), self.bias)


def checkerboard(filters: int) -> MaskedConv2D:
  """Sees the 12 positions around its own that have the other colour.

  #### References
  He, Zheng, Sun, Wang and Qin, Checkerboard context model, 2021.
  """
  return MaskedConv2D(filters, _CHECKERBOARD)


def parameter_network(widths: list[int]) -> tf.keras.Sequential:
  """1x1 convolutions of the given numbers of outputs, with activations between."""
  layers = [Dense(widths[0])]
  for width in widths[1:]:
    layers += [leaky(), Dense(width)]
  return tf.keras.Sequential(layers)


def slice_transform(
  latent_channels: int, outputs: int, last_kernel: int = 3
) -> tf.keras.Sequential:
  """What is known before a slice of channels to a parameter, or features, of the slice.

  Args:
    latent_channels: The paper's M; of 320, the widths are 224 and 128.
    outputs: How many channels it gives.
    last_kernel: Side of the last convolution: 3 in Charm, 5 in ELIC.

  Returns:
    `[batch, height, width, channels]` -> `[batch, height, width, outputs]`.
  """
  return tf.keras.Sequential(
    [
      Conv2D(max(1, latent_channels * 7 // 10), 5),
      leaky(),
      Conv2D(max(1, latent_channels * 2 // 5), 5),
      leaky(),
      Conv2D(outputs, last_kernel),
    ]
  )


class Parallel(tf.keras.layers.Layer):
  """Transforms side by side: each takes its own input, or all the one there is."""

  def __init__(self, networks: list[tf.keras.layers.Layer]):
    super().__init__()
    self.networks = networks

  def call(self, inputs):
    if len(inputs) == 1:
      inputs = inputs * len(self.networks)
    return [network(x) for network, x in zip(self.networks, inputs)]


def colours(height: tf.Tensor, width: tf.Tensor) -> list[tf.Tensor]:
  """Returns the positions of either colour of a checkerboard, `int32[n]`, in raster order."""
  parity = tf.reshape((tf.range(height)[:, None] + tf.range(width)) % 2, [-1])
  return [tf.cast(tf.where(tf.equal(parity, colour))[:, 0], tf.int32) for colour in (0, 1)]


def join(
  pieces: list[tf.Tensor], positions: list[tf.Tensor], height: tf.Tensor, width: tf.Tensor
) -> tf.Tensor:
  """Puts pieces of a latent in their places.

  Args:
    pieces: `[batch, n, 1, channels]` each.
    positions: `int32[n]` of each; together all positions.
    height: Of the latent.
    width: Likewise.

  Returns:
    `[batch, height, width, channels]`.
  """
  order = tf.math.invert_permutation(tf.concat(positions, 0))
  flat = tf.gather(tf.concat(pieces, 1), order, axis=1)
  shape = tf.shape(flat)
  y = tf.reshape(flat, tf.stack([shape[0], height, width, shape[3]]))
  y.set_shape([None, None, None, flat.shape[3]])
  return y


class Serial:
  """Raw parameters of a latent, each position's from the features there and the positions before.

  In training all positions are computed at once, from the whole quantized latent. Coding goes in
  wavefront order: wave `t` has all positions with `column + 3 row = t`, whose 5x5 causal
  neighbourhoods lie in the waves before. Encoder and decoder run the same loop.
  """

  def __init__(self, context: Causal, parameters: tf.keras.Sequential, features: tf.Tensor):
    """Initializer.

    Args:
      context: Over the latent, of integers.
      parameters: 1x1 convolutions and activations, from context and features to raw parameters.
      features: `[batch, height, width, channels]`, of the latent's height and width.

    Raises:
      TypeError: if the parameters are of other layers.
    """
    if not all(
      isinstance(layer, (Dense, tf.keras.layers.LeakyReLU, tf.keras.layers.ReLU))
      for layer in parameters.layers
    ) or not isinstance(parameters.layers[0], Dense):
      raise TypeError(
        'the parameters of a serial context are Dense layers with ReLU or LeakyReLU between'
      )
    self._context = context
    self._parameters = parameters
    self._features = features

  def raw(self, y_hat: tf.Tensor) -> tf.Tensor:
    """Returns the raw parameters of all positions.

    Args:
      y_hat: The whole quantized latent.
    """
    return self._parameters(tf.concat([self._context(y_hat), self._features], -1))

  def scan(
    self, visit: Callable[[Any, Any, tf.Tensor], tuple[Any, tf.Tensor]], state: Any, part: Any
  ) -> tuple[Any, tf.Tensor]:
    """Visits the positions of one image, wave by wave, in exact arithmetic.

    Args:
      visit: Takes the state, the part with the wave's positions, and raw parameters of shape
        `[1, n, 1, channels]`; returns the next state and the quantized piece, likewise.
      state: What is carried from wave to wave: a nest of tensors.
      part: What is visited.

    Returns:
      The last state and the quantized latent, `[1, height, width, latent channels]`.
    """
    _, height, width, feature_channels = tf.unstack(tf.shape(self._features))
    features = tf.reshape(self._features, [-1, feature_channels])
    channels = self._context.kernel.shape[2]
    # Once, not in every wave.
    context = self._context.exact_weights()
    whole, *layers = [
      exact.round_weights(layer.kernel, layer.bias) if isinstance(layer, Dense) else layer
      for layer in self._parameters.layers
    ]
    of_context, of_features = tf.split(whole.kernel, [self._context.filters, -1])
    # What the first layer makes of the features is that of all waves, and the waves' bias.
    from_features = exact.accumulate(tf.matmul, features, whole._replace(kernel=of_features))
    # Where the neighbours of row 0 are among `recent`, as rows of one matrix.
    row_offset, column_offset = self._context.OFFSETS.T
    neighbours = tf.cast(8 + column_offset + 3 * row_offset, tf.int32) * (height + 2) + tf.cast(
      2 + row_offset, tf.int32
    )
    neighbours = neighbours[:, None]
    order = tf.argsort(
      tf.reshape(3 * tf.range(height)[:, None] + tf.range(width), [-1]), stable=True
    )

    def wave_of(t, state, recent, found):
      first = tf.maximum((t - width + 3) // 3, 0)
      last = tf.minimum(t // 3, height - 1)
      rows = tf.range(first, last + 1)
      positions = rows * width + t - 3 * rows
      seen = tf.gather(tf.reshape(recent, [-1, channels]), rows + neighbours)
      x = exact.weigh_symbols(seen, context)
      first_layer = exact.Weights(of_context, tf.gather(from_features, positions))
      for layer in [first_layer, *layers]:
        x = exact.convolve(tf.matmul, x, layer) if isinstance(layer, exact.Weights) else layer(x)
      state, y_hat = visit(state, part._replace(positions=positions), x[None, :, None])
      y_hat = tf.ensure_shape(y_hat[0, :, 0], [None, channels])
      column = tf.pad(y_hat, [[first + 2, height - 1 - last], [0, 0]])
      return (t + 1, state, tf.concat([recent[1:], column[None]], 0), found.write(t, y_hat))

    waves = width + 3 * (height - 1)
    # The last eight waves, by row; two rows of zeros lie above.
    recent = tf.zeros([8, height + 2, channels])
    found = tf.TensorArray(tf.float32, waves, infer_shape=False, element_shape=[None, channels])
    _, state, _, found = tf.while_loop(
      lambda t, *_: t < waves,
      wave_of,
      (tf.constant(0), state, recent, found),
      shape_invariants=(
        tf.TensorShape([]),
        tf.nest.map_structure(lambda x: x.shape, state),
        tf.TensorShape([8, None, channels]),
        tf.TensorShape(None),
      ),
      parallel_iterations=1,
    )
    y_hat = tf.gather(found.concat(), tf.math.invert_permutation(order))
    return state, tf.reshape(y_hat, [1, height, width, channels])
