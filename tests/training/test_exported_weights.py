"""Training goes on from an exported codec: all of its weights, bit for bit."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from making import make_codec, make_patches, make_variable_coder
from tfusq.export import bitstream
from tfusq.training import exported_weights, recipes, train, transfer
from tfusq.training.exported_weights import WeightsError


@pytest.fixture
def copy(exported_path, tmp_path):
  return shutil.copytree(exported_path, tmp_path / 'copy')


def test_all_weights_come_back_and_give_the_same_codec(trained, exported_path):
  codec = make_codec(seed=9)
  assert transfer.transfer(codec, str(exported_path)).lines == []
  for here, there in zip(codec.model.variables, trained.model.variables, strict=True):
    np.testing.assert_array_equal(here, there, err_msg=here.name)

  identity = json.loads((exported_path / 'codec.json').read_text())['identity']
  assert bitstream.make_coding(codec.centred_model).identity.hex() == identity


def test_gains_come_back_too(variable, variable_path):
  codec = make_variable_coder()
  for part in codec.centred_model.variables():
    part.assign(tf.zeros(part.shape))
  assert transfer.transfer(codec, str(variable_path)).lines == []
  pairs = zip(codec.centred_model.variables(), variable.centred_model.variables(), strict=True)
  for here, there in pairs:
    np.testing.assert_array_equal(here, there, err_msg=here.name)
  identity = json.loads((variable_path / 'codec.json').read_text())['identity']
  assert bitstream.make_coding(codec.centred_model).identity.hex() == identity


def test_only_what_the_saved_model_lacks_is_stored_beside_it(trained, exported_path):
  with np.load(exported_path / exported_weights.FILE) as stored:
    beside = set(stored.files) - {'saved'}
  layers = {name.split('/')[1] for name in beside}
  assert layers == {'hyper_synthesis'}  # the density of z is read by `evaluate`
  total = sum(variable.shape.num_elements() for variable in trained.model.variables)
  size = (exported_path / exported_weights.FILE).stat().st_size
  assert size < 0.6 * 4 * total


@pytest.mark.parametrize('bits', [1, 8, 11, 24])
def test_rounded_weights_are_the_nearest_of_as_many_bits(bits):
  weights = np.random.default_rng(bits).normal(size=1000).astype(np.float32)
  weights[:3] = 0, 1, -(2.0**-20)
  rounded = exported_weights.rounded(weights, bits)
  assert rounded.dtype == np.float32

  mantissas, _ = np.frexp(rounded.astype(np.float64))
  assert np.all(mantissas * 2**bits % 1 == 0)
  # Half of the last digit at most, of which a number has one from its own power of two on.
  powers = 2.0 ** np.floor(np.log2(np.abs(weights[3:])))
  assert np.all(np.abs(rounded - weights)[3:] <= powers * 2.0**-bits)
  np.testing.assert_array_equal(rounded[:3], weights[:3])


def test_eleven_bits_are_those_of_half_precision():
  weights = np.random.default_rng(0).uniform(0.1, 1, 1000).astype(np.float32)
  halves = weights.astype(np.float16).astype(np.float32)
  np.testing.assert_array_equal(exported_weights.rounded(weights, 11), halves)


def test_a_codec_of_an_earlier_version_is_refused():
  codec = Path(__file__).parents[1] / 'fixtures' / 'codecs' / 'version_1'
  assert exported_weights.is_exported(str(codec))
  for function in (exported_weights.read, exported_weights.digest):
    with pytest.raises(WeightsError, match='version_1 has no weights.npz.*its run') as error:
      function(str(codec))
    assert '\n' not in str(error.value)


def test_another_network_takes_what_fits(exported_path):
  codec = make_codec(latent_channels=10)
  lines = transfer.transfer(codec, str(exported_path)).lines
  assert 'analysis/6/kernel stays new: its shape is 5x5x8x10, there 5x5x8x12' in lines


@pytest.mark.parametrize('name', ['weights.npz', 'variables/variables.data-00000-of-00001'])
@pytest.mark.parametrize('change', [lambda data: data[:99], lambda data: b'x' * 99])
def test_damaged_weights_are_one_line(name, change, copy):
  (copy / name).write_bytes(change((copy / name).read_bytes()))
  with pytest.raises(WeightsError, match='copy are damaged') as error:
    exported_weights.read(str(copy))
  assert '\n' not in str(error.value)


def test_weights_of_another_form_are_one_line(copy):
  for arrays in ({'model/x': np.zeros(3)}, {'saved': np.array(['model/x'] * 1000)}):
    content = io.BytesIO()
    np.savez(content, **arrays)
    (copy / exported_weights.FILE).write_bytes(content.getvalue())
    with pytest.raises(WeightsError, match='copy are damaged'):
      exported_weights.read(str(copy))


@pytest.mark.usefixtures('eagerly')
def test_a_run_begins_with_an_exported_codec_and_names_it(exported_path, copy, tmp_path):
  def run(**options):
    return train.train(
      str(tmp_path / 'run'),
      lambda: 'recipe',
      make_codec(seed=9, train_encoder=False),
      tf.keras.optimizers.Adam(1e-3),
      make_patches(),
      steps=1,
      interval=1,
      **options,
    )

  run(init_from=str(exported_path))
  recipe = recipes.newest_recipe(tmp_path / 'run').read_text()
  assert f'#: networks from {exported_path}\n' in recipe
  started = exported_weights.read(str(exported_path))
  reader = tf.train.load_checkpoint(str(tmp_path / 'run' / 'ckpt-0'))
  for name, value in started.items():
    np.testing.assert_array_equal(
      reader.get_tensor(f'{name}/.ATTRIBUTES/VARIABLE_VALUE'), value, err_msg=name
    )
  # The same codec in another place, as of another environment.
  assert 'complete' in run(init_from=str(copy))
