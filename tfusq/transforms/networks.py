"""Networks: layers one after another."""

import tensorflow as tf

from tfusq.transforms import exact, keras_2, tiling

keras_2.require()

# Side of a tile in positions of the latent, which take some thousand bytes in exact arithmetic. As
# each tile has steps of its own, it belongs to the arithmetic that files name.
_TILE_SIDE = 128


class Sequential(tf.keras.Sequential):
  """Layers one after another.

  Keras' own makes a graph of its layers, and makes it anew whenever one side of its input differs
  from those before, which takes much longer than to run them.
  """

  def call(
    self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
  ) -> tf.Tensor:
    # Keras itself hands the other arguments on to layers that take them.
    for layer in self.layers:
      inputs = layer(inputs)
    return inputs


class Network(Sequential):
  """Layers one after the other, whose result is float32, whatever they compute in themselves.

  Quantizers, entropy models and losses take it so where a training has its networks compute in
  16 bits. In exact arithmetic large inputs are computed in tiles, the same ones everywhere.
  """

  def call(
    self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
  ) -> tf.Tensor:
    if exact.active() and not tiling.is_small(inputs, _TILE_SIDE):
      return tiling.run(self._whole, inputs, self._reach(inputs.shape[-1]), _TILE_SIDE)
    return self._whole(inputs)

  def _whole(self, inputs):
    return tf.cast(super().call(inputs), tf.float32)

  def _reach(self, channels):
    """Returns how far the layers see, which is found once."""
    if not hasattr(self, '_tile_reach'):
      self._tile_reach = tiling.find_reach(self._whole, channels, 1)
    return self._tile_reach
