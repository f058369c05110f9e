import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

import profiles
from tfusq.image_files import ImageError, image_hash, read_image
from tfusq.image_files.colours import counts_as_srgb


@pytest.fixture
def stored(tmp_path):
  """Writes an image with a profile, and reads it."""

  def store(image, profile, name='image.png'):
    image.save(tmp_path / name, icc_profile=profile, lossless=True)
    return read_image(tmp_path / name)

  return store


def colour(*values):
  return Image.new('RGB', (3, 2), values)


@pytest.mark.parametrize(
  'profile, pixel, expected',
  [
    # Beyond the gamut of sRGB, levels are cut.
    (profiles.display_p3(), (255, 0, 0), (255, 0, 0)),
    (profiles.display_p3(), (200, 100, 50), (215, 93, 31)),
    (profiles.adobe_rgb(), (128, 128, 128), (129, 129, 129)),
    (profiles.adobe_rgb(), (100, 150, 100), (66, 151, 97)),
    (profiles.swapped(), (200, 100, 50), (50, 100, 200)),
  ],
)
@pytest.mark.parametrize('name', ['image.png', 'image.tif', 'image.jpg', 'image.webp'])
def test_colours_are_converted_to_srgb(profile, pixel, expected, name, stored):
  image = stored(colour(*pixel), profile, name)
  assert np.abs(image[0, 0].astype(int) - expected).max() <= 2
  assert image.shape == (2, 3, 3)


@pytest.mark.parametrize('points', [1024, 42, 26])
def test_a_profile_of_srgb_leaves_pixels_as_they_are(points, stored, photograph):
  image = stored(Image.fromarray(photograph), profiles.srgb(points))
  assert image_hash(image) == image_hash(photograph)
  own = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
  np.testing.assert_array_equal(stored(Image.fromarray(photograph), own), photograph)


def test_gamma_and_chromaticities_of_png_are_left_alone(tmp_path, photograph):
  chunks = PngInfo()
  chunks.add(b'gAMA', (100000).to_bytes(4, 'big'))
  Image.fromarray(photograph[:4, :4]).save(tmp_path / 'image.png', pnginfo=chunks)
  with Image.open(tmp_path / 'image.png') as image:
    assert image.info['gamma'] == 1
  np.testing.assert_array_equal(read_image(tmp_path / 'image.png'), photograph[:4, :4])


def test_transparency_stays_where_colours_are_converted(stored):
  image = Image.new('RGBA', (2, 1), (200, 100, 50, 255))
  image.putpixel((1, 0), (200, 100, 50, 0))
  assert stored(image, profiles.swapped()).tolist() == [[[50, 100, 200], [255, 255, 255]]]


def test_a_palette_is_converted(stored):
  image = colour(200, 100, 50).quantize(2)
  np.testing.assert_array_equal(stored(image, profiles.swapped())[0, 0], [50, 100, 200])
  image.info['transparency'] = image.getpixel((0, 0))
  np.testing.assert_array_equal(stored(image, profiles.swapped())[0, 0], [255, 255, 255])


@pytest.mark.parametrize(
  'mode, half, white', [('L', 128, 255), ('LA', (128, 255), (255, 255)), ('I;16', 32896, 65535)]
)
def test_grey_is_converted_and_stays_grey(mode, half, white, stored):
  for pixel, expected in ((half, 188), (white, 255)):
    image = stored(Image.new(mode, (2, 2), pixel), profiles.grey(1.0))
    assert image[0, 0].tolist() == [expected] * 3


def test_16_bits_are_converted_before_they_are_rounded(stored):
  # In 8 bits, all of these would be black.
  image = Image.fromarray(np.array([[0, 40, 80, 120]], np.uint16))
  levels = stored(image, profiles.grey(1.0))[0, :, 0]
  np.testing.assert_array_equal(levels, [0, 2, 4, 6])


def test_grey_pixels_take_the_curve_of_a_profile_of_colours(stored):
  grey = Image.new('L', (2, 2), 60)
  expected = stored(colour(60, 60, 60), profiles.adobe_rgb())[0, 0]
  np.testing.assert_array_equal(stored(grey, profiles.adobe_rgb())[0, 0], expected)
  assert stored(grey, profiles.srgb())[0, 0].tolist() == [60] * 3


def test_inks_are_converted_by_their_profile_where_there_is_one(stored):
  image = Image.new('CMYK', (2, 2), (0, 255, 0, 0))
  without = stored(image, None, 'image.tif')
  assert without[0, 0].tolist() == [255, 0, 255]
  converted = stored(image, profiles.cmyk(lightness=50), 'image.tif')
  assert converted[0, 0].tolist() == [118, 118, 118]  # L* is 49.8


def test_cielab_is_converted(tmp_path):
  lab = ImageCms.profileToProfile(
    colour(200, 100, 50),
    ImageCms.createProfile('sRGB'),
    ImageCms.createProfile('LAB'),
    outputMode='LAB',
  )
  lab.info.clear()
  lab.save(tmp_path / 'image.tif')
  difference = read_image(tmp_path / 'image.tif')[0, 0].astype(int) - [200, 100, 50]
  assert np.abs(difference).max() <= 2


@pytest.mark.parametrize(
  'image, profile, reason',
  [
    (colour(1, 2, 3), b'no profile', 'cannot open'),
    (colour(1, 2, 3), profiles.display_p3()[:300], ''),
    (colour(1, 2, 3), profiles.grey(1.8), 'one of GRAY and the pixels are RGB'),
    (colour(1, 2, 3), profiles.cmyk(50), 'one of CMYK and the pixels are RGB'),
  ],
)
def test_a_profile_that_cannot_be_used_is_ignored_with_a_warning(
  image, profile, reason, stored, caplog
):
  assert stored(image, profile)[0, 0].tolist() == [1, 2, 3]
  (record,) = caplog.records
  assert 'image.png: the colour profile is ignored' in record.message
  assert reason in record.message and '\n' not in record.message


def test_inks_with_a_profile_of_colours_are_read_as_without_one(stored, caplog):
  image = Image.new('CMYK', (2, 2), (0, 255, 0, 0))
  assert stored(image, profiles.srgb(), 'image.tif')[0, 0].tolist() == [255, 0, 255]
  assert 'one of RGB and the pixels are CMYK' in caplog.text


def test_a_profile_is_warned_of_once(stored, caplog):
  stored(colour(1, 2, 3), b'no profile')
  stored(colour(1, 2, 3), b'no profile')
  assert len(caplog.records) == 1


def test_floating_point_with_a_profile_is_refused_as_without(tmp_path):
  Image.new('F', (2, 2)).save(tmp_path / 'image.tif', icc_profile=profiles.grey(1.0))
  with pytest.raises(ImageError, match='floating-point'):
    read_image(tmp_path / 'image.tif')


def test_profiles_that_leave_colours_as_they_are(caplog):
  picture = Image.new('RGB', (2, 2))
  assert counts_as_srgb(picture)
  for profile, is_srgb in (
    (profiles.srgb(), True),
    (profiles.display_p3(), False),
    (profiles.grey(2.2), False),
    (b'no profile', False),
  ):
    picture.info['icc_profile'] = profile
    assert counts_as_srgb(picture) == is_srgb
  grey = Image.new('L', (2, 2))
  assert counts_as_srgb(grey)
  grey.info['icc_profile'] = profiles.srgb()
  assert not counts_as_srgb(grey)
  assert not caplog.records  # reading it warns
