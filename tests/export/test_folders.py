import shutil

import numpy as np
import pytest
from PIL import Image

import pngs
from making import IMAGES
from tfusq import files, image_files
from tfusq.export import client, folders
from tfusq.export.container import ContainerError


@pytest.fixture
def folder(tmp_path, photograph):
  """Images of several sizes and kinds, one in a sub-folder, and one that is none."""
  source = tmp_path / 'images'
  (source / 'more').mkdir(parents=True)
  Image.fromarray(photograph[:40, :50]).save(source / 'a.png')
  Image.fromarray(photograph[:33, :17, 0]).save(source / 'grey.png')
  shutil.copy(IMAGES / 'heldout' / 'chelsea.webp', source / 'more' / 'b.webp')
  (source / 'broken.png').write_bytes(b'no image')
  return source


def test_a_folder_goes_in_and_comes_back(folder, tmp_path, exported_codec):
  with pytest.raises(folders.BulkError, match='3 files, 1 failed:\n.*broken.png'):
    folders.compress_folder(lambda: exported_codec, folder, tmp_path / 'files')
  assert sorted(
    str(path.relative_to(tmp_path / 'files')) for path in (tmp_path / 'files').rglob('*.usq')
  ) == ['a.usq', 'grey.usq', 'more/b.usq']
  asked = []
  summary = folders.decompress_folder(
    lambda identity: asked.append(identity) or exported_codec, tmp_path / 'files', tmp_path / 'back'
  )
  assert summary.description == '3 files' and len(asked) == 1  # one codec, loaded once
  image = image_files.read_image(folder / 'more' / 'b.webp')
  np.testing.assert_array_equal(
    image_files.read_image(tmp_path / 'back' / 'more' / 'b.png'), exported_codec.evaluate(image)[2]
  )


def test_existing_files_are_kept_so_that_a_stopped_run_is_resumed(folder, tmp_path, exported_codec):
  (folder / 'broken.png').unlink()
  target = tmp_path / 'files'
  first = folders.compress_folder(lambda: exported_codec, folder, target)
  assert first.description == '3 files' and first.rate.endswith(' bpp')
  (target / 'a.usq').unlink()
  (target / 'grey.usq').write_bytes(b'kept')
  second = folders.compress_folder(lambda: exported_codec, folder, target)
  assert second.description.startswith('1 file, 2 existing files are kept')
  assert (target / 'grey.usq').read_bytes() == b'kept' and (target / 'a.usq').is_file()
  third = folders.compress_folder(lambda: exported_codec, folder, target, force=True)
  assert third == first
  assert (target / 'grey.usq').read_bytes() != b'kept'
  nothing = folders.compress_folder(lambda: exported_codec, folder, target)
  assert nothing.description.startswith('0 files, 3 existing') and nothing.rate == ''


def test_no_size_is_traced_again(folder, tmp_path, exported_codec):
  (folder / 'broken.png').unlink()
  folders.compress_folder(lambda: exported_codec, folder, tmp_path / 'files')
  folders.decompress_folder(lambda identity: exported_codec, tmp_path / 'files', tmp_path / 'back')
  for name in ('compress', 'decompress'):
    assert getattr(exported_codec._codec, name).experimental_get_tracing_count() == 1


def test_errors_name_every_file_and_spare_the_others(folder, tmp_path, exported_codec):
  (folder / 'broken.png').unlink()
  shutil.copy(folder / 'a.png', folder / 'a.jpg')
  with pytest.raises(folders.BulkError, match='a.png: .*a.usq is also where .*a.jpg goes'):
    folders.compress_folder(lambda: exported_codec, folder, tmp_path / 'files')
  whole = (tmp_path / 'files' / 'grey.usq').read_bytes()
  (tmp_path / 'files' / 'grey.usq').write_bytes(whole[:-1])
  (tmp_path / 'files' / 'other.usq').write_bytes(whole[:4] + b'OTHERONE' + whole[12:])

  def load(identity):
    if identity != whole[4:12].hex():
      raise client.AbsentCodec('none is installed')
    return exported_codec

  with pytest.raises(folders.BulkError, match='2 files, 2 failed') as error:
    folders.decompress_folder(load, tmp_path / 'files', tmp_path / 'back')
  other = b'OTHERONE'.hex()
  assert 'grey.usq: truncated' in str(error.value)
  assert f'other.usq: written by codec {other}, which is not here: none is' in str(error.value)


def test_a_target_that_is_a_file_or_the_images_themselves_is_refused(
  folder, tmp_path, exported_codec
):
  (folder / 'broken.png').unlink()
  (tmp_path / 'file').write_bytes(b'mine')
  with pytest.raises(files.Exists, match='is a file'):
    folders.compress_folder(lambda: exported_codec, folder, tmp_path / 'file')
  folders.compress_folder(lambda: exported_codec, folder, folder)
  before = (folder / 'a.png').read_bytes()
  with pytest.raises(files.Exists, match='is the input'):
    folders.decompress_folder(lambda identity: exported_codec, folder, folder, force=True)
  assert (folder / 'a.png').read_bytes() == before


def test_a_folder_without_files_is_an_error(tmp_path, exported_codec):
  with pytest.raises(image_files.ImageError, match='no images'):
    folders.compress_folder(lambda: exported_codec, tmp_path, tmp_path / 'files')
  with pytest.raises(ContainerError, match='no .usq files'):
    folders.decompress_folder(lambda identity: exported_codec, tmp_path, tmp_path / 'back')


def test_one_file_goes_in_and_comes_back(folder, tmp_path, exported_codec):
  compressed, png = tmp_path / 'a.usq', tmp_path / 'back.PNG'
  written = folders.compress_file(lambda: exported_codec, folder / 'a.png', compressed)
  assert written == (compressed.stat().st_size, 40 * 50, '50x40', None)
  assert written.rate == f'{written[0]} bytes, {8 * written[0] / 2000:.4f} bpp'
  assert folders.decompress_file(lambda identity: exported_codec, compressed, png) == written
  np.testing.assert_array_equal(
    image_files.read_image(png), exported_codec.decompress(compressed.read_bytes())
  )
  with pytest.raises(image_files.ImageError, match='the output is a PNG'):
    folders.decompress_file(lambda identity: exported_codec, compressed, tmp_path / 'a.jpg')


def test_an_image_that_no_file_holds_is_refused_by_its_header(tmp_path):
  def load():
    raise AssertionError

  for width, height in ((70000, 8), (8, 70000), (12000, 11200)):
    # Without pixels, so that nothing could decode them.
    (tmp_path / 'a.png').write_bytes(pngs.png(width, height, 8, pngs.RGB))
    with pytest.raises(ContainerError, match=f'a.png has {width}x{height} pixels; .* 1 to 65535 '):
      folders.compress_file(load, tmp_path / 'a.png', tmp_path / 'a.usq')
  assert not (tmp_path / 'a.usq').exists()


def test_of_an_animation_the_first_frame_is_taken_where_that_is_wanted(
  folder, tmp_path, exported_codec
):
  (folder / 'broken.png').unlink()
  first, second = Image.open(folder / 'grey.png'), Image.new('L', (17, 33))
  first.save(folder / 'film.gif', save_all=True, append_images=[second])

  def load():
    return exported_codec

  with pytest.raises(folders.BulkError, match='3 files, 1 failed:\n.*film.gif.* holds 2 pictures'):
    folders.compress_folder(load, folder, tmp_path / 'files')
  summary = folders.compress_folder(load, folder, tmp_path / 'files', first_frame=True)
  assert summary.description.startswith('1 file, 3 existing')
  film, grey = (tmp_path / 'files' / name for name in ('film.usq', 'grey.usq'))
  assert film.read_bytes() == grey.read_bytes()


def test_no_codec_is_loaded_for_what_cannot_be_coded(folder, tmp_path):
  def load(identity=''):
    raise AssertionError

  (tmp_path / 'cut.usq').write_bytes(b'USQ')
  with pytest.raises(image_files.ImageError, match='broken.png'):
    folders.compress_file(load, folder / 'broken.png', tmp_path / 'x.usq')
  with pytest.raises(files.Exists, match='--force'):
    folders.compress_file(load, folder / 'a.png', tmp_path / 'cut.usq')
  with pytest.raises(ContainerError, match='truncated'):
    folders.decompress_file(load, tmp_path / 'cut.usq', tmp_path / 'x.png')
