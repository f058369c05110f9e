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
  with pytest.raises(ZeroDivisionError), files.new_folder(path, False, 'a') as draft:
    (draft / 'a').write_text('half')
    raise ZeroDivisionError
  assert not list(tmp_path.iterdir())
  for text in ('one', 'two'):
    with files.new_folder(path, True, 'a') as draft:
      (draft / 'a').write_text(text)
  with pytest.raises(files.Exists), files.new_folder(path, False, 'a') as draft:
    pass
  assert (path / 'a').read_text() == 'two'
  assert [p.name for p in tmp_path.iterdir()] == ['folder']


def test_a_folder_of_another_kind_is_never_replaced(tmp_path):
  (tmp_path / 'photographs').mkdir()
  (tmp_path / 'photographs' / 'only.png').write_text('dear')
  with (
    pytest.raises(files.Exists, match='holds no codec.json'),
    files.new_folder(tmp_path / 'photographs', True, 'codec.json'),
  ):
    pass
  assert (tmp_path / 'photographs' / 'only.png').read_text() == 'dear'


def test_an_output_is_neither_a_folder_nor_the_input(tmp_path):
  path = tmp_path / 'file'
  path.write_text('dear')
  with pytest.raises(files.Exists, match='is the input'):
    files.check_output(path, True, tmp_path / '.' / 'file')
  with pytest.raises(files.Exists, match='is a folder'):
    files.check_output(tmp_path, True)
  files.check_output(path, True)
