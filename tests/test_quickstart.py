import numpy as np
import pytest

from tfusq import image_files, quickstart
from tfusq.export import client


@pytest.mark.long
def test_all_steps_with_a_tiny_codec(tmp_path):
  text = quickstart.train_and_compare(
    str(tmp_path),
    [
      'train.steps = 1',
      'train.interval = 1',
      'Patches.patch_size = 64',
      'Patches.batch_size = 1',
      'MSHyper.filters = 4',
      'MSHyper.latent_channels = 6',
      'train.initialization_patches = 2',
    ],
  )
  _, title, head, ours, jpeg, webp, _, names = text.splitlines()
  assert title.startswith('chelsea.webp, 451x300, not trained on; ')
  assert head.split()[:2] == ['bytes', 'bpp']
  assert ours.split()[0] == 'tfusq' and jpeg.split()[0] == 'JPEG'
  assert webp.split()[0] == 'WebP'
  assert names == f'{tmp_path}: codec/ chelsea.usq chelsea.png side_by_side.png'

  compressed = (tmp_path / 'chelsea.usq').read_bytes()
  assert ours.split()[1] == str(len(compressed))
  decoded = client.ExportedCodec(tmp_path / 'codec').decompress(compressed)
  np.testing.assert_array_equal(image_files.read_image(tmp_path / 'chelsea.png'), decoded)
  sheet = image_files.read_image(tmp_path / 'side_by_side.png')
  np.testing.assert_array_equal(sheet[16:, 451:902], decoded)


@pytest.mark.parametrize('rival, options', [('JPEG', {'optimize': True}), ('WebP', {'method': 6})])
def test_the_nearest_file_is_nearer_than_any_other_quality(rival, options, photograph):
  image = photograph[:96, :96]
  sizes = [
    len(image_files.encode(image, rival, quality=quality, **options)) for quality in (10, 50)
  ]
  for size in sizes:
    assert len(quickstart.nearest(rival, image, size)) == size
  assert len(quickstart.nearest(rival, image, 0)) <= min(sizes)


def test_images_stand_side_by_side(photograph):
  first, second = photograph[:20, :150], photograph[20:40, :150]
  sheet = quickstart.side_by_side({'first': first, 'second': second})
  assert sheet.shape == (36, 300, 3)
  np.testing.assert_array_equal(sheet[16:, :150], first)
  np.testing.assert_array_equal(sheet[16:, 150:], second)
  assert (sheet[:16, :150] < 128).any()  # the title
