import io
import struct
import warnings

import pytest
from PIL import Image, TiffImagePlugin

import pngs
from tfusq import image_files
from tfusq.errors import Error
from tfusq.image_files import ImageError, opened, read_image

# Types of pictures in an MPO: the first of most files; a gain map or preview; a thumbnail; one
# eye of a stereo pair.
PRIMARY, UNDEFINED, THUMBNAIL, STEREO = 0x030000, 0x000000, 0x010002, 0x020002


def frames(count=3):
  return [Image.new('RGB', (8, 6), (90 * number, 0, 0)) for number in range(count)]


def write(path, count=3, **options):
  first, *others = frames(count)
  first.save(path, save_all=True, append_images=others, **options)
  return path


def mpo(path, kind):
  """Writes a JPEG with a second picture of a kind."""
  data = write(path, 2, format='MPO').read_bytes()
  with Image.open(path) as image:
    index = image.info['mp']
  # The index has an entry for each picture, 16 bytes that begin with its type.
  start = index.rindex(struct.pack('<L', PRIMARY))
  changed = bytearray(index)
  if kind == STEREO:
    changed[start : start + 4] = struct.pack('<L', kind)
  changed[start + 16 : start + 20] = struct.pack('<L', kind)
  path.write_bytes(data.replace(index, changed, 1))
  return path


@pytest.mark.parametrize('name', ['a.gif', 'a.png', 'a.apng', 'a.webp', 'a.tif', 'a.avif'])
def test_several_pictures_are_refused_unless_the_first_is_wanted(name, tmp_path):
  path = write(tmp_path / name)
  with pytest.raises(ImageError, match=f'{name}: it holds 3 pictures.*--first_frame') as error:
    read_image(path)
  assert '\n' not in str(error.value)
  with pytest.raises(ImageError, match='3 pictures'):  # noqa: SIM117
    with opened(path):
      pass
  first = read_image(path, first_frame=True)
  assert first.shape == (6, 8, 3) and first.max() <= 4


@pytest.mark.parametrize('name', ['a.gif', 'a.png', 'a.webp', 'a.tif'])
def test_an_animation_of_one_frame_is_an_image(name, tmp_path):
  assert read_image(write(tmp_path / name, 1)).shape == (6, 8, 3)


@pytest.mark.parametrize('kind', [UNDEFINED, THUMBNAIL])
@pytest.mark.parametrize('name', ['a.jpg', 'a.mpo'])
def test_previews_and_gain_maps_behind_a_jpeg_are_no_pictures(kind, name, tmp_path):
  path = mpo(tmp_path / name, kind)
  with Image.open(path) as image:
    assert image.format == 'MPO' and image.n_frames == 2
    assert ('Thumbnail' in image.mpinfo[0xB002][1]['Attribute']['MPType']) == (kind == THUMBNAIL)
  assert read_image(path).max() <= 4


def test_a_stereo_pair_is_two_pictures(tmp_path):
  path = mpo(tmp_path / 'a.mpo', STEREO)
  with pytest.raises(ImageError, match='2 pictures'):
    read_image(path)
  assert read_image(path, first_frame=True).max() <= 4


def with_subfile_types(path, types):
  """Writes a TIFF of pages whose tag 254 has these values; their red is 10, 20, ..."""
  with TiffImagePlugin.AppendingTiffWriter(str(path), True) as file:
    for number, kind in enumerate(types, 1):
      tags = TiffImagePlugin.ImageFileDirectory_v2()
      tags[254] = kind
      Image.new('RGB', (8 // number, 6), (10 * number, 0, 0)).save(file, 'TIFF', tiffinfo=tags)
      file.newFrame()
  return path


@pytest.mark.parametrize(
  'types, red', [((0, 1), 10), ((1, 0), 20), ((0, 4, 1), 10), ((1, 5, 0), 30)]
)
def test_smaller_copies_and_masks_in_a_tiff_are_no_pictures(types, red, tmp_path):
  image = read_image(with_subfile_types(tmp_path / 'a.tif', types))
  assert image[0, 0].tolist() == [red, 0, 0]


@pytest.mark.parametrize('types', [(1,), (1, 5)])
def test_a_raw_file_of_which_only_the_preview_can_be_read_is_refused(types, tmp_path):
  path = with_subfile_types(tmp_path / 'a.dng', types)
  with pytest.raises(ImageError, match='a.dng: it holds only a smaller copy'):
    read_image(path)


def test_pages_of_a_tiff_are_counted_without_smaller_copies(tmp_path):
  path = with_subfile_types(tmp_path / 'a.tif', (1, 2, 2))
  with pytest.raises(ImageError, match='2 pictures'):
    read_image(path)
  assert read_image(path, first_frame=True)[0, 0, 0] == 20


def test_sizes_of_an_icon_are_one_picture(tmp_path):
  Image.new('RGB', (64, 64), 'red').save(tmp_path / 'a.ico', sizes=[(16, 16), (64, 64)])
  assert read_image(tmp_path / 'a.ico').shape == (64, 64, 3)


class _Refusal(Error):
  pass


def refuse(height, width):
  raise _Refusal(f'{height} x {width}')


def test_a_size_is_refused_by_the_header(tmp_path):
  (tmp_path / 'a.png').write_bytes(pngs.png(70000, 8, 8, pngs.RGB))  # without pixels
  with pytest.raises(_Refusal, match='^8 x 70000$'):
    read_image(tmp_path / 'a.png', check_size=refuse)
  with pytest.raises(ImageError, match='a.png'):
    read_image(tmp_path / 'a.png')


@pytest.mark.parametrize('width, height', [(9000, 10000), (15000, 12500)])
def test_photographs_beyond_the_limits_of_pillow_are_opened(width, height, tmp_path, recwarn):
  data = pngs.png(width, height, 8, pngs.RGB)
  (tmp_path / 'a.png').write_bytes(data)
  limit = Image.MAX_IMAGE_PIXELS
  with opened(tmp_path / 'a.png') as image:
    assert image.size == (width, height)
  assert not recwarn.list
  # The limit is that of the program, for what it opens itself.
  assert limit == Image.MAX_IMAGE_PIXELS
  with pytest.raises((Image.DecompressionBombError, Image.DecompressionBombWarning)):  # noqa: SIM117
    with warnings.catch_warnings():
      warnings.simplefilter('error')
      Image.open(io.BytesIO(data))


def test_an_image_that_no_memory_holds_is_refused_by_its_header(tmp_path):
  (tmp_path / 'a.png').write_bytes(pngs.png(65000, 65000, 8, pngs.RGB))
  with pytest.raises(ImageError, match='a.png: 65000x65000 pixels; at most 536870912 are read'):
    read_image(tmp_path / 'a.png')


def test_any_failure_while_an_image_is_open_names_the_file(tmp_path, photograph):
  path = tmp_path / 'image.png'
  path.write_bytes(image_files.encode(photograph, 'png'))
  with pytest.raises(ImageError, match='cannot read image .*image.png: broken'):  # noqa: SIM117
    with image_files.opened(path):
      raise RuntimeError('broken')


def test_what_is_missing_damaged_or_no_image_is_named_once(tmp_path):
  path = tmp_path / 'image.png'
  with pytest.raises(ImageError) as error:
    read_image(path)
  assert str(error.value) == f'cannot read image {path}: No such file or directory'

  for data in (b'', b'GIF89', pngs.png(4, 4, 8, pngs.RGB)[:20]):
    path.write_bytes(data)
    with pytest.raises(ImageError) as error:
      read_image(path)
    assert str(error.value).startswith(f'cannot read image {path}: ')
    assert str(error.value).count(str(path)) == 1 and '<' not in str(error.value)


def test_a_name_of_any_bytes_is_read(tmp_path):
  for name in (b'caf\xe9.png', b'a' * 251 + b'.png', b'$x$ _y.png'):
    path = tmp_path / name.decode(errors='surrogateescape')
    Image.new('RGB', (2, 1), (1, 2, 3)).save(path)
    assert read_image(path)[0, 0].tolist() == [1, 2, 3]
