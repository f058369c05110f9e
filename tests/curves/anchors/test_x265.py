"""What is particular to x265; tests/anchors/test_live.py has what is common to all live anchors."""

import numpy as np
import pytest

from tfusq.evaluation.metrics import psnr

av = pytest.importorskip('av')
x265 = pytest.importorskip('tfusq.curves.anchors.x265', exc_type=ImportError)


@pytest.fixture(scope='module')
def crop(photograph):
  return photograph[100:196, 120:250]


def test_the_stream_says_that_it_has_the_settings_of_bpg(crop):
  stream = x265.encode(crop, 37)
  settings = stream[stream.index(b'x265 (build') :].split(b'\0')[0].split()
  for setting in (
    'input-csp=3',
    'bitdepth=8',
    'rc=cqp',
    'qp=37',
    'ipratio=1.40',
    'keyint=1',
    'wpp',
    'bframes=0',
    'ctu=64',
    'rd=6',
    'rdoq-level=2',
    'psy-rd=0.00',
    'aq-mode=0',
    'sao',
    'no-lossless',
    'range=1',
    'colormatrix=5',
  ):
    assert setting.encode() in settings


def test_the_picture_alone_counts_and_20_bytes(crop):
  stream = x265.encode(crop, 30)
  keep_slices = av.BitStreamFilterContext('filter_units=pass_types=0-31', in_stream='hevc')
  picture = b''.join(bytes(packet) for packet in keep_slices.filter(av.Packet(stream)))
  start = 4 if picture.startswith(b'\0\0\0\1') else 3
  assert x265.size(stream) == len(picture) - start + 20


def test_at_the_finest_quantizer_the_colour_conversion_is_most_of_the_loss(crop):
  assert psnr(crop, x265.decode(x265.encode(crop, 0))) > 48


def test_decoding_takes_its_pixels_from_the_stream(crop):
  stream = x265.encode(crop, 32)
  other = x265.encode(crop[::-1], 32)
  np.testing.assert_array_equal(x265.decode(stream), x265.decode(bytes(stream)))
  assert psnr(crop[::-1], x265.decode(other)) > 30 > psnr(crop, x265.decode(other))


def test_the_same_pixels_give_the_same_picture_whatever_their_memory_layout(crop):
  turned = np.asfortranarray(crop)
  assert x265.encode(turned, 37) == x265.encode(crop, 37)
