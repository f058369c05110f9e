"""Codecs that packages bring: found by name, by identity, or as the default, without TensorFlow."""

import json
import subprocess
import sys

import pytest

from tfusq import plugins
from tfusq.export import client, installed
from tfusq.export.client import AbsentCodec, CodecError
from tfusq.plugins import PluginError

IDENTITIES = {name: 8 * digits for name, digits in (('low', '10'), ('high', '20'), ('own', '30'))}


def write_codec(folder, identity, **description):
  folder.mkdir(parents=True)
  (folder / 'codec.json').write_text(json.dumps({'identity': identity, **description}))


@pytest.fixture
def install(distribution, tmp_path):
  """Installs a package with a codec, which lies beside its metadata."""

  def make(name, owner=None, **description):
    owner = owner or f'of_{name}'
    write_codec(tmp_path / f'package_{name}', IDENTITIES[name], **description)
    distribution(owner, '1.5', f'[tfusq.codecs]\n{name} = package_{name}\n')

  return make


def test_a_codec_is_found_by_its_name_and_its_package_not_imported(install, tmp_path):
  install('low')
  (tmp_path / 'package_low' / '__init__.py').write_text('raise RuntimeError("imported")')
  choice = installed.named('low')
  assert choice.codec.path == tmp_path / 'package_low'
  assert choice.label == f'low of of_low 1.5 ({IDENTITIES["low"]})'
  assert installed.names() == ['low'] and not choice.remark
  assert 'package_low' not in sys.modules


def test_a_folder_with_a_codec_comes_before_a_name_and_says_so(install, tmp_path, monkeypatch):
  install('low')
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'low').mkdir()  # a folder of something else
  assert installed.named('low').plugin
  write_codec(tmp_path / 'low' / 'inside', 'f' * 16)
  choice = installed.named('low')
  assert choice.codec.identity == 'f' * 16 and not choice.plugin
  assert (
    choice.remark == 'low is taken for the folder, not for the codec of that name of of_low 1.5'
  )
  assert installed.named('./low').remark == ''


def test_an_unknown_name_lists_those_that_are_installed(install):
  with pytest.raises(CodecError, match='in lo, and no codec of that name; none is installed$'):
    installed.named('lo')
  install('low')
  install('high')
  with pytest.raises(CodecError, match='of that name; those installed are high, low$'):
    installed.named('lo')


def test_a_name_claimed_twice_names_both_distributions(install, distribution):
  install('low')
  distribution('other', '3', '[tfusq.codecs]\nlow = elsewhere\n')
  with pytest.raises(PluginError, match='low is claimed by other 3 .* and of_low 1.5 '):
    installed.named('low')


@pytest.mark.parametrize(
  'target, content, reason',
  [
    ('absent_package', None, 'there is no package absent_package'),
    ('absent.package', None, 'ModuleNotFoundError'),
    ('bad_parent.codec', None, 'ZeroDivisionError: division by zero'),
    ('package:folder', None, 'there is no package package:folder'),
    ('package_odd', '', 'damaged or no codec: JSONDecodeError'),
    ('package_odd', '{"identity": "short"}', 'names no identity'),
    ('package_odd', None, 'No such file'),
  ],
)
def test_a_broken_codec_is_one_line_and_costs_no_other(
  target, content, reason, distribution, install, tmp_path
):
  (tmp_path / 'bad_parent.py').write_text('1 / 0')
  (tmp_path / 'package_odd').mkdir()
  if content is not None:
    (tmp_path / 'package_odd' / 'codec.json').write_text(content)
  distribution('broken', '0.1', f'[tfusq.codecs]\nodd = {target}\n')
  install('low')

  with pytest.raises(
    (PluginError, CodecError), match='the codec odd of broken 0.1 is broken'
  ) as one:
    installed.named('odd')
  assert reason in str(one.value) and '\n' not in str(one.value)
  assert installed.default().plugin.name == 'low'
  assert installed.of_identity(IDENTITIES['low']).plugin.name == 'low'
  with pytest.raises(CodecError, match='those here are low of .*; the codec odd of broken 0.1'):
    installed.of_identity('f' * 16)

  described = {plugin.name: installed.describe(plugin) for plugin in plugins.codecs()}
  assert described['odd'][0].startswith('BROKEN: the codec odd')
  assert described['low'] == [
    f'identity {IDENTITIES["low"]}, 0.0 MB',
    'compresses and decompresses',
  ]


def test_the_default_is_tfusqs_own_or_the_only_one(install):
  with pytest.raises(CodecError, match='there is no ./codec, and none is installed'):
    installed.default()
  install('high', decoder_only=True)
  with pytest.raises(CodecError, match='none is installed'):
    installed.default()
  install('low')
  assert installed.default().plugin.name == 'low'
  install('own', owner='tfusq')
  assert installed.default().plugin.name == 'own'


def test_among_several_of_others_none_is_the_default(install):
  install('low')
  install('high')
  with pytest.raises(CodecError, match=r'several.* by --codec: high of .*\), low of'):
    installed.default()


def test_a_files_codec_is_looked_for_in_the_named_place_and_then_among_the_installed(
  install, tmp_path
):
  install('low')
  install('high')
  write_codec(tmp_path / 'mine', IDENTITIES['low'])
  assert installed.of_identity(IDENTITIES['low'], str(tmp_path / 'mine')).plugin is None
  assert installed.of_identity(IDENTITIES['high'], str(tmp_path / 'mine')).plugin.name == 'high'
  assert installed.of_identity(IDENTITIES['high'], 'low').plugin.name == 'high'
  with pytest.raises(CodecError, match='no exported codec in no, and no codec of that name'):
    installed.of_identity(IDENTITIES['high'], 'no')

  with pytest.raises(AbsentCodec) as error:
    installed.of_identity('f' * 16, str(tmp_path / 'mine'))
  low, high = IDENTITIES['low'], IDENTITIES['high']
  assert str(error.value) == (
    f'give its folder by --codec; those here are {tmp_path}/mine ({low}), '
    f'high of of_high 1.5 ({high})'
  )


def test_a_decoder_alone_is_not_taken_to_compress(install):
  install('low', decoder_only=True)
  assert installed.named('low').codec.decoder_only
  with pytest.raises(CodecError, match='the codec low of of_low 1.5 decompresses only'):
    installed.named('low', compresses=True)


def test_it_needs_no_tensorflow():
  code = (
    'import sys; from tfusq.export import installed; installed.read_all(); '
    'sys.exit("tensorflow" in sys.modules)'
  )
  subprocess.run([sys.executable, '-c', code], check=True)


def test_only_folders_with_a_description_count(tmp_path):
  assert client.described(tmp_path) == [] == client.described(tmp_path / 'absent')
  write_codec(tmp_path / 'codec', 'f' * 16)
  (tmp_path / 'damaged').mkdir()
  (tmp_path / 'damaged' / 'codec.json').write_text('{')
  assert [path.name for path in client.described(tmp_path)] == ['codec', 'damaged']
