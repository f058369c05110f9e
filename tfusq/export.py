"""A trained codec -> a SavedModel that compresses and decompresses without tfusq.

    compress(image)   uint8 [height, width, 3] -> string: the whole file
    decompress(data)  string -> uint8 [height, width, 3]; fails unless all checks of the file hold
    evaluate(image)   -> {'data', 'bits', 'reconstruction'}: the same encoder path, with what the
                      entropy models estimate for each section, and the decoder's image

The networks' variables and the integer tables are in it; the training class is not. Encoder and
decoder walk the model in the same way and in the same shapes, and turn what the networks say into
table indexes before anything is coded; a fingerprint of the indexes, checked before a part is
decoded, detects another machine's floats.
"""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfusq import container, exact, files, transforms
from tfusq.codec import Codec
from tfusq.coding import Coder
from tfusq.exported import DESCRIPTION
from tfusq.models import Model, Part
from tfusq.quantizer import quantize

_IMAGE_LIMITS = (f'an image has 1 to {container.MAX_SIDE} rows and columns, and at most '
                 f'{container.MAX_PIXELS} pixels')
_INDEX_MISMATCH = ('this machine computes other table indexes than the one that wrote the file: '
                   'it cannot be decoded here')


class ExportError(RuntimeError):
  """A codec that has no bitstream; says why."""


def export(codec: Codec, path: str | os.PathLike, description: dict, force: bool = False,
           decoder_only: bool = False) -> str:
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
    tf.saved_model.save(module, str(draft), signatures={
        name: getattr(module, name) for name in module.functions
    }, options=tf.saved_model.SaveOptions(experimental_custom_gradients=False))
    _forget_gradients(draft)
    (draft / DESCRIPTION).write_text(json.dumps(
        {'identity': identity, 'sections': list(codec.model.entropy_models),
         'decoder_only': decoder_only, **description},
        indent=2))
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
    self._coders = make_coders(codec)
    _require_exact(model)
    # Only variables are tracked: Keras layers would be saved with a graph for each call.
    left_out = _encoder_variables(model) if decoder_only else set()
    self._variables = [variable for variable in model.variables if variable.ref() not in left_out]
    self.identity = _identity(model, self._coders, codec.zero_centre)
    encode, decode = (way(model, self._coders, codec.zero_centre, self.identity)
                      for way in (_encoder, _decoder))

    def evaluate(image):
      data, bits, y_hat, height, width = encode(image)
      return {'data': data, 'bits': bits,
              'reconstruction': _to_image(model.reconstruct(y_hat, height, width))}

    image = tf.TensorSpec([None, None, 3], tf.uint8, 'image')
    string = tf.TensorSpec([], tf.string, 'data')
    self.decompress = tf.function(
        lambda data: _to_image(model.reconstruct(*decode(data))), [string])
    if not decoder_only:
      self.compress = tf.function(lambda image: encode(image)[0], [image])
      self.evaluate = tf.function(evaluate, [image])
    self.functions = ['decompress'] if decoder_only else ['compress', 'decompress', 'evaluate']


def make_coders(codec: Codec) -> dict[str, Coder]:
  """Makes the coder of each latent of a created codec, by name, in coding order.

  Raises:
    ExportError: if an entropy model has no bitstream for the way this codec quantizes.
  """
  try:
    return {name: entropy_model.coder(codec.zero_centre[name])
            for name, entropy_model in codec.model.entropy_models.items()}
  except NotImplementedError as error:
    raise ExportError(f'this codec has no bitstream: {error}') from error


def _encoder(model: Model, coders: dict[str, Coder], zero_centre: dict[str, bool],
             identity: bytes) -> Callable:
  """Returns the way from an image to a file, estimated bits, and the decoder's latent and size."""

  def encode(image):
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    sides = tf.cast(tf.shape(image)[:2], tf.int64)
    fits = tf.reduce_all((sides > 0) & (sides <= container.MAX_SIDE)) & (
        tf.reduce_prod(sides) <= container.MAX_PIXELS)
    with tf.control_dependencies([tf.debugging.Assert(fits, [_IMAGE_LIMITS])]):
      x = tf.cast(image, tf.float32)[None] / 255
    latents = model.latents(x)
    handles = {name: coder.encoder() for name, coder in coders.items()}
    bits = dict.fromkeys(coders, 0.)
    checks = []

    def visit(part: Part, raw):
      coder, entropy_model = coders[part.latent], model.entropy_models[part.latent]
      parameters = entropy_model.parameters(raw)
      index = coder.index(parameters)
      latent = latents[part.latent][..., part.channels]
      with tf.control_dependencies([tf.debugging.Assert(
          tf.reduce_all(tf.math.is_finite(latent)) & tf.reduce_all(tf.math.is_finite(raw)),
          [f'the latent {part.latent} or what it is conditioned on is not finite'])]):
        latent = tf.identity(latent)
      symbols, y_hat = quantize(
          latent, _offset(entropy_model, parameters, zero_centre[part.latent]))
      symbols = tf.cast(symbols, tf.int32)
      bits[part.latent] += tf.reduce_sum(
          coder.price(entropy_model.bits(y_hat, parameters), symbols, index))
      handles[part.latent] = coder.encode(handles[part.latent], symbols, index)
      if entropy_model.channels:
        checks.append(container.fingerprint(index))
      return y_hat

    with exact.arithmetic():
      y_hat = model.walk(visit, 1, height, width)
    strings = [coder.finalize(handles[name]) for name, coder in coders.items()]
    data = container.pack(identity, height, width, strings, checks)
    return data, tf.stack(list(bits.values())), y_hat, height, width

  return encode


def _decoder(model: Model, coders: dict[str, Coder], zero_centre: dict[str, bool],
             identity: bytes) -> Callable:
  """Returns the way from a file to the latent and the image's size."""

  def decode(data):
    height, width, strings, checks = container.unpack(data, identity, len(coders), model.parts)
    height, width = tf.cast(height, tf.int32), tf.cast(width, tf.int32)
    handles = {name: coder.decoder(string)
               for (name, coder), string in zip(coders.items(), strings)}
    checks = iter(checks)

    def visit(part: Part, raw):
      coder, entropy_model = coders[part.latent], model.entropy_models[part.latent]
      parameters = entropy_model.parameters(raw)
      index = coder.index(parameters)
      if entropy_model.channels:
        same = tf.reduce_all(tf.equal(container.fingerprint(index), next(checks)))
        with tf.control_dependencies([tf.debugging.Assert(same, [_INDEX_MISMATCH])]):
          index = tf.identity(index)
      handles[part.latent], symbols = coder.decode(handles[part.latent], index)
      symbols = tf.cast(symbols, tf.float32)
      centre = _offset(entropy_model, parameters, zero_centre[part.latent])
      return symbols if centre is None else symbols + centre

    with exact.arithmetic():
      y_hat = model.walk(visit, 1, height, width)
    return y_hat, height, width

  return decode


def _require_exact(model: Model) -> None:
  for variable in model.variables:
    if not np.isfinite(variable.numpy()).all():
      raise ExportError(f'the weights {variable.name} are not finite')
  encoder = _encoder_variables(model)
  for layer in model.submodules:
    if isinstance(layer, transforms.CONVOLUTIONS) and layer.kernel.ref() not in encoder:
      total = exact.weight_sum(layer.kernel.numpy(), layer.output_axis)
      if not total <= exact.MAX_WEIGHT_SUM:
        raise ExportError(f'the weights of {layer.name} are too large for exact arithmetic: their '
                          f'absolute sum is {total:g}, and at most {exact.MAX_WEIGHT_SUM:g}')


def _offset(entropy_model, parameters, zero_centre):
  return entropy_model.centre(parameters) if zero_centre else None


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
  return {variable.ref() for name in model.encoder_only
          for variable in getattr(model, name).variables}


def _identity(model: Model, coders: dict[str, Coder], zero_centre: dict[str, bool]) -> bytes:
  """Hashes what decoding needs: the decoder's weights and numbers, the tables, the centring."""
  encoder = _encoder_variables(model)
  kinds = {name: (type(entropy_model).__name__, sorted(
      item for item in vars(entropy_model).items() if isinstance(item[1], (int, float))))
           for name, entropy_model in model.entropy_models.items()}
  digest = hashlib.sha256(
      f'{container.VERSION} {type(model).__name__} {kinds} {zero_centre}'.encode())
  tables = [variable for coder in coders.values() for variable in coder.variables]
  decoder = [variable for variable in model.variables if variable.ref() not in encoder]
  for variable in decoder + tables:
    digest.update(f'{variable.dtype.name}{variable.shape}'.encode())
    digest.update(variable.numpy().tobytes())
  return digest.digest()[:container.IDENTITY_BYTES]
