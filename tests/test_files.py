import pytest

from tfusq import files


def test_a_file_is_whole_or_as_it_was(tmp_path):
  path = tmp_path / 'sub' / 'file'
  files.write(path, b'one')
  with pytest.raises(files.Exists):
    files.write(path, b'two', force=False)
  with pytest.raises(TypeError):
    files.write(path, 'not bytes')
  assert path.read_bytes() == b'one'
  files.write(path, b'two')
  assert path.read_bytes() == b'two'
  assert [p.name for p in path.parent.iterdir()] == ['file']


def test_a_folder_is_whole_or_as_it_was(tmp_path):
  path = tmp_path / 'folder'
  with pytest.raises(ZeroDivisionError), files.new_folder(path) as draft:
    (draft / 'a').write_text('half')
    raise ZeroDivisionError
  assert not list(tmp_path.iterdir())
  for text in ('one', 'two'):
    with files.new_folder(path, force=True) as draft:
      (draft / 'a').write_text(text)
  with pytest.raises(files.Exists), files.new_folder(path) as draft:
    pass
  assert (path / 'a').read_text() == 'two'
  assert [p.name for p in tmp_path.iterdir()] == ['folder']
