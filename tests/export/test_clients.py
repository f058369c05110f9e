"""Clients in environments of their own, none of which has tfusq."""

import functools
import subprocess
import sys

import pytest
import tensorflow as tf

import tfusq
from clients import compare
from making import code_in_small_pieces, last_convolution, make_codec
from tfusq.export import saved_model

ENVIRONMENTS = {
  'tensorflow 2.14': ['tensorflow~=2.14.0', 'tensorflow-compression==2.14.1'],
  'tensorflow 2.17': ['tensorflow-cpu==2.17.1', 'tensorflow-compression-ops'],
}


SMALL_CODECS = {
  'serial': {
    'model': functools.partial(tfusq.Cheng, hidden=12),
    'zero_centre': False,
    'entropy_model': tfusq.GaussianMixture(),
  },
  'groups': {'model': functools.partial(tfusq.ELIC, groups=(2, 4), analysis=tfusq.Convolutional())},
}


def make_environment(folder, packages):
  """Makes a virtual environment with packages; returns its interpreter."""
  interpreter = str(folder / 'bin' / 'python')
  subprocess.run([sys.executable, '-m', 'venv', str(folder)], check=True)
  subprocess.run([interpreter, '-m', 'pip', 'install', '--quiet', *packages], check=True)
  return interpreter


def export_small_codec(folder, options):
  """Exports an untrained codec whose latents are not all zero."""
  codec = make_codec(4, 6, **options)
  for variable in codec.model.variables:
    variable.assign_add(0.1 * tf.random.stateless_normal(variable.shape, [1, 2]))
  last = last_convolution(codec.model.analysis)
  last.kernel.assign(30 * last.kernel)
  saved_model.export(codec.centred_model, folder, {})


@pytest.mark.slow
def test_clients_of_two_versions_read_each_others_files(
  exported_path, photograph, tmp_path, monkeypatch
):
  interpreters = []
  for name, packages in ENVIRONMENTS.items():
    interpreters.append(make_environment(tmp_path / name, packages))

  paths = [exported_path]
  code_in_small_pieces(monkeypatch)
  for name, options in SMALL_CODECS.items():
    paths.append(tmp_path / name)
    export_small_codec(paths[-1], options)

  images = {'odd': photograph[:83, :131], 'small': photograph[:17, :23], 'large': photograph}
  for number, codec in enumerate(paths):
    work = tmp_path / f'work{number}'
    work.mkdir()
    rows = list(compare(interpreters, codec, images, work))
    assert len(rows) == 64 and len({row[0].split()[0] for row in rows}) == 2
    for writer, reader, _, decoded, _, worst in rows:
      assert decoded == len(images), (writer, reader)  # the entropy parameters are exact
      assert worst <= 1, (writer, reader)  # the synthesis transform is in floats
