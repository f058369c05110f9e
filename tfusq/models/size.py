"""A model's size: parameters and multiply-accumulates of each network."""

import collections
from collections.abc import Iterable
from typing import NamedTuple

import tensorflow as tf

from tfusq.models import CentredModel, Model
from tfusq.models.contexts import MaskedConv2D
from tfusq.models.watching import Observer, watched
from tfusq.transforms import GDN, LINEAR, Conv2DTranspose

# Pixels; a multiple of the sides that every latent needs, so that nothing is padded.
_SIDE = 256


class Row(NamedTuple):
  """Size of one network.

  Attributes:
    name: Attribute of the model that holds the network.
    parameters: Number of trained numbers.
    encoding: Thousands of multiply-accumulates per pixel of an image that is compressed.
    decoding: Thousands of multiply-accumulates per pixel of an image that is decompressed.
  """

  name: str
  parameters: int
  encoding: float
  decoding: float


def summary(centred_model: CentredModel) -> list[Row]:
  """Counts parameters, and multiply-accumulates of convolutions and GDN.

  Of masked convolutions only the positions that they see are counted.

  Args:
    centred_model: Created model.

  Returns:
    A row for each network, then one for the entropy models.
  """
  model = centred_model.model
  networks = model.networks()
  analysis, walk, synthesis = _multiply_accumulates(centred_model)

  rows = []
  for name, layers in networks.items():
    encoding = analysis[name] + walk[name]
    decoding = walk[name] + synthesis[name]
    rows.append(Row(name, _parameters(layers), _per_pixel(encoding), _per_pixel(decoding)))

  rows.append(Row('entropy_models', _parameters(model.entropy_models.values()), 0.0, 0.0))
  return rows


def table(centred_model: CentredModel) -> str:
  """Returns the sizes as text, with their sums.

  Args:
    centred_model: Created model.
  """
  rows = summary(centred_model)
  total = Row(
    'all',
    sum(row.parameters for row in rows),
    sum(row.encoding for row in rows),
    sum(row.decoding for row in rows),
  )

  lines = [f'{"":<18}{"parameters":>12}{"kMAC/pixel: encoding":>22}{"decoding":>10}']
  for row in [*rows, total]:
    lines.append(f'{row.name:<18}{row.parameters:>12,}{row.encoding:>22.1f}{row.decoding:>10.1f}')
  return '\n'.join(lines)


def _multiply_accumulates(centred_model: CentredModel) -> list[collections.Counter]:
  """Counts the multiply-accumulates of each network in one image.

  Returns:
    Counts by network of the three phases: from the image to its latents, the walk through the
    latents, and from the latent to the reconstruction. Compressing takes the first two and
    decompressing the last two.
  """
  model = centred_model.model
  owners = _owners(model)
  layers = [
    layer for layer in model.submodules if isinstance(layer, (*LINEAR, GDN)) and id(layer) in owners
  ]
  counts: list[collections.Counter] = [collections.Counter() for _ in range(3)]
  analysis, walk, synthesis = (_counting(owners, count) for count in counts)

  image = tf.zeros([1, _SIDE, _SIDE, 3])
  with watched(layers, analysis):
    visitor = centred_model.rounding_visitor(image)
  with watched(layers, walk):
    y_hat = model.walk(visitor, tf.constant(1), tf.constant(_SIDE), tf.constant(_SIDE))
  with watched(layers, synthesis):
    model.reconstruct(y_hat, tf.constant(_SIDE), tf.constant(_SIDE))
  return counts


def _owners(model: Model) -> dict[int, str]:
  """Returns the network of each layer, and of each layer inside it, by identity."""
  owners = {}
  for name, layers in model.networks().items():
    for layer in layers:
      for part in (layer, *layer.submodules):
        owners[id(part)] = name
  return owners


def _counting(owners: dict[int, str], counts: collections.Counter) -> Observer:
  """Returns an observer that adds the multiply-accumulates of a call to those of its network."""

  def observe(layer, inputs, outputs):
    counts[owners[id(layer)]] += _macs(layer, inputs, outputs)

  return observe


def _macs(layer: tf.keras.layers.Layer, inputs: tf.Tensor, outputs: tf.Tensor) -> int:
  """Returns the multiply-accumulates of one call."""
  if isinstance(layer, GDN):
    return int(tf.size(inputs)) * inputs.shape[-1]

  # Each position of the smaller side meets the whole kernel.
  smaller = inputs if isinstance(layer, Conv2DTranspose) else outputs
  seen = layer.mask.mean() if isinstance(layer, MaskedConv2D) else 1
  return int(seen * int(tf.size(layer.kernel)) * int(tf.size(smaller)) / smaller.shape[-1])


def _per_pixel(macs: int) -> float:
  """Returns thousands of multiply-accumulates per pixel."""
  return macs / (1000 * _SIDE**2)


def _parameters(modules: Iterable[tf.Module]) -> int:
  """Returns the number of trained numbers in layers or entropy models."""
  count = 0
  for module in modules:
    for variable in module.trainable_variables:
      count += int(tf.size(variable))
  return count
