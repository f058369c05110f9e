import functools
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import tfusq
from making import last_convolution, make_codec
from tfusq import files, plugins
from tfusq.coding import range_coder
from tfusq.export import bitstream, client, container, container_ops, saved_model, visitors
from tfusq.export.container import ContainerError
from tfusq.models.visitors import RoundingVisitor
from tfusq.transforms import exact

# What TensorFlow Compression adds; everything else is TensorFlow's own.
CODING_OPS = {
  'CreateRangeEncoder',
  'CreateRangeDecoder',
  'EntropyEncodeIndex',
  'EntropyDecodeIndex',
  'EntropyEncodeFinalize',
}


@pytest.mark.parametrize('height, width', [(1, 1), (1, 300), (17, 23), (64, 64), (65, 200)])
def test_any_size_comes_back_as_the_encoder_reconstructs_it(
  height, width, exported_codec, photograph
):
  image = photograph[:height, :width]
  data, bits, reconstruction = exported_codec.evaluate(image)
  assert data == exported_codec.compress(image)
  np.testing.assert_array_equal(exported_codec.decompress(data), reconstruction)
  assert reconstruction.shape == image.shape
  coded = [8 * length for length in container.read_header(data).sections]
  assert (np.abs(coded - bits) < 0.005 * bits + 32).all()


def test_the_codec_says_what_the_trained_model_says(trained, exported_codec, photograph):
  """Its estimate is the entropy models' for the symbols coded, at the coder's price."""
  image = photograph[:128, :192]
  x = tf.cast(image[None], tf.float32) / 255
  figures = trained.hard(x)
  _, bits, reconstruction = exported_codec.evaluate(image)
  model = trained.model
  latents = model.latents(x)
  z_hat = tf.round(latents['z'])
  with exact.arithmetic():
    raw = {'z': tf.zeros([1, 2, 3, 0]), 'y': model.hyper_synthesis(z_hat)}
  coders = saved_model.CodecModule(trained.centred_model)._coders
  expected, unpriced = [], 0
  for name, entropy_model in model.entropy_models.items():
    parameters = entropy_model.parameters(raw[name])
    centre = parameters.mean if name == 'y' else 0
    symbols = tf.round(latents[name] - centre)
    estimate = entropy_model.bits(symbols + centre, parameters)
    unpriced += float(tf.reduce_sum(estimate))
    expected.append(
      float(
        tf.reduce_sum(
          coders[name].price(estimate, tf.cast(symbols, tf.int32), coders[name].index(parameters))
        )
      )
    )
  np.testing.assert_allclose(bits, expected, rtol=1e-4)
  assert bits.sum() <= unpriced

  # In floats, a symbol may be another one where the mean is within its error of the border of two.
  visitor = RoundingVisitor(model, x, trained.centred_model.centre)
  y_hat = model.walk(visitor, 1, 128, 192)
  (_, in_floats) = visitor.parameters[-1]
  symbols_in_floats = tf.round(latents['y'] - in_floats.mean)
  is_other = tf.not_equal(symbols, symbols_in_floats)
  from_border = tf.abs(tf.abs(latents['y'] - centre - symbols) - 0.5)
  assert tf.reduce_sum(tf.cast(is_other, tf.int32)) <= 2
  assert tf.reduce_all(from_border[is_other] < 0.01)
  bits_in_floats = model.entropy_models['y'].bits(y_hat, in_floats)
  np.testing.assert_allclose(
    tf.reduce_sum(tf.where(is_other, 0.0, bits_in_floats)),
    tf.reduce_sum(tf.where(is_other, 0.0, estimate)),
    rtol=2e-3,
  )
  assert float(figures.bpp) * 128 * 192 == pytest.approx(
    float(tf.reduce_sum(bits_in_floats)) + float(visitor.bits[0]), rel=1e-4
  )
  hard = np.round(255 * np.clip(model.reconstruct(symbols + centre, 128, 192)[0], 0, 1))
  assert np.abs(hard - reconstruction).max() <= 1


def test_latents_are_not_all_zero(exported_codec, photograph):
  assert sum(container.read_header(exported_codec.compress(photograph)).sections) > 300


def test_a_process_without_tfusq_compresses_and_decompresses(
  exported_path, exported_codec, photograph, tmp_path
):
  image = photograph[:70, :90]
  np.save(tmp_path / 'image.npy', image)
  (tmp_path / 'file').write_bytes(exported_codec.compress(image))
  client = f"""
import sys
sys.modules['tfusq'] = None  # not importable
import numpy as np, tensorflow as tf, {range_coder.operations().__name__}
codec = tf.saved_model.load({str(exported_path)!r})
image = np.load({str(tmp_path / 'image.npy')!r})
data = codec.compress(image)
assert data.numpy() == open({str(tmp_path / 'file')!r}, 'rb').read()
decoded = codec.decompress(data)
np.save({str(tmp_path / 'decoded.npy')!r}, decoded)
by_signature = codec.signatures['decompress'](data=data)
assert (list(by_signature.values())[0].numpy() == decoded.numpy()).all()
assert not any(name.startswith('tfusq') for name in sys.modules if name != 'tfusq')
"""
  result = subprocess.run(
    [sys.executable, '-c', client], cwd=tmp_path, capture_output=True, text=True
  )
  assert result.returncode == 0, result.stderr
  assert 'WARNING' not in result.stderr
  np.testing.assert_array_equal(
    np.load(tmp_path / 'decoded.npy'), exported_codec.decompress((tmp_path / 'file').read_bytes())
  )


def signatures(path):
  """Returns the types of inputs and outputs of each signature."""
  saved = saved_model_pb2.SavedModel.FromString((path / 'saved_model.pb').read_bytes())
  found = {}
  for name, signature in saved.meta_graphs[0].signature_def.items():
    if not name.startswith('__'):  # TensorFlow's own
      types = [
        {key: tf.as_dtype(info.dtype).name for key, info in infos.items()}
        for infos in (signature.inputs, signature.outputs)
      ]
      found[name] = tuple(types)
  return found


def test_serving_finds_binary_outputs_by_their_names_and_compresses_by_default(exported_path):
  compress = ({'image': 'uint8'}, {'data_bytes': 'string'})
  assert signatures(exported_path) == {
    'serving_default': compress,
    'compress': compress,
    'decompress': ({'data': 'string'}, {'output_0': 'uint8'}),
    'evaluate': (
      {'image': 'uint8'},
      {'data_bytes': 'string', 'bits': 'float32', 'reconstruction': 'uint8'},
    ),
  }


def test_a_session_runs_the_signatures(exported_path, exported_codec, photograph):
  """As TensorFlow Serving does: by the names of tensors in one graph."""
  image = photograph[:20, :30]
  expected, _, reconstruction = exported_codec.evaluate(image)
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    loaded = tf.compat.v1.saved_model.load(session, ['serve'], str(exported_path))

    def run(name, argument):
      signature = loaded.signature_def[name]
      (given,) = signature.inputs.values()
      names = {key: info.name for key, info in signature.outputs.items()}
      return session.run(names, {given.name: argument})

    assert run('serving_default', image)['data_bytes'] == expected
    assert run('evaluate', image)['data_bytes'] == expected
    np.testing.assert_array_equal(run('decompress', expected)['output_0'], reconstruction)
    with pytest.raises(tf.errors.InvalidArgumentError, match='not a tfusq file'):
      run('decompress', b'GIF89a')


def test_only_the_range_coder_is_not_tensorflows_own(exported_path):
  saved = saved_model_pb2.SavedModel.FromString((exported_path / 'saved_model.pb').read_bytes())
  ops = {
    node.op
    for function in saved.meta_graphs[0].graph_def.library.function
    for node in function.node_def
  }
  assert ops >= CODING_OPS
  assert {op for op in ops if re.match('Entropy|CreateRange|Pmf|RunLength', op)} == CODING_OPS
  assert not any('Py' in op for op in ops)


def test_a_thousand_mutated_files_are_errors_and_the_process_survives(exported_codec, photograph):
  random = np.random.default_rng(0)
  good = [exported_codec.compress(photograph[:h, :w]) for h, w in ((64, 64), (300, 451), (9, 30))]

  def mutate(data, kind):
    position = int(random.integers(len(data)))
    if kind == 0:  # bit flips
      flipped = bytearray(data)
      for place in random.integers(8 * len(data), size=random.integers(1, 5)):
        flipped[place // 8] ^= 1 << place % 8
      return bytes(flipped)
    if kind == 1:
      return data[:position]
    if kind == 2:  # spliced with another file
      other = good[random.integers(len(good))]
      return data[:position] + other[int(random.integers(len(other))) :]
    if kind == 3:  # foreign header
      return random.choice([b'\x89PNG\r\n\x1a\n', b'RIFF', b'USQ\2', b'BPG\xfb', b'']) + data[4:]
    if kind == 4:
      return data + random.bytes(int(random.integers(1, 40)))
    return data[:4] + random.bytes(8) + data[12:]  # another codec's identity

  refused = 0
  while refused < 1000:
    mutated = mutate(good[refused % len(good)], refused % 6)
    if mutated in good:
      continue
    with pytest.raises(ContainerError):
      exported_codec.decompress(mutated)
    with pytest.raises(ContainerError):  # the codec's own checks, without ours before
      exported_codec._call(exported_codec._codec.decompress, mutated)
    refused += 1
  assert exported_codec.decompress(good[0]).shape == (64, 64, 3)


def forged(data, place, value):
  """Changes a byte and makes the checksum right again."""
  header = container.read_header(data)
  changed = bytearray(data)
  changed[place] = value
  content = bytes(changed[: header.bytes - 4] + changed[header.bytes :])
  changed[header.bytes - 4 : header.bytes] = bytes(
    container_ops.fingerprint(tf.constant(content)).numpy().tolist()
  )
  assert container_ops.is_intact(bytes(changed), header)
  return bytes(changed)


def built_in(group):
  return [
    cls
    for plugin, cls in plugins.load_all()[0].items()
    if plugin.distribution == 'tfusq' and plugin.group == group
  ]


# Analysis and synthesis, which are alike in encoder and decoder, have fewer layers than their own.
PLAIN = {'analysis': tfusq.Convolutional(), 'synthesis': tfusq.Convolutional()}
SMALLER = {tfusq.Cheng: {'hidden': 12, **PLAIN}, tfusq.ELIC: {'groups': (3, 7), **PLAIN}}
PRODUCT = [
  (model, cls, zero_centre)
  for model in built_in('tfusq.models')
  for cls in built_in('tfusq.entropy_models')
  if cls.channels
  for zero_centre in (True, False)
  if not (zero_centre and model.serial)
]
# The fast tests take all entropy models with one model, and one with each other kind of context
# (a model's conformance decodes what it encodes with all of them, and test_in_tiles traces it).
QUICK = [(tfusq.Cheng, tfusq.GaussianMixture, False), (tfusq.ELIC, tfusq.Gaussian, True)]


def cases(is_fast):
  return [pytest.param(case, marks=[pytest.mark.slow] * (not is_fast(case))) for case in PRODUCT]


def lively_codec(model, cls, zero_centre):
  """Makes a codec whose latents are several symbols large."""
  codec = make_codec(
    4,
    10,
    zero_centre=zero_centre,
    entropy_model=cls(),
    model=functools.partial(model, **SMALLER.get(model, {})),
  )
  for variable in codec.model.variables:
    variable.assign_add(0.1 * tf.random.stateless_normal(variable.shape, [1, 2]))
  last = last_convolution(codec.model.analysis)
  last.kernel.assign(30 * last.kernel)
  return codec


def require_near_lengths(data, bits):
  """Asserts that the estimate of each section is near its length."""
  lengths = np.array([8 * length for length in container.read_header(data).sections])
  assert lengths[1] > 500
  assert (np.abs(lengths - bits) < 0.01 * lengths + 40).all()


def named(case):
  return '-'.join(getattr(value, '__name__', str(value)) for value in case)


@pytest.mark.parametrize(
  'case', cases(lambda case: case[0] is tfusq.MSHyper or case in QUICK), ids=named
)
def test_every_model_with_every_entropy_model_decodes_and_estimates(case, photograph):
  """Bit for bit, and the estimate is of the symbols that are coded; in eager execution."""
  centred_model = lively_codec(*case).centred_model
  coding = bitstream.make_coding(centred_model)
  image = tf.constant(photograph[100:149, 100:170])
  encoded = bitstream.encode(coding, image, encoder_class=visitors.PricedEncoder)
  assert bitstream.encode(coding, image).data == encoded.data
  y_hat, height, width = bitstream.decode(coding, encoded.data)
  np.testing.assert_array_equal(y_hat, encoded.y_hat)
  assert (height, width) == (49, 70)
  require_near_lengths(encoded.data.numpy(), np.array(list(encoded.encoder.bits().values())))


@pytest.mark.slow
@pytest.mark.parametrize('case', PRODUCT, ids=named)
def test_evaluation_is_the_decoder(case, photograph):
  """Bit for bit, and the estimate is of the symbols that are coded.

  The fast tests of it are those of the fixture (MSHyper with Gaussian) and of the earlier runs
  (MSContext, whose walk Cheng has too, with the mixture).
  """
  module = saved_model.CodecModule(lively_codec(*case).centred_model)
  image = photograph[:83, :130]
  result = module.evaluate(image)
  np.testing.assert_array_equal(module.decompress(result['data']), result['reconstruction'])
  assert module.compress(image) == result['data']
  require_near_lengths(result['data'].numpy(), result['bits'].numpy())


def test_a_synthesis_may_have_weights_of_any_size():
  """It decides no table index, and so is not in exact arithmetic."""
  codec = make_codec()
  codec.model.synthesis.layers[0].kernel.assign_add(tf.fill([5, 5, 8, 12], 1e3))
  assert saved_model.CodecModule(codec.centred_model).identity


def test_weights_too_large_for_exact_arithmetic_are_refused():
  codec = make_codec()
  codec.model.hyper_synthesis.layers[0].kernel.assign_add(tf.fill([5, 5, 12, 8], 1e3))
  with pytest.raises(saved_model.ExportError, match='too large for exact arithmetic'):
    saved_model.CodecModule(codec.centred_model)


def test_an_existing_folder_is_kept_unless_forced(trained, exported_path):
  before = (exported_path / 'saved_model.pb').read_bytes()
  with pytest.raises(files.Exists, match='--force'):
    saved_model.export(trained.centred_model, exported_path, {})
  assert (exported_path / 'saved_model.pb').read_bytes() == before


def test_a_forged_size_is_refused_before_memory_is_asked_for(exported_codec, photograph):
  data = exported_codec.compress(photograph[:64, :64])
  for place in (17, 19):
    data = forged(data, place, 255)
  with pytest.raises(ContainerError, match='more than 134217728 pixels'):
    exported_codec.decompress(data)


def test_a_decoder_alone_decodes_the_whole_codecs_files(
  trained, exported_codec, exported_path, photograph, tmp_path
):
  path = tmp_path / 'decoder'
  identity = saved_model.export(trained.centred_model, path, {}, decoder_only=True)
  data, _, reconstruction = exported_codec.evaluate(photograph[:50, :60])
  assert container.read_header(data).identity.hex() == identity
  decoder = client.ExportedCodec(client.find_all(path)[identity])
  np.testing.assert_array_equal(decoder.decompress(data), reconstruction)
  with pytest.raises(client.CodecError, match='decompresses only'):
    client.find(path, compresses=True)

  def weights(folder):
    return sum(
      np.prod(shape, dtype=int)
      for _, shape in tf.train.list_variables(str(folder / 'variables' / 'variables'))
    )

  networks = [getattr(trained.model, name) for name in trained.model.encoder_only]
  # The density of z is in its tables, and in what only estimating needs.
  left_out = [*networks, trained.model.entropy_models['z']]
  variables = [variable for owner in left_out for variable in owner.variables]
  assert weights(exported_path) - weights(path) == sum(map(tf.size, variables)) > 0
  assert set(signatures(path)) == {'decompress', 'serving_default'}
  assert signatures(path)['serving_default'] == ({'data': 'string'}, {'output_0': 'uint8'})
  graph = saved_model_pb2.SavedModel.FromString((path / 'saved_model.pb').read_bytes())
  ops = {
    node.op
    for function in graph.meta_graphs[0].graph_def.library.function
    for node in function.node_def
  }
  assert 'EntropyEncodeIndex' not in ops and 'EntropyDecodeIndex' in ops
