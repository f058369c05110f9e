"""A serial context: each position's entropy parameters depend on the positions decoded before it.

In training all positions are computed at once, from the whole quantized latent. Coding must go from
position to position, since what a position depends on is decoded just before it. In raster order an
image would take `height x width` steps. But a 5x5 causal neighbourhood reaches only two columns to
the right, so positions with equal `column + 3 row` do not depend on each other. They are a wave:

            column 0  1  2  3  4  5  6              neighbourhood of X (wave t), by wave:
    row 0          0  1  2  3  4  5  6                t-8  t-7  t-6  t-5  t-4
    row 1          3  4  5  6  7  8  9                t-5  t-4  t-3  t-2  t-1
    row 2          6  7  8  9 10 11 12                t-2  t-1   X

An image takes `width + 3 (height - 1)` waves. A neighbourhood lies in the eight waves before, which
are all that the loop carries along. They are stored by wave and row: a wave has at most one
position in a row, so that (wave, row) stands for (column, row). The neighbour at an offset (row,
column) is always `-(column + 3 row)` waves back, and one gather with fixed offsets finds all.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfusq.models.contexts import Causal
from tfusq.transforms import Dense, exact

# The waves before that a neighbourhood reaches: its upper left corner is at (-2, -2).
_REACH = 2 + 3 * 2
# Rows above a position that its neighbourhood reaches; rows of zeros stand above the image.
_ROWS_ABOVE = 2


class _Networks(NamedTuple):
  """The networks as they are run on each wave, in exact arithmetic.

  Attributes:
    context: Weights of the causal convolution.
    first: Weights of the first parameter layer for the context, without a bias.
    from_features: What the first parameter layer makes of the features, with its bias,
      `[height x width, outputs]`.
    layers: The other parameter layers.
  """

  context: exact.SymbolWeights
  first: exact.Weights
  from_features: tf.Tensor
  layers: list[tf.keras.layers.Layer]


class Serial:
  """Computes the raw parameters of a latent from features and from the positions before.

  Encoder and decoder run the same loop, `scan`, and so compute equal parameters: a single parameter
  that differed could name another of the range coder's tables, and the rest of the file would be
  lost. Exact arithmetic makes the loop agree with other machines as well.
  """

  def __init__(self, context: Causal, parameters: tf.keras.Sequential, features: tf.Tensor):
    """Initializer.

    Args:
      context: Causal convolution over the quantized latent.
      parameters: 1x1 convolutions and activations, from context and features to raw parameters.
      features: `[batch, height, width, channels]`, of the latent's height and width.

    Raises:
      TypeError: if the parameters are of other layers.
    """
    activations = (tf.keras.layers.LeakyReLU, tf.keras.layers.ReLU)
    are_known = all(isinstance(layer, (Dense, *activations)) for layer in parameters.layers)
    if not are_known or not isinstance(parameters.layers[0], Dense):
      raise TypeError(
        'the parameters of a serial context are Dense layers with ReLU or LeakyReLU between'
      )
    self._context = context
    self._parameters = parameters
    self._features = features

  def raw(self, y_hat: tf.Tensor) -> tf.Tensor:
    """Returns the raw parameters of all positions at once.

    Args:
      y_hat: The whole quantized latent, `[batch, height, width, channels]`.

    Returns:
      `[batch, height, width, raw channels]`.
    """
    return self._parameters(tf.concat([self._context(y_hat), self._features], -1))

  def scan(
    self, visit: Callable[[Any, Any, tf.Tensor], tuple[Any, tf.Tensor]], state: Any, part: Any
  ) -> tuple[Any, tf.Tensor]:
    """Visits the positions of one image, wave by wave, in exact arithmetic.

    Args:
      visit: Takes the state, the part with the wave's positions, and raw parameters of shape
        `[1, n, 1, raw channels]`; returns the next state and the quantized piece,
        `[1, n, 1, channels]`.
      state: Nest of tensors that is carried from wave to wave.
      part: `Part` of the latent to visit; its positions are replaced by each wave's.

    Returns:
      The last state and the quantized latent, `[1, height, width, channels]`.
    """
    _, height, width, _ = tf.unstack(tf.shape(self._features))
    channels = self._context.kernel.shape[2]
    networks = self._networks()
    neighbours = self._neighbours(height)

    def visit_wave(t, state, recent, pieces):
      # Row r is at column t - 3 r, which must lie in the image: 0 <= t - 3 r < width. The first
      # such row is (t - width + 1) / 3, rounded up.
      first_row = tf.maximum((t - width + 3) // 3, 0)
      last_row = tf.minimum(t // 3, height - 1)
      rows = tf.range(first_row, last_row + 1)
      positions = rows * width + t - 3 * rows

      seen = tf.gather(tf.reshape(recent, [-1, channels]), rows + neighbours)
      raw = _run(networks, seen, positions)
      state, y_hat = visit(state, part._replace(positions=positions), raw)
      y_hat = tf.ensure_shape(y_hat[0, :, 0], [None, channels])

      # Rows that the wave does not meet are zero, as positions outside of the image are.
      wave = tf.pad(y_hat, [[_ROWS_ABOVE + first_row, height - 1 - last_row], [0, 0]])
      recent = tf.concat([recent[1:], wave[None]], 0)
      return t + 1, state, recent, pieces.write(t, y_hat)

    waves = width + 3 * (height - 1)
    recent = tf.zeros([_REACH, _ROWS_ABOVE + height, channels])
    pieces = tf.TensorArray(tf.float32, waves, infer_shape=False, element_shape=[None, channels])
    _, state, _, pieces = tf.while_loop(
      lambda t, *_: t < waves,
      visit_wave,
      (tf.constant(0), state, recent, pieces),
      shape_invariants=(
        tf.TensorShape([]),
        tf.nest.map_structure(lambda x: x.shape, state),
        tf.TensorShape([_REACH, None, channels]),
        tf.TensorShape(None),
      ),
      # The range coder's handle is a state that must not be forked.
      parallel_iterations=1,
    )

    y_hat = tf.gather(pieces.concat(), _places_in_waves(height, width))
    return state, tf.reshape(y_hat, [1, height, width, channels])

  def _networks(self) -> _Networks:
    """Prepares the networks once for all waves."""
    first, *layers = self._parameters.layers
    inputs = self._context.filters

    def rounded(rows, bias):
      return lambda: exact.round_weights(first.kernel.numpy()[rows], bias)

    # The first layer is linear in context and features: what it makes of the features is computed
    # for all positions before the first wave.
    bias = np.zeros([first.units], np.float32)
    of_context = exact.weights((first, 'context'), rounded(slice(inputs), bias))
    of_features = exact.weights(
      (first, 'features'), lambda: rounded(slice(inputs, None), first.bias.numpy())()
    )
    from_features = exact.multiply(self._features, of_features)
    from_features = tf.reshape(from_features, [-1, first.units])

    return _Networks(self._context.symbol_weights(), of_context, from_features, layers)

  def _neighbours(self, height: tf.Tensor) -> tf.Tensor:
    """Returns the lines of the recent waves in which row 0 finds its neighbours, `int32[12, 1]`.

    The recent waves are one matrix with a line for each wave and row. Row r finds its neighbours r
    lines further on.
    """
    row_offset, column_offset = self._context.OFFSETS.T
    wave = tf.cast(_REACH + column_offset + 3 * row_offset, tf.int32)
    row = tf.cast(_ROWS_ABOVE + row_offset, tf.int32)
    return (wave * (_ROWS_ABOVE + height) + row)[:, None]


def _run(networks: _Networks, seen: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
  """Returns the raw parameters of a wave, `[1, n, 1, raw channels]`, from its neighbours."""
  context = exact.weigh_symbols(seen, networks.context)[None, :, None]
  features = tf.gather(networks.from_features, positions)[None, :, None]
  x = exact.multiply(context, networks.first._replace(bias=features))
  for layer in networks.layers:
    x = layer(x)
  return x


def _places_in_waves(height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
  """Returns where each position, in raster order, stands among those in the order of waves."""
  wave = tf.reshape(3 * tf.range(height)[:, None] + tf.range(width), [-1])
  # Stable: positions of one wave are in the order of rows.
  order = tf.argsort(wave, stable=True)
  return tf.math.invert_permutation(order)
