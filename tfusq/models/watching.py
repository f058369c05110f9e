"""Watching the layers of a model while it runs."""

import contextlib
from collections.abc import Callable, Iterable, Iterator

import tensorflow as tf

# Called with a layer, its input and its output.
Observer = Callable[[tf.keras.layers.Layer, tf.Tensor, tf.Tensor], None]


@contextlib.contextmanager
def watched(layers: Iterable[tf.keras.layers.Layer], observer: Observer) -> Iterator[None]:
  """Calls a function after each eager call of a layer, as long as the context lasts.

  Args:
    layers: Layers to watch.
    observer: Function that is called with the layer, its input and its output.
  """
  watched_layers = list(layers)
  for layer in watched_layers:
    # Past Keras, which would track the function as a part of the layer.
    object.__setattr__(layer, 'call', _observed(layer, observer))
  try:
    yield
  finally:
    # The method of the class shows again.
    for layer in watched_layers:
      object.__delattr__(layer, 'call')


def _observed(layer: tf.keras.layers.Layer, observer: Observer) -> Callable:
  """Returns the layer's `call` followed by the observer."""
  call = layer.call

  def call_and_observe(inputs):
    outputs = call(inputs)
    # Keras traces a sequence of layers once before it runs it; that is no call.
    if tf.executing_eagerly():
      observer(layer, inputs, outputs)
    return outputs

  return call_and_observe
