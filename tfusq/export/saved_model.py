"""A trained codec -> a SavedModel that compresses and decompresses without tfusq.

    compress(image)   uint8 [height, width, 3] -> string: the whole file
    decompress(data)  string -> uint8 [height, width, 3]; fails unless all checks of the file hold
    evaluate(image)   -> {'data', 'bits', 'reconstruction'}: the same encoder path, with what the
                      entropy models estimate for each section, and the decoder's image

The networks' variables and the integer tables are in it; the training class is not. Encoder and
decoder walk the model in the same way and in the same shapes, and turn what the networks say into
table indexes before anything is coded; a fingerprint of the indexes detects another machine's
floats, see `tfusq.bitstream`.
"""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfusq import files, transforms
from tfusq.coding import Coder
from tfusq.export import bitstream, container
from tfusq.export.bitstream import ExportError
from tfusq.export.client import DESCRIPTION
from tfusq.models import Model
from tfusq.training.codec import Codec
from tfusq.transforms import exact


def export(
  codec: Codec,
  path: str | os.PathLike,
  description: dict,
  force: bool = False,
  decoder_only: bool = False,
) -> str:
  """Writes a codec as a SavedModel, whole or not at all.

  Args:
    codec: A trained codec.
    path: Folder to make.
    description: What else to keep in `codec.json`, JSON-serializable.
    force: Whether an existing folder may be replaced.
    decoder_only: Whether to leave out what only compressing needs; it decodes the whole codec's
      files, and has its identity.

  Returns:
    The codec's identity, hexadecimal.

  Raises:
    ExportError: if an entropy model has no bitstream for the way this codec quantizes.
    Exists: if `path` is there and may not be replaced.
  """
  files.check_folder(path, force, DESCRIPTION)
  module = CodecModule(codec, decoder_only)
  identity = module.identity.hex()
  with files.new_folder(path, force, DESCRIPTION) as draft:
    tf.saved_model.save(
      module,
      str(draft),
      signatures={name: getattr(module, name) for name in module.functions},
      options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )
    _forget_gradients(draft)
    (draft / DESCRIPTION).write_text(
      json.dumps(
        {
          'identity': identity,
          'sections': list(codec.model.entropy_models),
          'decoder_only': decoder_only,
          **description,
        },
        indent=2,
      )
    )
  return identity


class CodecModule(tf.Module):
  """What is exported: variables, tables and three traced functions."""

  def __init__(self, codec: Codec, decoder_only: bool = False):
    """Makes the tables.

    Args:
      codec: A created codec.
      decoder_only: Whether `decompress` is all that there is.

    Raises:
      ExportError: if an entropy model has no bitstream for the way this codec quantizes, or
        weights are not finite or too large for exact arithmetic.
    """
    super().__init__(name='codec')
    model = codec.model
    self._coders = bitstream.make_coders(codec)
    _require_exact(model)
    # Only variables are tracked: Keras layers would be saved with a graph for each call.
    left_out = _encoder_variables(model) if decoder_only else set()
    self._variables = [variable for variable in model.variables if variable.ref() not in left_out]
    self.identity = _identity(model, self._coders, codec.zero_centre)
    identity = self.identity

    def evaluate(image):
      data, encoder, y_hat, (height, width) = bitstream.encode(
        codec, self._coders, identity, image, bitstream.PricedEncoder
      )
      return {
        'data': data,
        'bits': tf.stack(list(encoder.bits().values())),
        'reconstruction': _to_image(model.reconstruct(y_hat, height, width)),
      }

    image = tf.TensorSpec([None, None, 3], tf.uint8, 'image')
    string = tf.TensorSpec([], tf.string, 'data')
    self.decompress = tf.function(
      lambda data: _to_image(
        model.reconstruct(*bitstream.decode(codec, self._coders, identity, data))
      ),
      [string],
    )
    if not decoder_only:
      self.compress = tf.function(
        lambda image: bitstream.encode(codec, self._coders, identity, image)[0], [image]
      )
      self.evaluate = tf.function(evaluate, [image])
    self.functions = ['decompress'] if decoder_only else ['compress', 'decompress', 'evaluate']


def _require_exact(model: Model) -> None:
  for variable in model.variables:
    if not np.isfinite(variable.numpy()).all():
      raise ExportError(f'the weights {variable.name} are not finite')
  encoder = _encoder_variables(model)
  for layer in model.submodules:
    if isinstance(layer, transforms.LINEAR) and layer.kernel.ref() not in encoder:
      total = exact.weight_sum(layer.kernel.numpy(), layer.output_axis)
      if not total <= exact.MAX_WEIGHT_SUM:
        raise ExportError(
          f'the weights of {layer.name} are too large for exact arithmetic: their '
          f'absolute sum is {total:g}, and at most {exact.MAX_WEIGHT_SUM:g}'
        )


def _forget_gradients(path: Path) -> None:
  """Takes the marks of custom gradients off: a client would be warned that it can't train."""
  file = path / 'saved_model.pb'
  saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
  for meta_graph in saved_model.meta_graphs:
    graph = meta_graph.graph_def
    for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
      for node in nodes:
        node.attr.pop('_gradient_op_type', None)
  file.write_bytes(saved_model.SerializeToString(deterministic=True))
  (path / 'fingerprint.pb').unlink()  # of the graph as it was


def _to_image(x):
  return tf.cast(tf.round(255 * tf.clip_by_value(x[0], 0, 1)), tf.uint8)


def _encoder_variables(model: Model) -> set:
  return {
    variable.ref() for name in model.encoder_only for variable in getattr(model, name).variables
  }


def _identity(model: Model, coders: dict[str, Coder], zero_centre: dict[str, bool]) -> bytes:
  """Hashes what decoding needs: the decoder's weights and numbers, the tables, the centring."""
  encoder = _encoder_variables(model)
  kinds = {
    name: (
      type(entropy_model).__name__,
      sorted(
        (key, value)
        for key, value in vars(entropy_model).items()
        if isinstance(value, (int, float)) and not key.startswith('_')
      ),
    )  # not TensorFlow's counters
    for name, entropy_model in model.entropy_models.items()
  }
  digest = hashlib.sha256(
    f'{container.VERSION} {type(model).__name__} {kinds} {zero_centre}'.encode()
  )
  tables = [variable for coder in coders.values() for variable in coder.variables]
  decoder = [variable for variable in model.variables if variable.ref() not in encoder]
  for variable in decoder + tables:
    digest.update(f'{variable.dtype.name}{variable.shape}'.encode())
    digest.update(variable.numpy().tobytes())
  return digest.digest()[: container.IDENTITY_BYTES]
