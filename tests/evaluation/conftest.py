import pytest

from tfusq import image_files


@pytest.fixture
def folder(tmp_path, photograph):
  """Two images, of which the smaller is too small for MS-SSIM."""
  folder = tmp_path / 'images'
  folder.mkdir()
  for name, height in (('b.png', 64), ('a.png', 200)):
    (folder / name).write_bytes(image_files.encode(photograph[:height], 'png'))
  return folder
