import pytest
import tensorflow as tf

from tfusq.models.watching import watched


def make_layer(units):
  layer = tf.keras.layers.Dense(units)
  layer.build([1, 3])
  return layer


def test_calls_are_seen_as_long_as_the_context_lasts():
  layer, other = make_layer(2), make_layer(2)
  calls = []
  x = tf.ones([1, 3])
  with watched([layer], lambda *call: calls.append(call)):
    y = layer(x)
    other(x)
  layer(x)
  ((seen, inputs, outputs),) = calls
  assert seen is layer
  assert inputs.shape == [1, 3] and (outputs.numpy() == y.numpy()).all()


def test_an_error_leaves_the_layer_as_it_was():
  layer = make_layer(2)
  with pytest.raises(ZeroDivisionError), watched([layer], lambda *_: None):
    raise ZeroDivisionError
  assert 'call' not in vars(layer)


def test_tracing_is_no_call():
  layer = make_layer(2)
  calls = []
  with watched([layer], lambda *call: calls.append(call)):
    tf.function(layer)(tf.ones([1, 3]))
  assert not calls
