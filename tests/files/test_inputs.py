"""Inputs: files, pipes and standard input."""

import os
import subprocess
import sys
import threading

import pytest

from tfusq import files


def test_a_file_is_read_and_opened(tmp_path):
  (tmp_path / 'file').write_bytes(b'content')
  assert files.read(tmp_path / 'file') == b'content'
  with files.opened(tmp_path / 'file') as file:
    file.seek(3)
    assert file.read() == b'tent'
  with pytest.raises(FileNotFoundError, match='nothing'):
    files.read(tmp_path / 'nothing')


@pytest.mark.parametrize('name', ['-', '/dev/stdin'])
def test_standard_input_is_read(name):
  program = (
    f'import sys; from tfusq import files\nwith files.opened({name!r}) as file:\n'
    '  file.seek(1); sys.stdout.buffer.write(file.read())'
  )
  done = subprocess.run([sys.executable, '-c', program], input=b'\xff\0\n', stdout=subprocess.PIPE)
  assert done.returncode == 0 and done.stdout == b'\0\n'


def test_a_pipe_can_be_sought_in(tmp_path):
  pipe = tmp_path / 'pipe'
  os.mkfifo(pipe)
  writer = threading.Thread(target=lambda: pipe.write_bytes(b'content'))
  writer.start()
  with files.opened(pipe) as file:
    file.seek(3)
    assert file.read() == b'tent'
  writer.join(timeout=10)


def test_a_file_called_as_standard_input_can_be_meant(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / '-').write_bytes(b'here')
  assert files.read('./-') == b'here'


@pytest.mark.parametrize('store', ['', 'ram://tfusq_inputs'])
def test_a_part_of_a_file_is_read(store, tmp_path):
  path = files.to_path(store or str(tmp_path)) / 'file'
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(b'content')
  assert files.read_part(path, 2, 3) == b'nte'
  assert files.read_part(path, 5, 9) == b'nt'
  with pytest.raises(FileNotFoundError, match='nothing'):
    files.read_part(path.parent / 'nothing', 0, 1)
