import os
import tempfile

import pytest

from tfusq import files


@pytest.mark.parametrize('name', ['run', "it's", 'größe'])
def test_a_name_that_is_no_pattern_stays(name, tmp_path):
  with files.literal(tmp_path / name) as path:
    assert path == str(tmp_path / name)


@pytest.mark.parametrize('name', ['r[1]', 'a*', 'a?', 'a\\b', 'r[1]/sub'])
@pytest.mark.parametrize('temporary', ['tmp', 'tmp[1]'])
def test_a_pattern_is_reached_by_a_link_that_is_removed(name, temporary, tmp_path, monkeypatch):
  folder = tmp_path / name
  folder.mkdir(parents=True)
  (tmp_path / temporary).mkdir()
  monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / temporary))
  monkeypatch.chdir(tmp_path)
  with files.literal(name) as path:
    assert not set('*?[\\').intersection(path)
    assert os.path.samefile(path, folder)
  assert not os.path.lexists(path) and folder.is_dir()


def test_a_path_in_a_store_stays():
  with files.literal('ram://run[1]') as path:
    assert path == 'ram://run[1]'
