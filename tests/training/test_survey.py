import os
from pathlib import Path

import numpy as np
import pytest

from tfusq import image_files
from tfusq.image_files import ImageError
from tfusq.training import survey


@pytest.fixture
def folder(tmp_path):
  """Three photographs of noise, of which one is in a sub-folder."""
  (tmp_path / 'sub').mkdir()
  for seed, name in enumerate(('a.png', 'b.png', 'sub/c.png')):
    noise = np.random.default_rng(seed).integers(0, 256, [40, 40, 3], np.uint8)
    (tmp_path / name).write_bytes(image_files.encode(noise, 'png'))
  return tmp_path


def look(folder, known=()):
  """Looks at a folder; returns what is seen and the names that were decoded."""
  decoded = []

  def decode(path, data):
    decoded.append(path.name)
    return image_files.read_image(path, data=data)

  paths = image_files.list_images(folder)
  return survey.look_at(Path(folder), paths, known, decode), sorted(decoded)


def test_every_photograph_is_decoded_once(folder):
  seen, decoded = look(folder)
  assert [photograph.name for photograph in seen] == ['a.png', 'b.png', 'sub/c.png']
  assert decoded == ['a.png', 'b.png', 'c.png']
  assert look(folder, seen) == (seen, [])
  os.utime(folder / 'b.png', ns=(1, 1))
  again, decoded = look(folder, seen)
  assert decoded == ['b.png'] and again[1].sha256 == seen[1].sha256


def test_all_that_cannot_be_read_are_named_at_once(folder):
  for name in ('a.png', 'sub/c.png'):
    path = folder / name
    path.write_bytes(path.read_bytes()[:1000])
  with pytest.raises(
    ImageError, match='^2 of 3 photographs cannot be read: .*a.png.*c.png'
  ) as all_:
    look(folder)
  assert '\n' not in str(all_.value)


def test_a_broken_header_is_named_with_the_broken_bodies(folder):
  (folder / 'a.png').write_bytes(b'no image')
  (folder / 'b.png').write_bytes((folder / 'b.png').read_bytes()[:1000])
  with pytest.raises(ImageError, match='a.png.*b.png'):
    survey.check_headers(image_files.list_images(folder))


def test_of_very_many_only_the_headers_are_read(folder, monkeypatch):
  monkeypatch.setattr(survey, '_DECODED_AT_MOST', 2)
  (folder / 'b.png').write_bytes((folder / 'b.png').read_bytes()[:1000])
  seen, decoded = look(folder)
  assert len(seen) == 3 and decoded == []
  survey.check_headers(image_files.list_images(folder))


def test_the_progress_on_many_is_shown(folder, monkeypatch, capsys):
  look(folder)
  assert capsys.readouterr().err == ''
  monkeypatch.setattr(survey, '_SHOWN_FROM', 3)
  look(folder)
  assert 'reading: 3 of 3 photographs' in capsys.readouterr().err
