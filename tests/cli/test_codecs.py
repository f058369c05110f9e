"""The codec that a command takes: named, of the variable, `./codec`, or installed."""

import argparse
import json

import pytest

from tfusq.cli import codecs, comparing, training
from tfusq.export.client import CodecError

LOCAL, INSTALLED, OTHER = ('1' * 16, '2' * 16, '3' * 16)


def write_codec(folder, identity):
  folder.mkdir()
  (folder / 'codec.json').write_text(json.dumps({'identity': identity}))


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch, distribution):
  """A current folder without a codec, and one codec that is installed."""
  write_codec(tmp_path / 'package_photo', INSTALLED)
  distribution('third', '2', '[tfusq.codecs]\nphoto = package_photo\n')
  (tmp_path / 'here').mkdir()
  monkeypatch.chdir(tmp_path / 'here')
  monkeypatch.delenv('TFUSQ_CODEC', raising=False)
  return tmp_path / 'here'


def test_the_installed_one_is_the_last_resort_and_is_named(capsys):
  assert codecs.to_compress(None).identity == INSTALLED
  assert capsys.readouterr().err == f'codec: photo of third 2 ({INSTALLED})\n'


def test_the_folder_of_the_current_one_comes_before_it(place, capsys):
  write_codec(place / 'codec', LOCAL)
  assert codecs.to_compress(None).identity == LOCAL
  assert capsys.readouterr().err == f'codec: ./codec ({LOCAL})\n'


def test_the_variable_comes_before_both_by_name_or_folder(place, monkeypatch, capsys):
  write_codec(place / 'codec', LOCAL)
  monkeypatch.setenv('TFUSQ_CODEC', 'photo')
  assert codecs.to_compress(None).identity == INSTALLED
  write_codec(place / 'other', OTHER)
  monkeypatch.setenv('HOME', str(place))
  monkeypatch.setenv('TFUSQ_CODEC', '~/other')
  assert codecs.to_compress(None).identity == OTHER
  assert capsys.readouterr().err.count('codec: ') == 2
  monkeypatch.setenv('TFUSQ_CODEC', '')
  assert codecs.to_compress(None).identity == LOCAL


def test_what_is_named_is_not_said_again(place, capsys):
  write_codec(place / 'codec', LOCAL)
  assert codecs.to_compress('photo').identity == INSTALLED
  assert codecs.to_compress('codec').identity == LOCAL
  assert codecs.of_identity(LOCAL, 'codec').identity == LOCAL
  assert codecs.of_identity(INSTALLED, 'photo').identity == INSTALLED
  assert not capsys.readouterr().err
  assert codecs.of_identity(INSTALLED, 'codec').identity == INSTALLED
  assert capsys.readouterr().err == f'codec: photo of third 2 ({INSTALLED})\n'


def test_a_damaged_folder_is_not_passed_over(place):
  (place / 'codec').mkdir()
  (place / 'codec' / 'codec.json').write_text('{')
  with pytest.raises(CodecError, match='codec.json is damaged'):
    codecs.to_compress(None)


def test_a_name_that_is_also_a_folder_is_said_to_be_one(place, capsys):
  write_codec(place / 'photo', LOCAL)
  assert codecs.to_compress('photo').identity == LOCAL
  assert 'photo is taken for the folder' in capsys.readouterr().err


def test_files_find_their_codecs(place, capsys):
  assert codecs.of_identity(INSTALLED, None).identity == INSTALLED
  write_codec(place / 'codec', LOCAL)
  assert codecs.of_identity(LOCAL, None).identity == LOCAL
  assert capsys.readouterr().err == (
    f'codec: photo of third 2 ({INSTALLED})\ncodec: ./codec ({LOCAL})\n'
  )


def test_evaluate_takes_names_and_folders(place, tmp_path, capsys):
  write_codec(place / 'mine', LOCAL)

  def folders(*texts, anchor=None):
    arguments = argparse.Namespace(codec=list(texts), model_dir=[], anchor=anchor)
    return comparing._codecs(arguments)

  assert folders('photo', 'mine') == [str(tmp_path / 'package_photo'), 'mine']
  assert folders(anchor='jpeg') == []
  assert not capsys.readouterr().err
  assert folders() == [str(tmp_path / 'package_photo')]
  assert capsys.readouterr().err == f'codec: photo of third 2 ({INSTALLED})\n'


def test_a_run_begins_with_a_folder_or_a_name(place, tmp_path):
  assert training._init_from(None, 'run') is None
  assert training._init_from('photo', 'run') == str(tmp_path / 'package_photo')
  with pytest.raises(
    CodecError, match='in phto, and no codec of that name; those installed are pho'
  ):
    training._init_from('phto', 'run')
  (place / 'photo').mkdir()
  assert training._init_from('photo', 'run') == 'photo'
  # A run that is resumed does not need what it was begun with.
  (place / 'run').mkdir()
  assert training._init_from('gone', 'run') == 'gone'
