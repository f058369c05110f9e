"""Paths: local, in the home folder, and in stores, which `ram://` stands for."""

import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from tfusq import files


@pytest.fixture
def store(request):
  """A folder in memory of the test's own, which does not exist yet."""
  return files.RemotePath(f'ram://{request.node.name}')


def test_text_is_a_local_path_or_one_in_a_store(monkeypatch):
  monkeypatch.setenv('HOME', '/home/me')
  for text, path in (
    ('a/b', Path('a/b')),
    ('~/a', Path('/home/me/a')),
    ('./~/a', Path('~/a')),
    ('a/~', Path('a/~')),
    ('~nobody-of-this-name/a', Path('~nobody-of-this-name/a')),
    ('C:/a', Path('C:/a')),
    ('a:b', Path('a:b')),
    ('gs://bucket/a b', files.RemotePath('gs://bucket/a b')),
    ('s3://bucket', files.RemotePath('s3://bucket')),
  ):
    assert files.to_path(text) == path
  assert files.to_path(Path('~/a')) == Path('~/a')  # a path is meant as it is
  with pytest.raises(files.PathError, match='gs://bucket is in a store'):
    files.local_path('gs://bucket')
  assert files.local_path('~') == Path('/home/me')


def test_parts_of_a_remote_path():
  path = files.RemotePath('gs://bucket/a/b.tar.gz')
  assert (path.name, path.stem, path.suffix) == ('b.tar.gz', 'b.tar', '.gz')
  assert str(path.parent) == 'gs://bucket/a' and str(path.parent.parent.parent) == 'gs://'
  assert str(path.with_suffix('.png')) == 'gs://bucket/a/b.tar.png'
  assert str(files.RemotePath('hdfs:///a') / 'b') == 'hdfs:///a/b'
  assert path.relative_to(files.RemotePath('gs://bucket')) == PurePosixPath('a/b.tar.gz')
  for folder in ('gs://other', 'ram://bucket'):
    with pytest.raises(ValueError):
      path.relative_to(files.RemotePath(folder))
  assert (
    sorted([path, path.parent]) == [path.parent, path] and len({path, path.parent / path.name}) == 1
  )


def test_files_of_a_store(store):
  assert not (store.exists() or store.is_dir() or store.is_file())
  path = store / 'sub' / '[1] ä*.bin'
  path.parent.mkdir()
  path.write_bytes(b'\0\xff')
  (store / 'a').write_text('longer, and gone')
  (store / 'a').write_text('ä')
  assert path.read_bytes() == b'\0\xff' and (store / 'a').read_text() == 'ä'
  assert store.is_dir() and path.is_file() and not path.is_dir()
  assert sorted(store.iterdir()) == [store / 'a', store / 'sub']
  assert store.files() == [store / 'a', path]
  path.replace(store / 'a')
  assert (store / 'a').read_bytes() == b'\0\xff' and not path.exists()
  (store / 'a').unlink()
  (store / 'a').unlink(missing_ok=True)
  assert not (store / 'a').exists()


def test_errors_of_a_store_are_those_of_the_system_and_name_the_path(store):
  for read in (store.read_bytes, store.unlink, lambda: list(store.iterdir())):
    with pytest.raises(FileNotFoundError) as refused:
      read()
    assert refused.value.filename == str(store)
  with pytest.raises(OSError, match='nosuch') as refused:
    files.read('nosuch://a/b')
  assert refused.value.filename == 'nosuch://a/b'


def test_outputs_in_a_store(store):
  path = str(store / 'sub' / 'file')
  files.write(path, b'one', force=False)
  with pytest.raises(files.Exists, match='--force'):
    files.write(path, b'two', force=False)
  with pytest.raises(files.Exists, match='is a folder'):
    files.write(str(store), b'two')
  files.write(path, b'two')
  assert files.read(path) == b'two' and store.files() == [store / 'sub' / 'file']


def test_folders_in_a_store(store):
  path = store / 'folder'
  with pytest.raises(ZeroDivisionError), files.new_folder(path, False, 'marker') as draft:
    (draft / 'marker').write_text('half')
    raise ZeroDivisionError
  assert not store.files()

  for text in ('one', 'two'):
    with files.new_folder(path, True, 'marker') as draft:
      (draft / 'sub').mkdir()
      (draft / 'sub' / text).write_text(text)
      (draft / 'marker').write_text(text)
    assert path.files() == [path / 'marker', path / 'sub' / text]
  with pytest.raises(files.Exists, match='--force'), files.new_folder(path, False, 'marker'):
    pass
  with pytest.raises(files.Exists, match='holds no other'), files.new_folder(path, True, 'other'):
    pass
  assert (path / 'marker').read_text() == 'two'
  assert list(store.iterdir()) == [path]


def test_a_local_path_does_not_import_tensorflow():
  program = (
    "import sys; from tfusq import files; files.to_path('a').exists(); files.to_path('gs://a'); "
    "assert 'tensorflow' not in sys.modules"
  )
  subprocess.run([sys.executable, '-c', program], check=True)
