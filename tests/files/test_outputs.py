"""Outputs: whole or unchanged, through links, to devices and pipes, with their permissions."""

import errno
import os
import resource
import stat
import subprocess
import sys
import threading

import pytest

from tfusq import files


def names(folder):
  return sorted(path.name for path in folder.iterdir())


def mode(path):
  return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
  """Sets the process's mask of permissions for a test."""
  old = os.umask(0o022)
  yield os.umask
  os.umask(old)


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
  assert names(path.parent) == ['file']


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
  assert names(tmp_path) == ['folder']


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


def test_a_symbolic_link_is_followed_and_stays(tmp_path):
  (tmp_path / 'other').mkdir()
  target = tmp_path / 'other' / 'file'
  target.write_bytes(b'old')
  link = tmp_path / 'link'
  link.symlink_to('other/file')
  second = tmp_path / 'second'
  second.symlink_to(link)

  with pytest.raises(files.Exists, match='--force'):
    files.write(second, b'new', force=False)
  files.write(second, b'new')
  assert target.read_bytes() == b'new' and link.is_symlink() and second.is_symlink()
  assert names(tmp_path) == ['link', 'other', 'second'] and names(target.parent) == ['file']


def test_a_link_to_nothing_makes_the_file_it_names(tmp_path):
  link = tmp_path / 'link'
  link.symlink_to(tmp_path / 'made')
  files.write(link, b'new', force=False)
  assert link.is_symlink() and (tmp_path / 'made').read_bytes() == b'new'


def test_links_in_a_circle_are_refused_and_stay(tmp_path):
  (tmp_path / 'a').symlink_to('b')
  (tmp_path / 'b').symlink_to('a')
  for force in (False, True):
    with pytest.raises(OSError, match='symbolic links'):
      files.write(tmp_path / 'a', b'new', force)
    with (
      pytest.raises(OSError, match='symbolic links'),
      files.new_folder(tmp_path / 'a', True, 'm'),
    ):
      pass
  assert names(tmp_path) == ['a', 'b'] and (tmp_path / 'a').is_symlink()


def test_a_link_to_a_folder_is_followed_and_stays(tmp_path):
  (tmp_path / 'v1').mkdir()
  (tmp_path / 'v1' / 'marker').write_text('old')
  os.chmod(tmp_path / 'v1', 0o750)
  (tmp_path / 'current').symlink_to('v1')
  with files.new_folder(tmp_path / 'current', True, 'marker') as draft:
    (draft / 'marker').write_text('new')
  assert (tmp_path / 'current').is_symlink()
  assert (tmp_path / 'v1' / 'marker').read_text() == 'new'
  assert mode(tmp_path / 'v1') == 0o750
  assert names(tmp_path) == ['current', 'v1']


def test_a_new_file_has_the_permissions_that_the_mask_leaves(tmp_path, umask):
  for mask, expected in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
    umask(mask)
    path = tmp_path / oct(mask)
    files.write(path, b'')
    assert mode(path) == expected
    with files.new_folder(tmp_path / f'folder {mask}', False, 'marker') as draft:
      (draft / 'marker').touch()
    assert mode(tmp_path / f'folder {mask}') == expected | (expected & 0o444) >> 2


def test_a_replaced_file_keeps_its_permissions(tmp_path):
  path = tmp_path / 'file'
  for permissions in (0o600, 0o640, 0o755, 0o444):
    path.touch()
    path.chmod(permissions)
    files.write(path, b'new')
    assert mode(path) == permissions and path.read_bytes() == b'new'


@pytest.mark.skipif(os.geteuid() != 0, reason='only root may give files away')
def test_a_replaced_file_keeps_its_owner(tmp_path):
  path = tmp_path / 'file'
  path.touch()
  os.chown(path, 12345, 23456)
  path.chmod(0o640)
  files.write(path, b'new')
  status = path.stat()
  assert (status.st_uid, status.st_gid, mode(path)) == (12345, 23456, 0o640)


def test_a_pipe_is_written_to(tmp_path):
  pipe = tmp_path / 'pipe'
  os.mkfifo(pipe)
  received = []
  reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
  reader.start()
  files.write(pipe, b'through', force=False)
  reader.join(timeout=10)
  assert received == [b'through'] and stat.S_ISFIFO(pipe.stat().st_mode)
  assert names(tmp_path) == ['pipe']


def test_a_device_is_written_to_and_stays():
  for force in (False, True):
    files.write('/dev/null', b'gone', force)
    with pytest.raises(OSError) as refused:
      files.write('/dev/full', b'too much', force)
    assert refused.value.errno == errno.ENOSPC and refused.value.filename == '/dev/full'
  assert stat.S_ISCHR(os.stat('/dev/null').st_mode) and stat.S_ISCHR(os.stat('/dev/full').st_mode)


def test_a_socket_is_refused(tmp_path, monkeypatch):
  import socket

  monkeypatch.chdir(tmp_path)  # the name of a socket may have few characters
  with socket.socket(socket.AF_UNIX) as end:
    end.bind('socket')
    for force in (False, True):
      with pytest.raises(OSError, match='is a socket'):
        files.write('socket', b'new', force)
  assert names(tmp_path) == ['socket']


@pytest.mark.parametrize('name', ['-', '/dev/stdout', '/dev/fd/1'])
def test_standard_output_is_written_to(name, tmp_path):
  (tmp_path / 'before').write_bytes(b'before ')
  program = f'from tfusq import files; files.write({name!r}, bytes(range(256)), force=False)'
  with (tmp_path / 'before').open('ab') as output:
    subprocess.run([sys.executable, '-c', program], check=True, stdout=output, cwd=tmp_path)
  # Appended, as the shell was told to, and not as a file in place of it.
  assert (tmp_path / 'before').read_bytes() == b'before ' + bytes(range(256))
  assert names(tmp_path) == ['before']


def test_a_file_called_as_standard_output_can_be_meant(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  files.write('./-', b'here')
  assert (tmp_path / '-').read_bytes() == b'here'


def test_the_longest_names_can_be_written(tmp_path):
  long = 'x' * 255
  files.write(tmp_path / long, b'one', force=False)
  files.write(tmp_path / long, b'two')
  assert (tmp_path / long).read_bytes() == b'two'
  with files.new_folder(tmp_path / ('y' * 255), False, 'marker') as draft:
    (draft / 'marker').touch()
  with pytest.raises(OSError, match='too long'):
    files.write(tmp_path / (long + 'x'), b'')
  assert len(names(tmp_path)) == 2


def test_a_name_that_is_not_utf_8_can_be_written(tmp_path):
  path = os.fsdecode(os.fsencode(tmp_path) + b'/caf\xe9.usq')
  files.write(path, b'one')
  assert os.listdir(os.fsencode(tmp_path)) == [b'caf\xe9.usq']


def test_a_file_as_folder_is_named(tmp_path):
  (tmp_path / 'file').touch()
  with pytest.raises(NotADirectoryError) as refused:
    files.write(tmp_path / 'file' / 'x', b'')
  assert refused.value.filename == str(tmp_path / 'file' / 'x')
  with pytest.raises(NotADirectoryError), files.new_folder(tmp_path / 'file' / 'x', False, 'm'):
    pass


def test_a_disk_that_is_full_leaves_the_old_file_and_names_it(tmp_path):
  path = tmp_path / 'file'
  path.write_bytes(b'old')
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
  try:
    with pytest.raises(OSError) as refused:
      files.write(path, bytes(2000))
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  assert refused.value.errno == errno.EFBIG and refused.value.filename == str(path)
  assert path.read_bytes() == b'old' and names(tmp_path) == ['file']


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  monkeypatch.chdir('/')
  files.write('~/sub/file', b'here')
  assert (tmp_path / 'sub' / 'file').read_bytes() == b'here'
  with files.new_folder('~/folder', False, 'marker') as draft:
    (draft / 'marker').touch()
  assert names(tmp_path) == ['folder', 'sub']


@pytest.mark.parametrize('store', ['', 'ram://tfusq_outputs'])
def test_a_file_written_in_pieces_is_there_when_it_is_whole(store, tmp_path):
  path = files.to_path(store or str(tmp_path)) / 'file'
  path.parent.mkdir(parents=True, exist_ok=True)
  for content in (b'old', b'new'):
    with files.draft_of(path) as draft:
      draft.write_bytes(content)
      assert not path.exists() or path.read_bytes() == b'old'
    assert path.read_bytes() == content

  with pytest.raises(KeyboardInterrupt), files.draft_of(path) as draft:
    draft.write_bytes(b'half')
    raise KeyboardInterrupt
  assert path.read_bytes() == b'new'
  assert [other.name for other in path.parent.iterdir()] == ['file']
