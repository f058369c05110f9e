"""Writing a SavedModel, whole or not at all, and the nodes of its graphs."""

import contextlib
import os
from collections.abc import Iterator, Mapping

import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2

from tfusq import errors, files
from tfusq.export.bitstream import ExportError
from tfusq.files import AnyPath


@contextlib.contextmanager
def new_saved_model(
  path: str | os.PathLike,
  module: tf.Module,
  signatures: Mapping[str, tf.types.experimental.GenericFunction],
  marker: str,
  force: bool,
  options: tf.saved_model.SaveOptions | None = None,
) -> Iterator[AnyPath]:
  """Saves a module, and moves it to its place when the context is left without an exception.

  Args:
    path: Folder to make.
    module: Object to save.
    signatures: Functions that become signatures, by name.
    marker: Name of a file that every folder made for this purpose holds.
    force: Whether an existing folder with the marker may be replaced.
    options: Options of saving.

  Yields:
    The folder, to which the marker is to be added.

  Raises:
    Exists: if `path` exists and may not be replaced.
    ExportError: if it can't be written; says why, and leaves nothing.
  """
  try:
    with files.new_folder(path, force, marker) as draft:
      with files.literal(draft) as folder:
        tf.saved_model.save(module, folder, dict(signatures), options)
      yield draft
  except files.Exists:
    raise
  except OSError as error:
    reason = error.strerror or errors.message(error)
    raise ExportError(f'{path} can not be written: {reason}') from error
  except tf.errors.OpError as error:
    # TensorFlow names the draft, then the reason, then the operation.
    reason = ' '.join(error.message.split()).rpartition('; ')[2].partition(' [Op:')[0]
    raise ExportError(f'{path} can not be written: {reason[:200]}') from error


def nodes_of(graph: graph_pb2.GraphDef) -> list[node_def_pb2.NodeDef]:
  """Returns the nodes of a graph and of the functions in it; they may be changed.

  Args:
    graph: Serialized graph.
  """
  nodes = list(graph.node)
  for function in graph.library.function:
    nodes += function.node_def
  return nodes
