"""Clients in environments of their own, none of which has tfusq."""

import functools
import subprocess
import sys

import pytest
import tensorflow as tf

import tfusq
from clients import compare
from making import last_convolution, make_codec
from tfusq.export import saved_model

ENVIRONMENTS = {
  'of 2.14': ['tensorflow~=2.14.0', 'tensorflow-compression==2.14.1'],
  'newer': ['tensorflow-cpu==2.17.1', 'tensorflow-compression-ops'],
}


@pytest.mark.slow
def test_clients_of_two_versions_read_each_others_files(exported_path, photograph, tmp_path):
  interpreters = []
  for name, packages in ENVIRONMENTS.items():
    subprocess.run([sys.executable, '-m', 'venv', str(tmp_path / name)], check=True)
    interpreters.append(str(tmp_path / name / 'bin' / 'python'))
    subprocess.run([interpreters[-1], '-m', 'pip', 'install', '--quiet', *packages], check=True)
  paths = [exported_path]
  for name, options in {
    'serial': {
      'model': functools.partial(tfusq.Cheng, hidden=12),
      'zero_centre': False,
      'entropy_model': tfusq.GaussianMixture(),
    },
    'groups': {
      'model': functools.partial(tfusq.ELIC, groups=(2, 4), analysis=tfusq.Convolutional())
    },
  }.items():
    codec = make_codec(4, 6, **options)
    for variable in codec.model.variables:
      variable.assign_add(0.1 * tf.random.stateless_normal(variable.shape, [1, 2]))
    last = last_convolution(codec.model.analysis)
    last.kernel.assign(30 * last.kernel)
    paths.append(tmp_path / name)
    saved_model.export(codec.centred_model, paths[-1], {})
  images = {'odd': photograph[:83, :131], 'small': photograph[:17, :23], 'whole': photograph}
  for number, codec in enumerate(paths):
    work = tmp_path / f'work{number}'
    work.mkdir()
    rows = list(compare(interpreters, codec, images, work))
    assert len(rows) == 64 and len({row[0].split()[0] for row in rows}) == 2
    for writer, reader, _, decoded, _, worst in rows:
      assert decoded == len(images), (writer, reader)  # the entropy parameters are exact
      assert worst <= 1, (writer, reader)  # the synthesis transform is in floats
