"""An exported codec for TensorFlow Compression's own programs, which then do not need tfusq.

`tfci.py --metagraph_cache FOLDER` takes `FOLDER/NAME.metagraph`: a graph that contains its weights,
with the signatures `sender` and `receiver`, between an image and vectors of strings. The model
scripts (`bmshj2018.py --model_path FOLDER/NAME` and the others) take a SavedModel with the
functions `compress` and `decompress` between the same. The only string is a whole compressed file
of tfusq, with all its checks.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from tfusq import files
from tfusq.coding import range_coder
from tfusq.export.saving import new_saved_model

# Keras looks for this file. Because it is empty, Keras loads the model as the functions it has.
_MARKER = 'keras_metadata.pb'

Functions = dict[str, tf.types.experimental.GenericFunction]


def outputs(codec: str | os.PathLike, folder: str | os.PathLike, force: bool) -> tuple[Path, Path]:
  """Returns the paths of the metagraph and of the SavedModel, named like the codec's folder.

  Args:
    codec: Folder of an exported codec.
    folder: Folder to write to.
    force: Whether existing outputs may be replaced.

  Returns:
    Path of the metagraph and path of the SavedModel.

  Raises:
    Exists: if one of them exists and may not be replaced.
  """
  name = Path(codec).resolve().name
  metagraph = Path(folder) / f'{name}.metagraph'
  saved_model = Path(folder) / name
  files.check_output(metagraph, force)
  files.check_folder(saved_model, force, _MARKER)
  return metagraph, saved_model


def export_for_tfc(
  codec: str | os.PathLike, folder: str | os.PathLike, force: bool = False
) -> tuple[Path, Path]:
  """Writes `NAME.metagraph` and the SavedModel `NAME`, where NAME is that of the codec's folder.

  Args:
    codec: Folder of an exported codec.
    folder: Folder to write to, made if need be.
    force: Whether to replace existing outputs.

  Returns:
    Path of the metagraph and path of the SavedModel.

  Raises:
    Exists: if one of them exists and may not be replaced.
    RangeCoderError: if there is no range coder.
    ExportError: if the SavedModel can't be written.
    OSError: if the metagraph can't be written.
  """
  metagraph, saved_model = outputs(codec, folder, force)
  range_coder.operations()  # registers them
  with files.literal(codec) as path:
    module = _Module(tf.saved_model.load(path))
  signatures = {'sender': module.sender, 'receiver': module.receiver}

  with new_saved_model(saved_model, module, signatures, _MARKER, force) as draft:
    (draft / _MARKER).touch()

  data = _make_metagraph(signatures).SerializeToString(deterministic=True)
  files.write(metagraph, data, force)
  return metagraph, saved_model


class _Module(tf.Module):
  """A codec's functions in the forms that TensorFlow Compression's programs call."""

  def __init__(self, exported: Any):
    super().__init__()
    self.codec = exported
    image = tf.TensorSpec([None, None, 3], tf.uint8, 'image')
    batch = tf.TensorSpec([1, None, None, 3], tf.uint8, 'image')
    strings = tf.TensorSpec([1], tf.string, 'strings')

    # The model scripts take a single image and a tuple of vectors, `tfci.py` a batch of one.
    self.compress = tf.function(lambda image: (exported.compress(image)[None],), [image])
    self.decompress = tf.function(lambda strings: exported.decompress(strings[0]), [strings])
    self.sender = tf.function(lambda image: exported.compress(image[0])[None], [batch])
    if hasattr(exported, 'compress_to_bytes'):
      # `tfci.py` gives a second input the number that is called its RD parameter.
      self.sender = tf.function(
        lambda image, quality: exported.compress(image[0], quality)[None],
        [batch, tf.TensorSpec([], tf.float32, 'quality')],
      )
    self.receiver = tf.function(lambda strings: exported.decompress(strings[0])[None], [strings])


def _make_metagraph(functions: Functions) -> meta_graph_pb2.MetaGraphDef:
  """Returns functions as signatures of one graph, with variables turned into constants."""
  # Before the new graph is entered: tracing needs eager execution.
  frozen_functions = {}
  for name, function in functions.items():
    frozen_functions[name] = convert_variables_to_constants_v2(function.get_concrete_function())

  graph = tf.Graph()
  with graph.as_default():
    for name, frozen in frozen_functions.items():
      tf.graph_util.import_graph_def(frozen.graph.as_graph_def(), name=name)
    metagraph = tf.compat.v1.train.export_meta_graph(graph=graph, clear_devices=True)

  for name, frozen in frozen_functions.items():
    signature = meta_graph_pb2.SignatureDef(
      inputs=_tensor_infos(f'{name}/', 'input', frozen.inputs),
      outputs=_tensor_infos(f'{name}/', 'output', frozen.outputs),
      method_name='tensorflow/serving/predict',
    )
    metagraph.signature_def[name].CopyFrom(signature)
  return metagraph


def _tensor_infos(
  scope: str, role: str, tensors: Sequence[tf.Tensor]
) -> dict[str, meta_graph_pb2.TensorInfo]:
  """Describes tensors of a graph; `tfci.py` takes them in the order of the sorted keys."""
  infos = {}
  for index, tensor in enumerate(tensors):
    infos[f'{role}_{index}'] = meta_graph_pb2.TensorInfo(
      name=f'{scope}{tensor.name}',
      dtype=tensor.dtype.as_datatype_enum,
      tensor_shape=tensor.shape.as_proto(),
    )
  return infos
