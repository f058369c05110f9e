"""A model's size: parameters and multiply-accumulates of each network."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfusq.models.contexts import MaskedConv2D
from tfusq.training.codec import Codec
from tfusq.transforms import GDN, LINEAR, Conv2DTranspose

_SIDE = 256  # pixels; a multiple of what every latent needs
_PHASES = ('latents', 'walk', 'reconstruct')


class Row(NamedTuple):
  """Figures of one network.

  Attributes:
    name: The model's attribute that holds it.
    parameters: How many numbers are trained.
    encoding: Thousands of multiply-accumulates for each pixel of an image that is compressed.
    decoding: The same of one that is decompressed.
  """

  name: str
  parameters: int
  encoding: float
  decoding: float


def summary(codec: Codec) -> list[Row]:
  """Counts convolutions, of masked ones what they see, and GDN.

  Args:
    codec: A created codec.

  Returns:
    A row for each network, then one for the entropy models.
  """
  model = codec.model
  macs = {name: dict.fromkeys(_PHASES, 0) for name in model.networks()}
  owners = {
    id(part): name
    for name, layers in model.networks().items()
    for layer in layers
    for part in (layer, *layer.submodules)
  }
  counted = [
    layer for layer in model.submodules if isinstance(layer, (*LINEAR, GDN)) and id(layer) in owners
  ]
  phase = []

  def record(layer, inputs, outputs):
    macs[owners[id(layer)]][phase[-1]] += _macs(layer, inputs, outputs)

  def entering(name):
    method = getattr(model, name)

    def wrapped(*args):
      phase.append(name)
      return method(*args)

    return wrapped

  with watched(counted, record), _replaced([(model, name, entering(name)) for name in _PHASES]):
    codec.hard(tf.zeros([1, _SIDE, _SIDE, 3]))
  pixels = 1000 * _SIDE**2
  rows = [
    Row(
      name,
      _count(
        variable for layer in model.networks()[name] for variable in layer.trainable_variables
      ),
      (found['latents'] + found['walk']) / pixels,
      (found['walk'] + found['reconstruct']) / pixels,
    )
    for name, found in macs.items()
  ]
  return [
    *rows,
    Row(
      'entropy_models',
      _count(
        variable
        for entropy_model in model.entropy_models.values()
        for variable in entropy_model.trainable_variables
      ),
      0.0,
      0.0,
    ),
  ]


def table(codec: Codec) -> str:
  """Returns the figures as text, with their sums."""
  rows = summary(codec)
  columns = np.array([row[1:] for row in rows])
  total = Row('all', int(columns[:, 0].sum()), *columns[:, 1:].sum(0))
  return '\n'.join(
    [
      f'{"":<18}{"parameters":>12}{"kMAC/pixel: encoding":>22}{"decoding":>10}',
      *(
        f'{row.name:<18}{row.parameters:>12,}{row.encoding:>22.1f}{row.decoding:>10.1f}'
        for row in [*rows, total]
      ),
    ]
  )


@contextlib.contextmanager
def watched(layers: Iterable[tf.keras.layers.Layer], record: Callable) -> Iterator[None]:
  """Calls `record(layer, inputs, outputs)` after each eager call of a layer."""

  def recording(layer):
    call = layer.call

    def wrapped(inputs):
      outputs = call(inputs)
      if tf.executing_eagerly():  # Keras traces a sequence of layers once before it runs it
        record(layer, inputs, outputs)
      return outputs

    return wrapped

  with _replaced([(layer, 'call', recording(layer)) for layer in layers]):
    yield


@contextlib.contextmanager
def _replaced(methods):
  """Puts other methods into objects for a while."""
  for owner, name, method in methods:
    object.__setattr__(owner, name, method)
  try:
    yield
  finally:
    for owner, name, _ in methods:
      object.__delattr__(owner, name)


def _macs(layer, inputs, outputs) -> int:
  if isinstance(layer, GDN):
    return int(tf.size(inputs)) * inputs.shape[-1]
  # Each position of the smaller side meets the whole kernel.
  places = inputs if isinstance(layer, Conv2DTranspose) else outputs
  seen = layer.mask.mean() if isinstance(layer, MaskedConv2D) else 1
  return int(seen * int(tf.size(layer.kernel)) * int(tf.size(places)) / places.shape[-1])


def _count(variables) -> int:
  return sum(int(tf.size(variable)) for variable in variables)
