import numpy as np
import tensorflow as tf

from tfusq.export import bands


def test_a_part_is_visited_piece_by_piece_in_raster_order(mode, monkeypatch):
  monkeypatch.setattr(bands, 'POSITIONS', 10)
  x = tf.reshape(tf.range(6 * 4 * 2.0), [1, 6, 4, 2])
  parameters = tf.reshape(tf.range(6 * 4 * 3.0), [1, 6, 4, 3])

  def visit(lengths, inputs):
    piece, raw = inputs
    assert piece.shape[3] == 2 and raw.shape[3] == 3
    return tf.concat([lengths, [tf.shape(raw)[1]]], 0), piece + raw[..., :2]

  def scan():
    # A state of no fixed length, as the handle of a coder has none.
    empty = tf.compat.v1.placeholder_with_default(tf.zeros([0], tf.int32), [None])
    return bands.scan(visit, empty, [x, parameters], 2)

  lengths, y_hat = mode(scan)()
  np.testing.assert_array_equal(lengths, [10, 10, 4])
  np.testing.assert_array_equal(y_hat, x + parameters[..., :2])
