"""Checks of exported codecs."""

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfusq.export import container
from tfusq.export.client import ExportedCodec
from tfusq.export.saving import nodes_of
from tfusq.testing.requirements import NotApplicable, require

# Height and width: the least image, one line, sizes that are multiples of nothing, and one without
# padding in the image's latent.
_SIZES = ((1, 1), (1, 70), (17, 23), (64, 48), (131, 97))

# Operations of the range coder, which TensorFlow itself has not.
_RANGE_CODER = frozenset((
  'CreateRangeEncoder',
  'CreateRangeDecoder',
  'EntropyEncodeIndex',
  'EntropyDecodeIndex',
  'EntropyEncodeFinalize',
))  # fmt: skip
# Operations that call Python functions of the process in which they were made.
_PYTHON = frozenset(('PyFunc', 'PyFuncStateless', 'EagerPyFunc'))


def decodes_its_files(codec: ExportedCodec) -> None:
  """Files of any size decode to what the encoder reconstructs, and encoding again gives them."""
  _require_encoder(codec)
  for height, width in _SIZES:
    image = _image(height, width)
    data, _, reconstruction = codec.evaluate(image)
    require(
      codec.compress(image) == data,
      f'at {height}x{width}, `compress` and `evaluate` give different files',
    )

    decoded = codec.decompress(data)
    require(
      decoded.shape == image.shape,
      f'an image of {height}x{width} comes back with the shape {decoded.shape}',
    )
    wrong = np.count_nonzero(decoded != reconstruction)
    require(
      not wrong,
      f'at {height}x{width}, {wrong} of {decoded.size} values are decoded to others than the '
      'encoder reconstructs',
    )


def decodes_every_quality(codec: ExportedCodec) -> None:
  """At each level, and in between, files decode to what the encoder reconstructs."""
  _require_encoder(codec)
  if codec.qualities is None:
    raise NotApplicable('it has one quality')
  image = _image(64, 48)
  sizes = []
  for step in range(0, codec.qualities.last_step + 1, codec.qualities.steps_per_level // 2):
    quality = codec.qualities.quality(step)
    data, _, reconstruction = codec.evaluate(image, quality)
    stated = container.read_header(data).step
    require(stated == step, f'a file of quality {quality:g} names the step {stated}, not {step}')
    wrong = np.count_nonzero(codec.decompress(data) != reconstruction)
    require(
      not wrong,
      f'at quality {quality:g}, {wrong} of {reconstruction.size} values are decoded to others than '
      'the encoder reconstructs',
    )
    sizes.append(len(data))
  require(
    sizes[-1] > sizes[0],
    f'a file of the highest quality has {sizes[-1]} bytes, and of the lowest {sizes[0]}',
  )


def names_itself_in_files(codec: ExportedCodec) -> None:
  """The identity in the header of a file is that of `codec.json`."""
  _require_encoder(codec)
  identity = container.read_header(codec.compress(_image(16, 16))).identity.hex()
  stated = codec.description['identity']
  require(identity == stated, f'its files name the codec {identity}, and codec.json {stated}')


def has_usual_operations(codec: ExportedCodec) -> None:
  """The graph has operations of TensorFlow and of the range coder alone, and none of Python."""
  foreign = []
  for operation in sorted(_operations(codec)):
    is_tensorflows = hasattr(tf.raw_ops, operation) and operation not in _PYTHON
    if not is_tensorflows and operation not in _RANGE_CODER:
      foreign.append(operation)
  require(
    not foreign,
    f"{len(foreign)} operations are neither TensorFlow's nor the range coder's: {foreign[:5]}",
  )


def _require_encoder(codec: ExportedCodec) -> None:
  if codec.description.get('decoder_only'):
    raise NotApplicable('it decompresses only')


def _image(height: int, width: int) -> np.ndarray:
  """Returns an image of noise over a slope, `uint8[height, width, 3]`."""
  noise = np.random.default_rng([height, width]).uniform(0, 80, [height, width, 3])
  slope = np.linspace(0, 170, width)[:, None]
  return (slope + noise).astype(np.uint8)


def _operations(codec: ExportedCodec) -> set[str]:
  """Returns the names of the operations in a codec's SavedModel."""
  data = (codec.path / 'saved_model.pb').read_bytes()
  operations: set[str] = set()
  for meta_graph in saved_model_pb2.SavedModel.FromString(data).meta_graphs:
    operations.update(node.op for node in nodes_of(meta_graph.graph_def))
  return operations


codec_checks = [
  decodes_its_files,
  decodes_every_quality,
  names_itself_in_files,
  has_usual_operations,
]
