"""An exported codec for TensorFlow Compression's own programs, which then need not have tfusq.

`tfci.py --metagraph_cache FOLDER` takes `FOLDER/NAME.metagraph`: a graph with its weights in it and
the signatures `sender` and `receiver`, between an image and vectors of strings. The model scripts
(`bmshj2018.py --model_path FOLDER/NAME` and the others) take a SavedModel with `compress` and
`decompress` between the same. The one string is our whole file, with all its checks.
"""

import os
from pathlib import Path

import tensorflow as tf
import tensorflow_compression  # noqa: F401  (registers the operations)
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from tfusq import files

_MARKER = 'keras_metadata.pb'  # that it is empty makes Keras load the model as what it is


def outputs(codec: str | os.PathLike, folder: str | os.PathLike, force: bool) -> tuple[Path, Path]:
  """Returns where the metagraph and the SavedModel go, named like the codec's folder.

  Raises:
    Exists: if one is there and may not be replaced.
  """
  name = Path(codec).resolve().name
  metagraph, saved_model = Path(folder) / f'{name}.metagraph', Path(folder) / name
  files.check_output(metagraph, force)
  files.check_folder(saved_model, force, _MARKER)
  return metagraph, saved_model


def export_for_tfc(
  codec: str | os.PathLike, folder: str | os.PathLike, force: bool = False
) -> tuple[Path, Path]:
  """Writes `NAME.metagraph` and the SavedModel `NAME`, where NAME is that of the codec's folder.

  Args:
    codec: An exported codec's folder.
    folder: Where to write; made if need be.
    force: Whether to replace what is there.

  Returns:
    Paths of both.

  Raises:
    Exists: if one is there and may not be replaced.
  """
  metagraph, saved_model = outputs(codec, folder, force)
  exported = tf.saved_model.load(str(codec))
  module = tf.Module()
  module.codec = exported
  image = tf.TensorSpec([None, None, 3], tf.uint8, 'image')
  strings = tf.TensorSpec([1], tf.string, 'strings')
  module.compress = tf.function(lambda image: (exported.compress(image)[None],), [image])
  module.decompress = tf.function(lambda strings: exported.decompress(strings[0]), [strings])
  module.sender = tf.function(
    lambda image: exported.compress(image[0])[None],
    [tf.TensorSpec([1, None, None, 3], tf.uint8, 'image')],
  )
  module.receiver = tf.function(lambda strings: exported.decompress(strings[0])[None], [strings])

  with files.new_folder(saved_model, force, _MARKER) as draft:
    tf.saved_model.save(
      module, str(draft), signatures={'sender': module.sender, 'receiver': module.receiver}
    )
    (draft / _MARKER).touch()
  files.write(
    metagraph,
    _metagraph({'sender': module.sender, 'receiver': module.receiver}).SerializeToString(
      deterministic=True
    ),
    force,
  )
  return metagraph, saved_model


def _metagraph(functions: dict[str, tf.types.experimental.GenericFunction]):
  """Returns the functions as signatures of one graph, variables turned into constants."""
  frozen_functions = {
    name: convert_variables_to_constants_v2(function.get_concrete_function())
    for name, function in functions.items()
  }
  graph, signatures = tf.Graph(), {}
  with graph.as_default():
    for name, frozen in frozen_functions.items():
      tf.graph_util.import_graph_def(frozen.graph.as_graph_def(), name=name)
      inputs, outputs = (
        {
          f'{kind}_{place}': meta_graph_pb2.TensorInfo(
            name=f'{name}/{tensor.name}',
            dtype=tensor.dtype.as_datatype_enum,
            tensor_shape=tensor.shape.as_proto(),
          )
          for place, tensor in enumerate(tensors)
        }
        for kind, tensors in (('input', frozen.inputs), ('output', frozen.outputs))
      )
      signatures[name] = meta_graph_pb2.SignatureDef(
        inputs=inputs, outputs=outputs, method_name='tensorflow/serving/predict'
      )
    metagraph = tf.compat.v1.train.export_meta_graph(graph=graph, clear_devices=True)
  for name, signature in signatures.items():
    metagraph.signature_def[name].CopyFrom(signature)
  return metagraph
