import pytest

from tfusq.curves.anchors.image_sets import (
  KODAK,
  NAMES,
  TECNICK,
  TECNICK_FIRST,
  differences,
)

TECNICK_IMAGES = {f'{name}.png': f'{number:064x}' for number, name in enumerate(TECNICK)} | {
  'RGB_OR_1200x1200_001.png': TECNICK_FIRST
}


def test_a_set_does_not_differ_from_itself():
  assert len(KODAK) == 24 == len(set(KODAK.values())) and len(TECNICK) == 100
  assert set(NAMES) == {'kodak', 'tecnick'}
  assert differences('kodak', KODAK) == [] == differences('tecnick', TECNICK_IMAGES)


def test_kodak_is_known_by_its_pixels_and_tecnick_by_its_names():
  assert differences('kodak', {value[:8]: value for value in KODAK.values()}) == []
  in_folder = {f'RGB/{name}'.replace('.png', '.webp'): v for name, v in TECNICK_IMAGES.items()}
  assert differences('tecnick', in_folder) == []
  renamed = {name.replace('RGB', 'rgb'): value for name, value in TECNICK_IMAGES.items()}
  missing, foreign = differences('tecnick', renamed)
  assert missing.startswith('100 missing: RGB_OR_1200x1200_001, ')
  assert foreign.startswith('100 not of the set: rgb_OR_1200x1200_001.png, ')


@pytest.mark.parametrize(
  'changes, remarks',
  [
    ({'other.png': 'f' * 64}, ['1 not of the set: other.png']),
    ({'again.png': KODAK['kodim01']}, ['2 repeated: kodim01, again.png']),
    ({'kodim05': 'f' * 64}, ['1 missing: kodim05', '1 not of the set: kodim05']),
  ],
)
def test_differences_are_counted_and_named(changes, remarks):
  assert differences('kodak', KODAK | changes) == remarks


def test_at_most_three_names_are_given():
  assert differences('kodak', {}) == ['24 missing: kodim01, kodim02, kodim03, ...']
