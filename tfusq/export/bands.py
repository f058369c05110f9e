"""Parts of a latent coded piece by piece, in memory that does not grow with the picture.

Beside a symbol itself, coding it takes its parameters, table indexes and windows, a hundred bytes
or so. A part is therefore coded in pieces of `POSITIONS` positions, in raster order, one after the
other into the same string. How it is divided decides where a string has its escapes, so that it
belongs to the format of files.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfusq.transforms import sizes, tiling

# Those of a picture of 4 megapixels.
POSITIONS = 2**14


def scan(
  visit: Callable[[Any, list[tf.Tensor]], tuple[Any, tf.Tensor]],
  state: Any,
  inputs: list[tf.Tensor],
  channels: int,
) -> tuple[Any, tf.Tensor]:
  """Visits a part of one image piece by piece.

  Args:
    visit: Takes the state and a piece of each input, `[1, n, 1, channels]`; returns the next state
      and the quantized piece, of that shape.
    state: Nest of tensors that is carried from piece to piece.
    inputs: Tensors of the part's positions, `[1, height, width, channels]` each, of any channels.
    channels: Number of channels of the part.

  Returns:
    The last state and the quantized part, `[1, height, width, channels]`.
  """
  _, height, width, _ = sizes(inputs[0])
  count = height * width
  flat = [tf.reshape(x, [1, count, 1, x.shape[-1]]) for x in inputs]

  def visit_piece(start, state, y_hat):
    stop = tf.minimum(start + POSITIONS, count)
    state, piece = visit(state, [x[:, start:stop] for x in flat])
    return stop, state, tiling.write(y_hat, piece, start, 0)

  _, state, y_hat = tf.while_loop(
    lambda start, *_: start < count,
    visit_piece,
    (tf.constant(0), state, tf.zeros([1, count, 1, channels])),
    shape_invariants=(
      tf.TensorShape([]),
      tf.nest.map_structure(lambda x: x.shape, state),
      tf.TensorShape([1, None, 1, channels]),
    ),
    # The range coder's handle is a state that must not be forked.
    parallel_iterations=1,
  )
  return state, tf.reshape(y_hat, [1, height, width, channels])
