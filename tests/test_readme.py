"""The README's code does what it says."""

import re
from pathlib import Path

import numpy as np
import tensorflow as tf

import tfusq

README = (Path(__file__).parent.parent / 'README.md').read_text()


def blocks(kind):
  """The README's code blocks in a language."""
  return re.findall(rf'```{kind}\n(.*?)```', README, re.DOTALL)


def test_the_plugin_trains_as_a_quantizer(gradients):
  (code,) = (block for block in blocks('python') if 'class Triangular' in block)
  namespace = {}
  exec(code, namespace)
  surrogate = namespace['Triangular']()
  y = tf.zeros([200_000])
  u = surrogate.noise(y, [1, 2])
  assert abs(float(tf.math.reduce_variance(u)) * 12 - 1) < 0.02
  _, (by_y, _) = gradients(tfusq.Quantizer(surrogate, tfusq.PGE()), y[:4], u[:4])
  np.testing.assert_array_equal(by_y, np.ones(4))


def test_the_gin_files_it_names_are_there():
  root = Path(__file__).parent.parent / 'gin'
  folders = '|'.join(path.name for path in root.iterdir() if path.is_dir())
  named = set(re.findall(rf'(?:--gin_file |`)((?:{folders})/\w+\.gin)', README))
  assert len(named) >= 18
  assert all((root / name).is_file() for name in named)


def plugin_files():
  """The README's plugin, by file name."""
  (module,) = (block for block in blocks('python') if 'class Triangular' in block)
  (config,) = blocks('ini')
  (project,) = blocks('toml')
  return {'my_surrogates.py': module, 'setup.cfg': config, 'pyproject.toml': project}


def test_nothing_is_left_to_fill_in():
  assert not re.search(r'^[A-Z_]{5,}$', README, re.MULTILINE)
