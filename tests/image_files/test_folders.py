import os

import pytest
from PIL import Image

from tfusq.image_files import ImageError, list_images


def touch(folder, *names):
  for name in names:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()


def test_a_folder_without_images_is_named(tmp_path):
  with pytest.raises(ImageError, match='no images in .*[^)]$'):
    list_images(tmp_path)
  with pytest.raises(ImageError, match='no folder'):
    list_images(tmp_path / 'absent')
  touch(tmp_path, 'a.txt', 'b.mp4')
  with pytest.raises(ImageError, match=r'2 files left out: no images \(.txt 1, .mp4 1\)'):
    list_images(tmp_path)


def test_images_are_listed_in_order_with_those_of_sub_folders(tmp_path):
  names = ['a.PNG', 'b.jpeg', 'sub/c.webp', 'sub-2/a.tif', 'z.jpg']
  touch(tmp_path, *reversed(names), 'notes.txt')
  assert list_images(tmp_path) == sorted(tmp_path / name for name in names)


def test_every_suffix_of_a_format_that_pillow_reads_counts(tmp_path):
  names = [
    *('a.avif', 'a.bmp', 'a.gif', 'a.j2k', 'a.jfif', 'a.jp2', 'a.jpe', 'a.mpo', 'a.pgm', 'a.ppm'),
    *('a.psd', 'a.qoi', 'a.tga', 'a.tif', 'a.tiff', 'a.TIF'),
  ]
  touch(tmp_path, *names, 'a.eps', 'a.h5', 'a.mpg', 'a.pdf', 'a.wmf', 'png')
  assert [path.name for path in list_images(tmp_path)] == sorted(names)


def test_a_format_of_a_plugin_of_pillow_counts(tmp_path, monkeypatch):
  touch(tmp_path, 'a.png')
  list_images(tmp_path)
  Image.init()
  monkeypatch.setitem(Image.EXTENSION, '.heic', 'HEIF')
  monkeypatch.setitem(Image.OPEN, 'HEIF', Image.OPEN['PNG'])
  touch(tmp_path, 'b.heic')
  assert [path.name for path in list_images(tmp_path)] == ['a.png', 'b.heic']


def test_what_is_left_out_is_counted(tmp_path, caplog):
  names = ['b.txt', 'sub/c.TXT', 'd.mp4', 'README']
  touch(tmp_path, 'a.png', *names)
  list_images(tmp_path)
  (record,) = caplog.records
  expected = '4 files left out: no images (.txt 2, .mp4 1, without a suffix 1)'
  assert sorted(record.message) == sorted(f'{tmp_path}: {expected}')
  list_images(tmp_path)
  assert len(caplog.records) == 1
  touch(tmp_path, 'e.a', 'e.b', 'e.c', 'e.d')
  list_images(tmp_path)
  assert '8 files left out: no images (.txt 2, ' in caplog.text and ', others 2)' in caplog.text


def test_nothing_is_said_where_nothing_is_left_out(tmp_path, caplog):
  touch(tmp_path, 'a.png', '.DS_Store')
  list_images(tmp_path)
  assert not caplog.records


def test_hidden_files_and_folders_do_not_count(tmp_path):
  hidden = tmp_path / '.photographs'  # but the folder itself may be hidden
  touch(hidden, 'a.png', '._a.png', '.git/b.png', 'sub/.c.png')
  assert list_images(hidden) == [hidden / 'a.png']


def test_links_are_followed(tmp_path):
  touch(tmp_path, 'elsewhere/deep/a.png', 'elsewhere/b.jpg', 'images/c.png')
  images = tmp_path / 'images'
  (images / 'folder').symlink_to(tmp_path / 'elsewhere')
  (images / 'd.png').symlink_to(tmp_path / 'elsewhere' / 'b.jpg')
  names = ['c.png', 'folder/b.jpg', 'folder/deep/a.png']  # b.jpg once
  assert list_images(images) == [images / name for name in names]
  (tmp_path / 'link').symlink_to(images)
  assert len(list_images(tmp_path / 'link')) == 3


def test_what_is_no_file_is_not_opened(tmp_path):
  touch(tmp_path, 'a.png')
  (tmp_path / 'folder.png').mkdir()
  os.mkfifo(tmp_path / 'pipe.png')
  assert list_images(tmp_path) == [tmp_path / 'a.png']


def test_names_that_are_no_utf_8_are_listed(tmp_path):
  names = [b'caf\xe9.png', b'a.\xff']
  touch(tmp_path, *(name.decode(errors='surrogateescape') for name in names))
  assert [os.fsencode(path.name) for path in list_images(tmp_path)] == [b'caf\xe9.png']
