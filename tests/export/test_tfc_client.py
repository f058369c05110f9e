"""The contracts of TensorFlow Compression's `tfci.py` and of its model scripts."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from making import last_convolution, make_codec
from tfusq import files
from tfusq.export import saved_model, tfc_client
from tfusq.export.client import ExportedCodec


@pytest.fixture(scope='module')
def paths(exported_path, tmp_path_factory):
  return tfc_client.export_for_tfc(exported_path, tmp_path_factory.mktemp('tfc'))


def signature_of(path, name):
  """Returns a signature as `tfci.py` does: the graph imported, inputs and outputs by sorted key."""
  metagraph = tf.compat.v1.MetaGraphDef.FromString(path.read_bytes())
  imported = tf.compat.v1.wrap_function(lambda: tf.compat.v1.train.import_meta_graph(metagraph), [])

  def elements(infos):
    return [imported.graph.as_graph_element(infos[key].name) for key in sorted(infos)]

  signature = metagraph.signature_def[name]
  return imported.prune(elements(signature.inputs), elements(signature.outputs))


def test_tfci_compresses_and_decompresses(paths, exported_codec, photograph):
  tfc = pytest.importorskip('tensorflow_compression')
  metagraph, _ = paths
  image = photograph[:70, :90]
  tensors = signature_of(metagraph, 'sender')(tf.constant(image[None]))
  packed = tfc.PackedTensors()
  packed.model = metagraph.stem
  packed.pack(tensors)

  packed = tfc.PackedTensors(packed.string)
  receiver = signature_of(metagraph, 'receiver')
  (back,) = receiver(*packed.unpack([tensor.dtype for tensor in receiver.inputs]))
  data, _, reconstruction = exported_codec.evaluate(image)
  assert tensors[0].numpy().tolist() == [data]  # the whole file
  np.testing.assert_array_equal(back, reconstruction[None])


@pytest.mark.slow
@pytest.mark.parametrize(
  'model',
  [
    tfusq.MSContext,
    functools.partial(
      tfusq.Cheng,
      hidden=12,
      # Fewer layers than its own, to be traced and frozen.
      analysis=tfusq.Convolutional(),
      synthesis=tfusq.Convolutional(),
    ),
  ],
)
def test_a_serial_context_survives(model, photograph, tmp_path):
  """The loop is still right when weights are constants and the graph is pruned."""
  codec = make_codec(4, 6, zero_centre=False, model=model, entropy_model=tfusq.GaussianMixture())
  last = last_convolution(codec.model.analysis)
  last.kernel.assign(100 * last.kernel)
  # TensorFlow must not take the names for patterns.
  path = tmp_path / 'codec[1]'
  saved_model.export(codec.centred_model, path, {})
  metagraph, _ = tfc_client.export_for_tfc(path, tmp_path / 'tfc*')
  image = photograph[:70, :90]
  (strings,) = signature_of(metagraph, 'sender')(tf.constant(image[None]))
  (back,) = signature_of(metagraph, 'receiver')(strings)
  data, _, reconstruction = ExportedCodec(path).evaluate(image)
  assert strings.numpy().tolist() == [data]
  np.testing.assert_array_equal(back, reconstruction[None])


def test_its_graph_refuses_a_corrupt_file(paths, exported_codec, photograph):
  data = exported_codec.compress(photograph[:70, :90])
  corrupt = data[:-1] + bytes([data[-1] ^ 1])
  with pytest.raises(tf.errors.InvalidArgumentError, match='wrong checksum'):
    signature_of(paths[0], 'receiver')(tf.constant([corrupt]))


def test_the_metagraph_needs_no_variables(paths):
  metagraph = tf.compat.v1.MetaGraphDef.FromString(paths[0].read_bytes())
  assert 'VarHandleOp' not in {node.op for node in metagraph.graph_def.node}


def test_model_scripts_compress_and_decompress(paths, exported_codec, photograph):
  tfc = pytest.importorskip('tensorflow_compression')
  image = photograph[:40, :50]
  model = tf.keras.models.load_model(paths[1])
  tensors = model.compress(tf.constant(image))
  packed = tfc.PackedTensors()
  packed.pack(tensors)
  dtypes = [spec.dtype for spec in model.decompress.input_signature]
  back = model.decompress(*tfc.PackedTensors(packed.string).unpack(dtypes))
  assert back.dtype == tf.uint8
  np.testing.assert_array_equal(back, exported_codec.evaluate(image)[2])


def test_nothing_is_replaced_unless_forced(paths, exported_path, tmp_path, monkeypatch):
  with pytest.raises(files.Exists, match='--force'):
    tfc_client.export_for_tfc(exported_path, paths[1].parent)
  (tmp_path / 'codec.metagraph').write_bytes(b'mine')
  with pytest.raises(files.Exists, match='codec.metagraph'):
    tfc_client.export_for_tfc(exported_path, tmp_path)
  assert (tmp_path / 'codec.metagraph').read_bytes() == b'mine'
  # Made once: it is the same again.
  made = tf.compat.v1.MetaGraphDef.FromString(paths[0].read_bytes())
  monkeypatch.setattr(tfc_client, '_make_metagraph', lambda signatures: made)
  tfc_client.export_for_tfc(exported_path, tmp_path, force=True)
  assert len((tmp_path / 'codec.metagraph').read_bytes()) > 1000
