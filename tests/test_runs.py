import numpy as np
import pytest
import tensorflow as tf

import tfusq
from making import IMAGES, eager
from tfusq import config, runs, versions
from tfusq.export import client, saved_model
from tfusq.files import Exists
from tfusq.training import exported_weights
from tfusq.training.recipes import TrainingError
from tfusq.training.transfer import TransferError


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A run of one step."""
  path = tmp_path_factory.mktemp('run')
  bindings = [
    f"TRAIN_IMAGES = '{IMAGES / 'train'}'",
    'train.steps = 1',
    'train.interval = 1',
    'Patches.patch_size = 64',
    'Patches.batch_size = 1',
    'MSHyper.filters = 4',
    'MSHyper.latent_channels = 6',
    'train.initialization_patches = 2',
  ]
  config.parse(['quickstart.gin'], bindings, [])
  with eager():
    config.build('train')(model_dir=str(path), recipe=config.recipe)
  return path


def test_a_run_is_loaded_with_its_newest_networks(run):
  codec = runs.load_run(run, [])
  reader = tf.train.load_checkpoint(str(run / 'ckpt-1'))
  name = 'model/hyper_analysis/layer_with_weights-0/bias/.ATTRIBUTES/VARIABLE_VALUE'
  assert (reader.get_tensor(name) == codec.model.hyper_analysis.layers[0].bias.numpy()).all()
  assert codec.model.hyper_analysis.layers[0].filters == 4


def test_a_run_is_exported_with_its_step_and_recipe(run, tmp_path):
  out = tmp_path / 'codec'
  identity = runs.export_run(run, out, [])
  exported = client.ExportedCodec(out)
  assert exported.description['identity'] == identity
  assert exported.description['step'] == 1
  assert 'MSHyper.filters = 4' in exported.description['recipe']
  assert exported.description['versions'] == versions.installed()
  with pytest.raises(Exists):
    runs.export_run(run, out, [])
  # As a run it is the same codec, here with another refinement.
  again = tmp_path / 'again'
  sua = ['refinements/sua_pge.gin']
  assert runs.export_run(out, again, [], gin_files=sua) == identity
  others = client.read_folder(again).description
  assert others['refinement'] == 'SUA+PGE | SUA+PGE'
  for name in ('step', 'recipe'):
    assert others[name] == exported.description[name]

  # A decoder alone has the same identity, and takes less time.
  assert runs.export_run(run, out, [], force=True, decoder_only=True) == identity
  assert client.read_folder(out).description['refinement'] is None


def test_a_run_is_exported_with_the_refinement_that_a_gin_file_binds(run, tmp_path, monkeypatch):
  exported = []
  monkeypatch.setattr(saved_model, 'export', lambda *arguments: exported.append(arguments[-1]))
  runs.export_run(run, tmp_path, [])
  runs.export_run(run, tmp_path, [], gin_files=['refinements/sua_pge.gin'])
  pairs = [refiner.refinement.describe() for refiner in exported]
  assert pairs == ['SGA+PGE | SGA+PGE', 'SUA+PGE | SUA+PGE']
  runs.export_run(run, tmp_path, [], refines=False)
  assert exported[2] is None


def test_weights_are_exported_with_as_many_bits_as_asked_for(run, tmp_path, monkeypatch):
  exported = []
  monkeypatch.setattr(saved_model, 'export', lambda model, *_: exported.append(model))
  for bits in (None, 9):
    runs.export_run(run, tmp_path, [], weight_bits=bits)
  whole, rounded = [model.model.get_weights() for model in exported]
  assert any(np.any(weight != short) for weight, short in zip(whole, rounded))
  for weight, short in zip(whole, rounded, strict=True):
    np.testing.assert_array_equal(short, exported_weights.rounded(weight, 9))


def test_there_is_no_refinement_for_the_distortion_of_a_plugin(run, tmp_path, monkeypatch):
  class Mine(tfusq.MSE):
    pass

  exported = []
  monkeypatch.setattr(saved_model, 'export', lambda *arguments: exported.append(arguments[-1]))
  codec = runs.build_codec(run, [], [runs.DEFAULT_REFINEMENT])
  object.__setattr__(codec, 'distortion_measure', Mine())
  refinement = config.build_configurable('Refinement')
  runs.export_codec(codec, run, tmp_path, refinement=refinement)
  assert exported == [None]


def test_what_a_folder_lacks_is_named(run, tmp_path):
  with pytest.raises(TrainingError, match='is no run'):
    runs.build_codec(tmp_path, [])
  recipe = run / 'operative_config-0.gin'
  (tmp_path / recipe.name).write_text(recipe.read_text())
  with pytest.raises(TransferError, match='no checkpoint'):
    runs.load_run(tmp_path, [])
