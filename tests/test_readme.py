"""The README's code does what it says, and what it names exists."""

import configparser
import re
import shlex

import numpy as np
import pytest
import tensorflow as tf

import tfusq
from readme import CHECKOUT, README, plugin_files
from tfusq import cli as command_line

PAGES = (
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'gin/README.md',
  'plugins/README.md',
  'plugins/codecs.md',
)


def test_the_plugin_trains_as_a_quantizer(gradients):
  namespace = {}
  exec(plugin_files()['my_surrogates.py'], namespace)
  surrogate = namespace['Triangular']()
  y = tf.zeros([200_000])
  u = surrogate.noise(y, [1, 2])
  assert abs(float(tf.math.reduce_variance(u)) * 12 - 1) < 0.02
  _, (by_y, _) = gradients(tfusq.Quantizer(surrogate, tfusq.PGE()), y[:4], u[:4])
  np.testing.assert_array_equal(by_y, np.ones(4))


def test_the_gin_files_it_names_are_there():
  root = CHECKOUT / 'gin'
  folders = '|'.join(path.name for path in root.iterdir() if path.is_dir())
  named = set(re.findall(rf'(?:--gin_file |`)((?:{folders})/\w+\.gin)', README))
  assert len(named) >= 18
  assert all((root / name).is_file() for name in named)


def test_nothing_is_left_to_fill_in():
  assert not re.search(r'^[A-Z_]{5,}$', README, re.MULTILINE)


@pytest.mark.parametrize('page', PAGES)
def test_links_to_files_lead_somewhere(page):
  path = CHECKOUT / page
  links = re.findall(r'\]\(([^)#:]+)\)', path.read_text())
  assert all((path.parent / link).exists() for link in links), links


@pytest.mark.parametrize('page', PAGES)
def test_commands_and_paths_exist(page):
  """Every `tfusq COMMAND` is a command, and paths into the checkout lead somewhere."""
  text = (CHECKOUT / page).read_text()
  commands = command_line.parser()._subparsers._group_actions[0].choices
  shown = set(re.findall(r'`tfusq (\w+)', text))
  for block in re.findall(r'```sh\n(.*?)```', text, re.DOTALL):
    shown.update(re.findall(r'^tfusq (\w+)', block, re.MULTILINE))
  assert shown <= set(commands)

  paths = re.findall(r'`((?:tfusq|tests|gin|plugins)/[\w./-]*[\w/])`', text)
  paths += re.findall(r'^python ([\w/]+\.py)', text, re.MULTILINE)
  missing = [path for path in paths if 'NAME' not in path and not (CHECKOUT / path).exists()]
  assert not missing


def test_commands_are_parsed():
  """The README's commands have the options that they show."""
  count = 0
  for block in re.findall(r'```sh\n(.*?)```', README, re.DOTALL):
    for line in block.replace('\\\n', ' ').splitlines():
      if line.startswith('tfusq '):
        words = shlex.split(line, comments=True)
        command_line.parser().parse_args(words[1:])
        count += 1
  assert count >= 25


def test_lines_without_dependencies_name_the_other_requirements():
  """Where `--no-deps` is said, all is named but TensorFlow, Keras and the range coder."""
  config = configparser.ConfigParser()
  config.read(CHECKOUT / 'setup.cfg')
  required = config['options']['install_requires'].split('\n')
  required = sorted(name for name in required if name and 'python_version' not in name)

  lines = []
  for block in re.findall(r'```sh\n(.*?)```', README, re.DOTALL):
    for line in block.replace('\\\n', ' ').splitlines():
      if line.startswith('pip install') and 'tensorflow' in line:
        lines.append(sorted(shlex.split(line)[2:]))
  assert len(lines) == 2
  for line in lines:
    assert [name for name in line if not name.startswith(('tensorflow', 'tf_keras'))] == required
