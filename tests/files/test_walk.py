"""The files of a folder: hidden ones, links and circles."""

import os

import pytest

from tfusq import files


def touch(path):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.touch()


def listing(folder):
  return [str(path.relative_to(folder)) for path in files.walk(folder)]


def test_hidden_files_and_folders_are_left_out(tmp_path):
  for name in ('b/c', 'a', '.hidden', '.folder/a', 'b/.hidden/a', 'b/._c', 'é', 'b/x.y'):
    touch(tmp_path / name)
  assert listing(tmp_path) == ['a', 'b/c', 'b/x.y', 'é']


def test_a_folder_that_is_hidden_itself_has_files(tmp_path):
  touch(tmp_path / '.cache' / 'a')
  assert listing(tmp_path / '.cache') == ['a']


def test_links_are_followed_once(tmp_path):
  folder = tmp_path / 'folder'
  touch(folder / 'real' / 'a')
  touch(tmp_path / 'elsewhere' / 'sub' / 'b')
  touch(tmp_path / 'c')
  (folder / 'again').symlink_to('real')
  (folder / 'alias').symlink_to('real/a')
  (folder / 'linked').symlink_to(tmp_path / 'elsewhere')
  (folder / 'z').symlink_to(tmp_path / 'c')
  (folder / 'zz').symlink_to(tmp_path / 'c')
  assert listing(folder) == ['linked/sub/b', 'real/a', 'z']


def test_links_to_nothing_are_listed_and_pipes_are_not(tmp_path):
  (tmp_path / 'missing').symlink_to(tmp_path / 'nothing')
  os.mkfifo(tmp_path / 'pipe')
  assert listing(tmp_path) == ['missing']


def test_circles_of_links_end(tmp_path):
  touch(tmp_path / 'a' / 'file')
  (tmp_path / 'a' / 'up').symlink_to('..')
  (tmp_path / 'a' / 'itself').symlink_to('.')
  (tmp_path / 'x').symlink_to('y')
  (tmp_path / 'y').symlink_to('x')
  assert listing(tmp_path) == ['a/file', 'x', 'y']


def test_a_link_to_the_folder_above_lists_what_is_there(tmp_path):
  touch(tmp_path / 'a' / 'file')
  touch(tmp_path / 'b')
  (tmp_path / 'a' / 'up').symlink_to('..')
  assert listing(tmp_path / 'a') == ['file', 'up/b']


def test_names_of_any_bytes_are_listed(tmp_path):
  touch(tmp_path / os.fsdecode(b'caf\xe9'))
  touch(tmp_path / 'two\nlines')
  assert [os.fsencode(name) for name in listing(tmp_path)] == [b'caf\xe9', b'two\nlines']


def test_a_folder_that_is_missing_is_named(tmp_path):
  with pytest.raises(FileNotFoundError, match='nothing'):
    files.walk(tmp_path / 'nothing')


def test_a_folder_of_a_store_is_listed():
  store = files.RemotePath('ram://walk')
  for name in ('b/c', 'a', '.hidden', 'b/.hidden/a'):
    (store / name).parent.mkdir()
    (store / name).write_bytes(b'')
  assert listing(store) == ['a', 'b/c']
