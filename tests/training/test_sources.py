import pytest

from making import IMAGES
from tfusq import files
from tfusq.image_files import ImageError
from tfusq.training import packing, packs, sources


def test_a_folder_and_its_pack_have_the_same_files(tmp_path):
  packing.pack(str(IMAGES / 'train'), str(tmp_path / 'pack'), 10**6)
  folder = sources.source_of(IMAGES / 'train')
  pack = sources.source_of(tmp_path / 'pack')
  assert isinstance(folder, sources.Folder) and isinstance(pack, packs.Pack)
  assert [path.name for path in folder.files] == [path.name for path in pack.files]
  for one, other in zip(folder.files, pack.files):
    assert folder.read(one) == pack.read(other)


def test_a_file_that_is_gone_is_named(tmp_path):
  path = tmp_path / 'a.webp'
  path.write_bytes((IMAGES / 'train' / 'coffee.webp').read_bytes())
  source = sources.source_of(files.to_path(str(tmp_path)))
  path.unlink()
  with pytest.raises(ImageError, match='cannot read image .*a.webp: .*No such file'):
    source.read(path)


def test_a_folder_without_photographs_is_refused(tmp_path):
  with pytest.raises(ImageError, match='no images in'):
    sources.source_of(tmp_path)
