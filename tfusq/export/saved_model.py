"""A trained codec -> a SavedModel that compresses and decompresses without tfusq.

    compress(image)   uint8 [height, width, 3] -> string: the whole file
    decompress(data)  string -> uint8 [height, width, 3]; fails unless all checks of the file hold
    evaluate(image)   -> {'data', 'bits', 'reconstruction'}: the same encoder path, with what the
                      entropy models estimate for each section, and the decoder's image

The networks' variables and the integer tables are in it; the training class is not. Encoder and
decoder walk the model in the same way and in the same shapes, and turn what the networks say into
table indexes before anything is coded; a fingerprint of the indexes detects another machine's
floats, see `tfusq.export.bitstream`.
"""

import json
import os

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfusq import files
from tfusq.export import bitstream
from tfusq.export.bitstream import ExportError
from tfusq.export.client import DESCRIPTION
from tfusq.export.identity import codec_identity, encoder_variables
from tfusq.files import AnyPath
from tfusq.models import CentredModel, Model
from tfusq.transforms import LINEAR, exact
from tfusq.transforms.pixels import to_uint8


def export(
  centred_model: CentredModel,
  path: str | os.PathLike,
  description: dict,
  force: bool = False,
  decoder_only: bool = False,
) -> str:
  """Writes a codec as a SavedModel, whole or not at all.

  Args:
    centred_model: A trained codec's model.
    path: Folder to make.
    description: Further content of `codec.json`, JSON-serializable.
    force: Whether an existing folder may be replaced.
    decoder_only: Whether to leave out the networks and functions that only compressing needs. The
      result decodes the whole codec's files, and has its identity.

  Returns:
    The codec's identity, hexadecimal.

  Raises:
    ExportError: if an entropy model has no bitstream for the way this codec quantizes, or weights
      are not finite or too large for exact arithmetic.
    Exists: if `path` exists and may not be replaced.
  """
  files.check_folder(path, force, DESCRIPTION)
  module = CodecModule(centred_model, decoder_only)
  identity = module.identity.hex()
  description = {
    'identity': identity,
    'sections': list(centred_model.model.entropy_models),
    'decoder_only': decoder_only,
    **description,
  }

  with files.new_folder(path, force, DESCRIPTION) as draft:
    tf.saved_model.save(
      module,
      str(draft),
      signatures={name: getattr(module, name) for name in module.functions},
      options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )
    _forget_gradients(draft)
    (draft / DESCRIPTION).write_text(json.dumps(description, indent=2))
  return identity


class CodecModule(tf.Module):
  """The object that is exported: variables, tables and traced functions.

  Attributes:
    identity: The codec's identity, 8 bytes.
    functions: Names of the traced functions.
  """

  def __init__(self, centred_model: CentredModel, decoder_only: bool = False):
    """Makes the tables.

    Args:
      centred_model: A codec's model, its variables created.
      decoder_only: Whether `decompress` is the only function.

    Raises:
      ExportError: if an entropy model has no bitstream for the way this codec quantizes, or weights
        are not finite or too large for exact arithmetic.
    """
    super().__init__(name='codec')
    model = centred_model.model
    # The model is no attribute: only variables are tracked, since Keras layers would be saved
    # with a graph for each of their calls.
    self._coders = bitstream.make_coders(centred_model)
    _require_exact(model)
    left_out = encoder_variables(model) if decoder_only else set()
    self._variables = [variable for variable in model.variables if variable.ref() not in left_out]
    self.identity = codec_identity(centred_model, self._coders)

    self.decompress = self._decompress_function(centred_model)
    self.functions = ['decompress']
    if not decoder_only:
      self.compress = self._compress_function(centred_model)
      self.evaluate = self._evaluate_function(centred_model)
      self.functions = ['compress', 'decompress', 'evaluate']

  def _compress_function(self, centred_model):
    coders, identity = self._coders, self.identity

    def compress(image):
      return bitstream.encode(centred_model, coders, identity, image).data

    return tf.function(compress, [tf.TensorSpec([None, None, 3], tf.uint8, 'image')])

  def _decompress_function(self, centred_model):
    coders, identity = self._coders, self.identity

    def decompress(data):
      y_hat, height, width = bitstream.decode(centred_model, coders, identity, data)
      return to_uint8(centred_model.model.reconstruct(y_hat, height, width)[0])

    return tf.function(decompress, [tf.TensorSpec([], tf.string, 'data')])

  def _evaluate_function(self, centred_model):
    coders, identity = self._coders, self.identity

    def evaluate(image):
      encoded = bitstream.encode(centred_model, coders, identity, image, bitstream.PricedEncoder)
      x = centred_model.model.reconstruct(encoded.y_hat, encoded.height, encoded.width)
      return {
        'data': encoded.data,
        'bits': tf.stack(list(encoded.encoder.bits().values())),
        'reconstruction': to_uint8(x[0]),
      }

    return tf.function(evaluate, [tf.TensorSpec([None, None, 3], tf.uint8, 'image')])


def _require_exact(model: Model) -> None:
  """Refuses weights that are not finite, or with which exact arithmetic would overflow."""
  for variable in model.variables:
    if not np.isfinite(variable.numpy()).all():
      raise ExportError(f'the weights {variable.name} are not finite')

  encoder = encoder_variables(model)
  for layer in model.submodules:
    if not isinstance(layer, LINEAR) or layer.kernel.ref() in encoder:
      continue
    total = exact.weight_sum(layer.kernel.numpy(), layer.output_axis)
    if not total <= exact.MAX_WEIGHT_SUM:
      raise ExportError(
        f'the weights of {layer.name} are too large for exact arithmetic: their '
        f'absolute sum is {total:g}, and at most {exact.MAX_WEIGHT_SUM:g}'
      )


def _forget_gradients(path: AnyPath) -> None:
  """Removes the marks of custom gradients: a client would be warned that it can't train."""
  file = path / 'saved_model.pb'
  saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())

  for meta_graph in saved_model.meta_graphs:
    graph = meta_graph.graph_def
    functions = [function.node_def for function in graph.library.function]
    for nodes in [graph.node, *functions]:
      for node in nodes:
        node.attr.pop('_gradient_op_type', None)

  file.write_bytes(saved_model.SerializeToString(deterministic=True))
  # TensorFlow's fingerprint is of the graph as it was.
  (path / 'fingerprint.pb').unlink()
