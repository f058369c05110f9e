"""A serial context: each position's entropy parameters depend on the positions decoded before it.

In training all positions are computed at once, from the whole quantized latent. Coding must go from
position to position, since what a position depends on is decoded just before it. In raster order an
image would take `height x width` steps. But a 5x5 causal neighbourhood reaches only two columns to
the right, so positions with equal `column + 3 row` do not depend on each other. They are a wave:

            column 0  1  2  3  4  5  6              neighbourhood of X (wave t), by wave:
    row 0          0  1  2  3  4  5  6                t-8  t-7  t-6  t-5  t-4
    row 1          3  4  5  6  7  8  9                t-5  t-4  t-3  t-2  t-1
    row 2          6  7  8  9 10 11 12                t-2  t-1   X

An image takes `width + 3 (height - 1)` waves, and a neighbourhood lies in the eight waves before,
which are all that the loop carries along. A wave has at most one position in a row, and its rows
are consecutive. So it is a list of positions, from its first row down. The neighbour at an offset
(row, column) is `-(column + 3 row)` waves back, as far down that list as its row says. The work of
a wave is in proportion to its positions.

An image of less than three columns takes `column + width row` in place of `column + 3 row`, so that
no wave is empty.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfusq.models.contexts import Causal
from tfusq.transforms import Dense, exact

# Waves between a position and the one below it, where an image is not narrower.
_SLOPE = 3
# The waves before that a neighbourhood reaches: its upper left corner is at (-2, -2).
_REACH = 2 + 2 * _SLOPE


class _Networks(NamedTuple):
  """The networks as they are run on each wave, in exact arithmetic.

  Attributes:
    context: Weights of the causal convolution.
    first: Weights of the first parameter layer for the context, without a bias.
    from_features: Output of the first parameter layer for the features alone, with its bias,
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

  def __init__(
    self,
    context: Causal,
    parameters: tf.keras.Sequential,
    features: tf.Tensor,
    finish: Callable[[tf.Tensor], tf.Tensor] = tf.identity,
  ):
    """Initializer.

    Args:
      context: Causal convolution over the quantized latent.
      parameters: 1x1 convolutions and activations, from context and features to raw parameters.
      features: `[batch, height, width, channels]`, of the latent's height and width.
      finish: Function of a few operations that the raw parameters end with, at each position by
        itself.

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
    self._finish = finish

  def finished_by(self, finish: Callable[[tf.Tensor], tf.Tensor]) -> 'Serial':
    """Returns the context with another end of its raw parameters.

    Args:
      finish: Function from raw parameters, `[batch, height, width, raw channels]`, to those that
        the entropy model takes, by single operations that IEEE 754 defines; at each position by
        itself.
    """
    return Serial(self._context, self._parameters, self._features, finish)

  def raw(self, y_hat: tf.Tensor) -> tf.Tensor:
    """Returns the raw parameters of all positions at once.

    Args:
      y_hat: The whole quantized latent, `[batch, height, width, channels]`.

    Returns:
      `[batch, height, width, raw channels]`.
    """
    return self._finish(self._parameters(tf.concat([self._context(y_hat), self._features], -1)))

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
    waves = _Waves(height, width)
    outside = tf.zeros([1, channels])

    bases = self._bases(waves)

    def visit_wave(t, state, recent, pieces):
      rows = tf.range(waves.first_row[t], waves.first_row[t] + waves.length[t])
      columns = t - waves.slope * rows
      positions = rows * width + columns

      is_inside = self._are_inside(rows, columns, width)
      places = tf.where(is_inside, bases[t][:, None] + rows, 0)
      seen = tf.gather(recent, places)
      raw = self._finish(_run(networks, seen, positions))
      state, y_hat = visit(state, part._replace(positions=positions), raw)
      y_hat = tf.ensure_shape(y_hat[0, :, 0], [None, channels])
      # The oldest wave makes room for the new one.
      kept = recent[1 + waves.length_before(t - _REACH) :]
      recent = tf.concat([outside, kept, y_hat], 0)
      return t + 1, state, recent, pieces.write(t, y_hat)

    pieces = tf.TensorArray(
      tf.float32, waves.count, infer_shape=False, element_shape=[None, channels]
    )
    _, state, _, pieces = tf.while_loop(
      lambda t, *_: t < waves.count,
      visit_wave,
      (tf.constant(0), state, outside, pieces),
      shape_invariants=(
        tf.TensorShape([]),
        tf.nest.map_structure(lambda x: x.shape, state),
        tf.TensorShape([None, channels]),
        tf.TensorShape(None),
      ),
      # The range coder's handle is a state that must not be forked.
      parallel_iterations=1,
    )

    y_hat = tf.gather(pieces.concat(), waves.places())
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

  def _are_inside(self, rows: tf.Tensor, columns: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns which neighbours of positions lie in the image, `bool[12, n]`."""
    row_offsets, column_offsets = self._context.OFFSETS.T[..., None].astype(np.int32)
    columns += column_offsets
    # None lies below.
    return (rows + row_offsets >= 0) & (columns >= 0) & (columns < width)

  def _bases(self, waves: '_Waves') -> tf.Tensor:
    """Returns where row 0 of each wave would find its neighbours, `int32[waves, 12]`.

    A row r finds them r places further on, in a list of one line of zeros, for what is outside of
    the image, and the positions of the `_REACH` waves before.
    """
    row_offsets, column_offsets = self._context.OFFSETS.T.astype(np.int32)
    back = column_offsets + waves.slope * row_offsets
    t = tf.range(waves.count)[:, None]
    # Of a neighbour outside of the image any wave may be named.
    before = tf.clip_by_value(t + back, tf.maximum(t - _REACH, 0), t)

    starts = 1 + tf.gather(waves.start, before) - tf.gather(waves.start, tf.maximum(t - _REACH, 0))
    return starts + row_offsets - tf.gather(waves.first_row, before)


class _Waves:
  """The waves of one image: which positions they have.

  Attributes:
    slope: Waves between a position and the one below it, a scalar `int32`.
    count: Number of waves, a scalar `int32`.
    first_row: First row that each wave has a position in, `int32[waves]`.
    length: Number of positions of each wave, `int32[waves]`.
    start: Number of positions in the waves before each, `int32[waves]`.
  """

  def __init__(self, height: tf.Tensor, width: tf.Tensor):
    self._height, self._width = height, width
    self.slope = tf.minimum(width, _SLOPE)
    self.count = width + self.slope * (height - 1)

    # Row r is at column t - slope r, which must lie in the image, 0 <= t - slope r < width: from
    # (t - width + 1) / slope, rounded up, to t / slope.
    t = tf.range(self.count)
    self.first_row = tf.maximum((t - width + self.slope) // self.slope, 0)
    self.length = tf.minimum(t // self.slope, height - 1) + 1 - self.first_row
    self.start = tf.cumsum(self.length, exclusive=True)

  def length_before(self, t: tf.Tensor) -> tf.Tensor:
    """Returns the number of positions of a wave; 0 of one before the first."""
    return tf.where(t >= 0, self.length[tf.maximum(t, 0)], 0)

  def places(self) -> tf.Tensor:
    """Returns where each position, in raster order, stands among those in the order of waves."""
    rows = tf.range(self._height)[:, None]
    t = self.slope * rows + tf.range(self._width)
    return tf.reshape(tf.gather(self.start - self.first_row, t) + rows, [-1])


def _run(networks: _Networks, seen: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
  """Returns the raw parameters of a wave, `[1, n, 1, raw channels]`, from its neighbours."""
  context = exact.weigh_symbols(seen, networks.context)[None, :, None]
  features = tf.gather(networks.from_features, positions)[None, :, None]
  x = exact.multiply(context, networks.first._replace(bias=features))
  for layer in networks.layers:
    x = layer(x)
  return x
