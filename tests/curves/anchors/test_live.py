import dataclasses
import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tfusq.curves.anchors import AnchorError, live
from tfusq.evaluation.metrics import psnr


@pytest.fixture(params=live.available())
def anchor(request):
  return live.find_live(request.param)


def test_what_pillow_always_has_is_here():
  assert {'jpeg', 'webp'} <= set(live.available()) <= set(live.NAMES)


def test_points_go_from_about_a_tenth_to_two_bits_per_pixel(anchor, photograph):
  crop = photograph[60:252, 120:344]
  coded = [anchor.code(crop, point) for point in anchor.points]
  assert len(anchor.points) >= 6
  rates = [8 * each.bytes / (192 * 224) for each in coded]
  quality = [psnr(crop, each.decoded) for each in coded]
  assert rates == sorted(rates) and quality == sorted(quality)
  assert rates[0] < 0.35 and 1 < rates[-1] < 3
  assert quality[0] > 20 and quality[-1] > 35


@pytest.mark.parametrize('size', [(1, 1), (1, 9), (23, 1), (5, 7), (17, 33), (67, 41)])
def test_any_size_is_coded(anchor, photograph, size):
  image = photograph[90 : 90 + size[0], 150 : 150 + size[1]]
  for point in (anchor.points[0], anchor.points[-1]):
    coded = anchor.code(image, point)
    assert coded.decoded.shape == (*size, 3) and coded.decoded.dtype == np.uint8
    assert coded.bytes > 0 and coded.encode_seconds > 0 and coded.decode_seconds > 0
  assert psnr(image, coded.decoded) > 20  # JPEG 2000's rate includes its headers


def test_coding_twice_gives_the_same(anchor, photograph):
  crop = photograph[60:160, 120:220]
  first, second = (anchor.code(crop, anchor.points[2]) for _ in range(2))
  assert first.bytes == second.bytes
  np.testing.assert_array_equal(first.decoded, second.decoded)


def test_jpeg_is_what_pillow_writes(photograph):
  buffer = io.BytesIO()
  Image.fromarray(photograph).save(
    buffer, 'jpeg', quality=40, subsampling=2, progressive=True, optimize=True
  )
  assert live.find_live('jpeg').code(photograph, 40).bytes == len(buffer.getvalue())


def test_a_missing_anchor_names_the_extra(monkeypatch):
  monkeypatch.setattr(live, '_import_x265', lambda: None)
  assert 'x265' not in live.available()
  with pytest.raises(AnchorError, match=r"x265.*pip install 'tfusq\[anchor\]'"):
    live.find_live('x265')
  assert 'x265' not in live.versions() and 'Pillow' in live.versions()


def test_an_unknown_anchor_is_answered_with_the_known_ones():
  with pytest.raises(AnchorError, match='no live anchor bpg; there are x265, jpeg'):
    live.find_live('bpg')


def test_what_a_coder_refuses_is_named():
  with pytest.raises(AnchorError, match='webp cannot code 17000x1 pixels at point 5'):
    live.find_live('webp').code(np.zeros([1, 17000, 3], np.uint8), 5)


def test_what_a_coder_does_not_decode_is_named(photograph):
  def refuse(data):
    raise OSError('more pixels than it reads')

  anchor = dataclasses.replace(live.find_live('jpeg'), decode=refuse)
  with pytest.raises(
    AnchorError, match='jpeg cannot decode its 8x9 pixels at point 5: more pixels'
  ):
    anchor.code(photograph[:9, :8], 5)


def test_versions_name_library_and_coder(anchor):
  coder = {
    'x265': 'x265',
    'jpeg': 'libjpeg-turbo',
    'jpeg2000': 'OpenJPEG',
    'webp': 'libwebp',
    'avif': 'libaom',
    'jxl': 'pillow-jxl-plugin',
  }[anchor.name]
  versions = live.versions()
  assert versions['Pillow'] and versions[coder][0].isdigit()


def test_anchors_do_not_import_tensorflow():
  program = (
    'import sys; from tfusq.curves.anchors import live, pinned; live.available(); pinned.names(); '
    'sys.exit("tensorflow" in sys.modules)'
  )
  subprocess.run([sys.executable, '-c', program], check=True)
