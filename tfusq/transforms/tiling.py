"""Large pictures in tiles that overlap, with the result of the whole, one tile in memory at a time.

Sides are counted in cells: a cell is the square of inputs that becomes one position of the coarsest
output, 16 x 16 pixels for the usual analysis. An output depends on cells around its own, and how
far is found by experiment, for any layer: one cell of a strip is NaN, and wherever that spreads, an
output depends on the cell. A tile is computed with as many cells around it, and cropped:

            before   tile    after
          |........|########|....|          cells that the function sees
                   |########|               cells whose outputs are kept

At the picture's own borders there is nothing around a tile, and the function pads it as it pads the
whole picture. What depends on everything, as a mean over all positions does, can't be tiled.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tfusq.transforms import exact

# Cells of the strips on which reaches are found, across and along.
_ACROSS = 4
_LENGTHS = (16, 64, 512)
# Greatest difference between tile and whole, relative to the greatest output. Sums of floats in
# another order stay far below, and what was cut off by mistake does not.
_TOLERANCE = 1e-3

Function = Callable[[tf.Tensor], Any]


@dataclasses.dataclass(frozen=True)
class Output:
  """One output of a function that is run in tiles.

  Attributes:
    positions: Positions on each side that a cell becomes.
    channels: Number of channels.
  """

  positions: int
  channels: int


@dataclasses.dataclass(frozen=True)
class Reach:
  """What a function makes of a cell, and which cells around it it needs.

  Attributes:
    cell: Positions of the input on each side of a cell.
    before: Cells that are needed above, and those on the left.
    after: Cells that are needed below, and those on the right.
    outputs: The function's outputs, a nest of `Output`.
  """

  cell: int
  before: tuple[int, int]
  after: tuple[int, int]
  outputs: Any


# It runs eagerly, also while a graph is traced, whose conversion would take it for a part of it.
@tf.autograph.experimental.do_not_convert
def find_reach(function: Function, channels: int, cell: int) -> Reach | None:
  """Finds by experiment how a function can be run in tiles.

  Args:
    function: Function of `float32[batch, height, width, channels]` with sides that are multiples of
      `cell`; returns a tensor, or a nest of them, of the same rank and proportionally many rows and
      columns. Its variables exist.
    channels: Number of channels of the input.
    cell: Positions of the input on each side of a cell.

  Returns:
    The reach; None if outputs depend on the whole input, or on where in it they lie.
  """
  # In exact arithmetic one NaN would spread to a whole picture, whose steps it makes NaN.
  with tf.init_scope(), exact.floats():
    before, after = [], []
    for axis in (1, 2):
      found = _reach_along(function, channels, cell, axis)
      if found is None:
        return None
      before.append(found[0])
      after.append(found[1])
    outputs = tf.nest.map_structure(
      lambda y: Output(y.shape[1] // _ACROSS, y.shape[3]),
      function(tf.zeros([1, _ACROSS * cell, _ACROSS * cell, channels])),
    )
  return Reach(cell, (before[0], before[1]), (after[0], after[1]), outputs)


def _reach_along(function: Function, channels: int, cell: int, axis: int) -> tuple[int, int] | None:
  """Returns the cells needed before and after along an axis; None for all of them."""
  for length in _LENGTHS:
    sides = [_ACROSS * cell, _ACROSS * cell]
    sides[axis - 1] = length * cell
    values = tf.random.stateless_uniform([1, *sides, channels], [1, 2])

    middle = length // 2
    is_middle = tf.range(length * cell) // cell == middle
    is_middle = tf.reshape(is_middle, [-1, 1, 1] if axis == 1 else [1, -1, 1])
    with_nan = tf.where(is_middle, float('nan'), values)
    whole = function(tf.concat([values, with_nan], 0))

    first, last = _extent_of_nan(whole, length, axis)
    if first > 0 and last < length - 1:
      before, after = max(last - middle, 0), max(middle - first, 0)
      is_local = _equals_crop(function, values, whole, before, after, axis, length)
      return (before, after) if is_local else None
  return None


def _extent_of_nan(outputs: Any, length: int, axis: int) -> tuple[int, int]:
  """Returns the first and the last cell of which an output of the second input is NaN."""
  cells = []
  for y in tf.nest.flatten(outputs):
    is_nan = tf.reduce_any(tf.math.is_nan(y[1]), [2 - axis, 2])
    positions = y.shape[axis] // length
    cells += (tf.where(is_nan)[:, 0] // max(positions, 1)).numpy().tolist()
    if positions * length != y.shape[axis]:
      return 0, length  # not in proportion
  return (min(cells), max(cells)) if cells else (0, length)


def _equals_crop(
  function: Function,
  values: tf.Tensor,
  whole: Any,
  before: int,
  after: int,
  axis: int,
  length: int,
) -> bool:
  """Returns whether a piece of the input gives the piece of the output that its reach says."""
  cell = values.shape[axis] // length
  crop = function(_slice(values, axis, cell, (length - 1) * cell))
  for y, cropped in zip(tf.nest.flatten(whole), tf.nest.flatten(crop), strict=True):
    positions = y.shape[axis] // length
    start, stop = 1 + before, length - 1 - after
    expected = _slice(y[:1], axis, start * positions, stop * positions)
    found = _slice(cropped, axis, before * positions, (stop - 1) * positions)
    if found.shape != expected.shape:
      return False
    limit = _TOLERANCE * tf.reduce_max(tf.abs(expected))
    if not tf.reduce_max(tf.abs(found - expected)) <= limit:
      return False
  return True


def _slice(x: tf.Tensor, axis: int, start: int | tf.Tensor, stop: int | tf.Tensor) -> tf.Tensor:
  """Returns the positions from `start` to `stop` of axis 1 or 2."""
  return x[:, start:stop] if axis == 1 else x[:, :, start:stop]


def is_small(x: tf.Tensor, side: int) -> bool:
  """Returns whether an input is known to fit into one tile.

  Args:
    x: `[batch, height, width, channels]`.
    side: Greatest side of a square tile in positions of `x`.
  """
  height, width = x.shape[1:3]
  return None not in (height, width) and height * width <= side**2


def run(
  function: Function,
  x: tf.Tensor,
  reach: Reach | None,
  side: int,
  dtype: tf.DType = tf.float32,
  sizes: tuple[tf.Tensor, tf.Tensor] | None = None,
) -> Any:
  """Runs a function in tiles, one after the other.

  Args:
    function: The function. It may convert what the one whose reach was found takes and returns.
    x: `[batch, height, width, channels]`, of any sides.
    reach: Result of `find_reach`; None runs the function on the whole input.
    side: Greatest side of a square tile in cells. Where the input is narrower, tiles are as much
      longer.
    dtype: Type of the outputs.
    sizes: Height and width to which the outputs are cropped; None keeps them in proportion.

  Returns:
    What the function returns, `[batch, height, width, channels]` each, on the processor.
  """
  if reach is None:
    return tf.nest.map_structure(lambda y: _cropped(y, sizes), function(x))

  # Outputs of large pictures may exceed a card's memory; each tile is computed wherever it is fast.
  pinned = exact.active()
  with tf.device('/cpu:0'):
    grid = _Grid(x, reach, side)

    def run_tile(number, results):
      rows, columns = grid.intervals(number)
      tile = x[:, rows.inputs, columns.inputs]
      with tf.device('/cpu:0' if pinned else None):
        outputs = function(tile)

      def written(result, y, output):
        return _written(result, y, output.positions, rows, columns)

      return number + 1, tf.nest.map_structure(written, results, outputs, reach.outputs)

    def empty(output):
      height, width = sizes or grid.output_sizes(output)
      return tf.zeros([tf.shape(x)[0], height, width, output.channels], dtype)

    def shape(output):
      return tf.TensorShape([x.shape[0], None, None, output.channels])

    _, results = tf.while_loop(
      lambda number, _: number < grid.tiles,
      run_tile,
      (tf.constant(0), tf.nest.map_structure(empty, reach.outputs)),
      shape_invariants=(tf.TensorShape([]), tf.nest.map_structure(shape, reach.outputs)),
      parallel_iterations=1,
    )
  return results


def write(
  x: tf.Tensor, piece: tf.Tensor, row: int | tf.Tensor, column: int | tf.Tensor
) -> tf.Tensor:
  """Returns a tensor with a piece of it replaced.

  Where nothing else reads the tensor, TensorFlow writes into it, in the time of the piece.

  Args:
    x: `[batch, height, width, channels]`.
    piece: `[batch, rows, columns, channels]`, of the dtype of `x`.
    row: First row that is replaced.
    column: First column that is replaced.

  Returns:
    Tensor of the shape of `x`.
  """
  start = tf.stack([0, row, column, 0])
  return tf.raw_ops.TensorStridedSliceUpdate(
    input=x,
    begin=start,
    end=start + tf.shape(piece),
    strides=[1, 1, 1, 1],
    value=piece,
  )


class _Interval(NamedTuple):
  """A tile along one axis.

  Attributes:
    start: First cell that is kept.
    stop: Cell after the last one that is kept.
    first: First cell that the function sees.
    inputs: Positions of the input that it sees.
  """

  start: tf.Tensor
  stop: tf.Tensor
  first: tf.Tensor
  inputs: slice


class _Grid:
  """Tiles of one input, in raster order.

  Attributes:
    tiles: Number of tiles, a scalar `int32`.
  """

  def __init__(self, x: tf.Tensor, reach: Reach, side: int):
    """Divides the input into as few tiles as possible, of about equal sides."""
    self._reach = reach
    self._positions = tf.unstack(tf.shape(x)[1:3])
    self._cells = [_ceil_div(positions, reach.cell) for positions in self._positions]

    counts = []
    for cells, across in zip(self._cells, reversed(self._cells)):
      counts.append(_ceil_div(cells, tf.maximum(side, side**2 // across)))
    self._sides = [_ceil_div(cells, count) for cells, count in zip(self._cells, counts)]
    self._columns = counts[1]
    self.tiles = counts[0] * counts[1]

  def output_sizes(self, output: Output) -> list[tf.Tensor]:
    """Returns height and width of an output of the whole input."""
    sizes = []
    for positions in self._positions:
      sizes.append(_ceil_div(positions * output.positions, self._reach.cell))
    return sizes

  def intervals(self, number: tf.Tensor) -> tuple[_Interval, _Interval]:
    """Returns the rows and the columns of a tile."""
    return self._interval(0, number // self._columns), self._interval(1, number % self._columns)

  def _interval(self, axis: int, number: tf.Tensor) -> _Interval:
    start = number * self._sides[axis]
    stop = tf.minimum(start + self._sides[axis], self._cells[axis])
    first = tf.maximum(start - self._reach.before[axis], 0)
    last = tf.minimum(stop + self._reach.after[axis], self._cells[axis])

    cell = self._reach.cell
    inputs = slice(first * cell, tf.minimum(last * cell, self._positions[axis]))
    return _Interval(start, stop, first, inputs)


def _written(
  result: tf.Tensor, y: tf.Tensor, positions: int, rows: _Interval, columns: _Interval
) -> tf.Tensor:
  """Writes the part of a tile's output that is kept into the whole."""
  starts, stops = [], []
  for size, interval in zip(tf.unstack(tf.shape(result)[1:3]), (rows, columns)):
    starts.append(tf.minimum(interval.start * positions, size))
    stops.append(tf.minimum(interval.stop * positions, size))

  pieces = []
  for start, stop, interval in zip(starts, stops, (rows, columns)):
    skipped = (interval.start - interval.first) * positions
    pieces.append(slice(skipped, skipped + stop - start))

  return write(result, y[:, pieces[0], pieces[1]], *starts)


def _cropped(y: tf.Tensor, sizes: tuple[tf.Tensor, tf.Tensor] | None) -> tf.Tensor:
  return y if sizes is None else y[:, : sizes[0], : sizes[1]]


def _ceil_div(size: tf.Tensor, divisor: int | tf.Tensor) -> tf.Tensor:
  return (size + divisor - 1) // divisor
