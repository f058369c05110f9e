"""A trained codec -> a SavedModel that compresses and decompresses without tfusq.

    compress(image)   uint8 [height, width, 3] -> string: the whole file
    decompress(data)  string -> uint8 [height, width, 3]; fails unless all checks of the file hold
    evaluate(image)   -> {'data', 'bits', 'reconstruction'}: the same encoder path, with what the
                      entropy models estimate for each section, and the decoder's image

A codec of variable rate also takes a quality, and has two functions more; one that refines has
`refine`; see `tfusq.export.functions`.

The signatures of these names, which TensorFlow Serving offers, are the same functions. One that is
asked for by no name compresses, if the codec does. An output that is a file is called `data_bytes`,
because Serving's REST interface encodes those names in base64.

The networks' variables and the integer tables are in it; the training class is not. Encoder and
decoder walk the model in the same way and in the same shapes, and turn what the networks say into
table indexes before anything is coded; a fingerprint of the indexes detects another machine's
floats, see `tfusq.export.visitors`.
"""

import json
import os
import types
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.saved_model import save_context

from tfusq import files
from tfusq.export import bitstream
from tfusq.export.bitstream import ExportError
from tfusq.export.client import DESCRIPTION
from tfusq.export.functions import Functions
from tfusq.export.quality_range import QualityRange
from tfusq.export.saving import new_saved_model, nodes_of
from tfusq.files import AnyPath
from tfusq.models import CentredModel, VariableRate
from tfusq.models.variable_rate import STEPS_PER_LEVEL
from tfusq.models.watching import watched
from tfusq.refinement import Refiner
from tfusq.training import exported_weights
from tfusq.transforms import LINEAR, exact

# Pixels of an image that any model takes.
_SIDE = 64


def export(
  centred_model: CentredModel,
  path: str | os.PathLike,
  description: dict,
  force: bool = False,
  decoder_only: bool = False,
  refiner: Refiner | None = None,
) -> str:
  """Writes a codec as a SavedModel, whole or not at all.

  Args:
    centred_model: A trained codec's model.
    path: Folder to make.
    description: Further content of `codec.json`, JSON-serializable.
    force: Whether an existing folder may be replaced.
    decoder_only: Whether to leave out the networks and functions that only compressing needs. The
      result decodes the whole codec's files, and has its identity.
    refiner: Refiner of latents, for a function `refine`; None for none, as in a decoder.

  Returns:
    The codec's identity, hexadecimal.

  Raises:
    ExportError: if an entropy model has no bitstream for the way this codec quantizes, weights are
      not finite or too large for exact arithmetic, networks or this machine's products are of less
      precision than float32, or the folder can't be written.
    Exists: if `path` exists and may not be replaced.
  """
  files.check_folder(path, force, DESCRIPTION)
  if not tf.function(exact.holds, autograph=False)(tf.constant(1)):
    raise ExportError(bitstream.INEXACT)
  options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
  # What is traced otherwise would be traced once more to be saved.
  with save_context.save_context(options):
    module = CodecModule(centred_model, decoder_only, refiner)
    module.trace()
  identity = module.identity.hex()
  description = {
    'identity': identity,
    'sections': list(centred_model.model.entropy_models),
    'decoder_only': decoder_only,
    'refinement': refiner and refiner.refinement.describe(),
    **_describe_qualities(centred_model.variable_rate),
    **description,
  }

  with new_saved_model(path, module, module.served, DESCRIPTION, force, options) as draft:
    _forget_gradients(draft)
    if not decoder_only:
      exported_weights.write(draft, centred_model.weights(), module.variables_in_order)
    (draft / DESCRIPTION).write_text(json.dumps(description, indent=2))
  return identity


class CodecModule(tf.Module):
  """The object that is exported: variables, tables and traced functions.

  Attributes:
    identity: The codec's identity, 8 bytes.
    served: Functions that become signatures, by name.
  """

  def __init__(
    self,
    centred_model: CentredModel,
    decoder_only: bool = False,
    refiner: Refiner | None = None,
  ):
    """Makes the tables.

    Args:
      centred_model: A codec's model, its variables created.
      decoder_only: Whether `decompress` is the only function.
      refiner: Refiner of latents; None where there is no function `refine`.

    Raises:
      ExportError: if an entropy model has no bitstream for the way this codec quantizes, or weights
        are not finite or too large for exact arithmetic.
    """
    super().__init__(name='codec')
    # The model is no attribute: only variables are tracked, since Keras layers would be saved
    # with a graph for each of their calls.
    coding = bitstream.make_coding(centred_model)
    _require_exact(centred_model)
    self._coders = coding.coders
    self._exact = exact.Store()
    qualities = coding.qualities
    self._variables = centred_model.variables()
    self._variables += [*qualities.encoder_tables, *qualities.decoder_tables]
    self.identity = coding.identity

    functions = Functions(coding, self._exact, decoder_only, None if decoder_only else refiner)
    for name, function in functions.for_python().items():
      setattr(self, name, function)
    # A dictionary would be exported as an attribute.
    self.served = types.MappingProxyType(functions.served())

  @property
  def variables_in_order(self) -> list[tf.Variable]:
    """Variables as the SavedModel has them, numbered by their places here."""
    return list(self._variables)

  def trace(self) -> None:
    """Traces the functions, and keeps the variables alone that one of them reads.

    The weights that are rounded for exact arithmetic are made meanwhile; those that they were made
    of are not needed any more, save to train on, see `tfusq.training.exported_weights`.
    """
    # A function's `variables` are also those that were read while it was traced, to be rounded.
    read: set[int] = set()
    for function in self.served.values():
      concrete = function.get_concrete_function()
      read.update(id(captured) for captured in concrete.captured_inputs)
    variables = [*self._variables, *self._exact.variables]
    self._variables = [variable for variable in variables if id(variable.handle) in read]


def _describe_qualities(variable_rate: VariableRate | None) -> dict[str, Any]:
  """Returns what `codec.json` says of the qualities; nothing if there is one."""
  if variable_rate is None:
    return {}
  default = 1 + variable_rate.default_step / STEPS_PER_LEVEL
  qualities = QualityRange(variable_rate.lambdas, STEPS_PER_LEVEL, default)
  return {'qualities': qualities._asdict()}


def _require_exact(centred_model: CentredModel) -> None:
  """Refuses networks that do not compute in float32, or with whose weights it would overflow."""
  for variable in centred_model.variables():
    if not np.isfinite(variable.numpy()).all():
      raise ExportError(f'the weights {variable.name} are not finite')

  for layer in centred_model.model.submodules:
    if isinstance(layer, tf.keras.layers.Layer) and layer.compute_dtype != 'float32':
      raise ExportError(
        f'the networks compute in {layer.compute_dtype}: export the run, not the codec in training'
      )

  for layer in _layers_of_walk(centred_model):
    total = exact.weight_sum(layer.kernel.numpy(), layer.output_axis)
    if not total <= exact.MAX_WEIGHT_SUM:
      raise ExportError(
        f'the weights of {layer.name} are too large for exact arithmetic: their '
        f'absolute sum is {total:g}, and at most {exact.MAX_WEIGHT_SUM:g}'
      )


def _layers_of_walk(centred_model: CentredModel) -> list[tf.keras.layers.Layer]:
  """Returns the layers that decide table indexes, and so are computed in exact arithmetic."""
  model = centred_model.model
  layers = [layer for layer in model.submodules if isinstance(layer, LINEAR)]
  visitor = centred_model.rounding_visitor(tf.zeros([1, _SIDE, _SIDE, 3]))
  called: dict[int, tf.keras.layers.Layer] = {}  # some are called for several parts
  with watched(layers, lambda layer, *_: called.update({id(layer): layer})):
    model.walk(visitor, tf.constant(1), tf.constant(_SIDE), tf.constant(_SIDE))
  return list(called.values())


def _forget_gradients(path: AnyPath) -> None:
  """Removes the marks of custom gradients: a client would be warned that it can't train."""
  file = path / 'saved_model.pb'
  saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())

  for meta_graph in saved_model.meta_graphs:
    for node in nodes_of(meta_graph.graph_def):
      node.attr.pop('_gradient_op_type', None)

  file.write_bytes(saved_model.SerializeToString(deterministic=True))
  # TensorFlow's fingerprint is of the graph as it was.
  (path / 'fingerprint.pb').unlink()
