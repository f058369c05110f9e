import numpy as np
import pytest

from making import IMAGES
from tfusq.curves.anchors import AnchorError, image_sets, pinned
from tfusq.image_files import image_hash, list_images, read_image

KODAK = {f'{name}.png': value for name, value in image_sets.KODAK.items()}
TECNICK = {
  f'{name}.png': image_hash(np.full([2, 2, 3], number, np.uint8))
  for number, name in enumerate(image_sets.TECNICK)
} | {'RGB_OR_1200x1200_001.png': image_sets.TECNICK_FIRST}


# By hand from the publishers' files: number of points, the third, and the pinned hash.
@pytest.mark.parametrize(
  'name, images, count, third, value',
  [
    (
      'kodak-bpg444-compressai',
      KODAK,
      8,
      (0.35155402289496523, 31.5946565907943),
      '20317d24b4f0021ad45eaf813cd3e91d1e043f9a9f4752ee71bb82bf9fc33c50',
    ),
    (
      'kodak-bpg444-tfc',
      KODAK,
      52,
      (0.034282, 24.583862),
      '74d3f4b602f08c836ccb39f9b02a24d2bf895e253692650a65fb87479350eadb',
    ),
    (
      'tecnick-bpg444-tfc',
      TECNICK,
      52,
      (0.034290, 26.055216),
      '9c68aa16212818cf760ebdc506e22f0a8bdd6ec6d6ccce38e758ea620e061269',
    ),
  ],
)
def test_curves_are_as_published(name, images, count, third, value):
  anchor = pinned.read_pinned(name, images)
  results = anchor['results']
  assert anchor['name'] == name and name in pinned.names()
  assert anchor['meta']['hash'] == value
  assert {'dataset', 'repository', 'commit', 'files', 'license'} <= set(anchor['meta'])
  assert {len(column) for column in results.values()} == {count}
  assert (results['bpp'][2], results['psnr-rgb'][2]) == third
  for column in ('bpp', 'psnr-rgb', 'ms-ssim-rgb'):
    assert results[column] == sorted(results[column])


def test_every_pinned_anchor_is_tested():
  assert pinned.names() == ['kodak-bpg444-compressai', 'kodak-bpg444-tfc', 'tecnick-bpg444-tfc']


def test_kodak_may_have_other_names():
  assert pinned.read_pinned('kodak-bpg444-tfc', {value[:8]: value for value in KODAK.values()})


def test_tecnick_may_be_of_another_format_in_a_folder():
  images = {f'RGB/{name}'.replace('.png', '.webp'): value for name, value in TECNICK.items()}
  assert pinned.read_pinned('tecnick-bpg444-tfc', images)


def without(images, name):
  return {key: value for key, value in images.items() if key != name}


@pytest.mark.parametrize(
  'images, reason',
  [
    (KODAK | {'kodim05.png': 'f' * 64}, '1 missing: kodim05; 1 not of the set: kodim05.png'),
    (without(KODAK, 'kodim07.png'), 'of the 23 given, 1 missing: kodim07'),
    (KODAK | {'other.png': 'f' * 64}, 'of the 25 given, 1 not of the set: other.png'),
    (KODAK | {'again.png': KODAK['kodim01.png']}, '2 repeated: kodim01.png, again.png'),
    ({}, 'of the 0 given, 24 missing: kodim01, kodim02, kodim03, ...'),
    (TECNICK, '24 missing'),
  ],
)
def test_other_images_than_kodak_are_refused(images, reason):
  for name in ('kodak-bpg444-compressai', 'kodak-bpg444-tfc'):
    with pytest.raises(AnchorError, match=reason) as error:
      pinned.read_pinned(name, images)
    assert name in str(error.value) and "Kodak's 24 images" in str(error.value)
    assert 'live anchor' in str(error.value)


@pytest.mark.parametrize(
  'images, reason',
  [
    (TECNICK | {'RGB_OR_1200x1200_001.png': 'f' * 64}, '1 not of the set: RGB_OR_1200x1200_001'),
    (without(TECNICK, 'RGB_OR_1200x1200_100.png'), '1 missing: RGB_OR_1200x1200_100'),
    (TECNICK | {'RGB_OR_1200x1200_101.png': 'f' * 64}, '1 not of the set: RGB_OR_1200x1200_101'),
    (TECNICK | {'RGB_OR_1200x1200_002.webp': 'f' * 64}, '2 not of the set: RGB_OR_1200x1200_002'),
    (TECNICK | {'RGB_OR_1200x1200_002.png': image_sets.TECNICK_FIRST}, '2 repeated'),
    ({f'clic_{number}.png': f'{number:064x}' for number in range(100)}, '100 missing.*100 not of'),
    ({f'crop_{number}.png': f'{number:064x}' for number in range(8)}, '100 missing.*8 not of'),
    (KODAK, '100 missing'),
  ],
)
def test_other_images_than_tecnick_are_refused(images, reason):
  with pytest.raises(AnchorError, match=reason):
    pinned.read_pinned('tecnick-bpg444-tfc', images)


def test_a_folder_of_photographs_is_refused():
  images = {path.name: image_hash(read_image(path)) for path in list_images(IMAGES)}
  for name in pinned.names():
    with pytest.raises(AnchorError, match='5 not of the set'):
      pinned.read_pinned(name, images)


def test_an_unknown_anchor_is_answered_with_the_known_ones():
  with pytest.raises(AnchorError, match='there are kodak-bpg444-compressai, kodak-bpg444-tfc'):
    pinned.read_pinned('kodak-bpg', KODAK)


def test_a_changed_file_is_refused(monkeypatch):
  monkeypatch.setitem(pinned._HASHES, 'kodak-bpg444-tfc', '0' * 64)
  with pytest.raises(AnchorError, match='not the pinned one: its hash is 74d3f4b6'):
    pinned.read_pinned('kodak-bpg444-tfc', KODAK)
