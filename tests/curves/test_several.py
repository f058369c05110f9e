import pytest

from making import make_curve
from tfusq.curves.curve import CurveError
from tfusq.curves.several import check_same_images, join, over_common_images


def test_curves_of_the_same_images_join_to_one():
  images = {'a.png': 'ff'}
  parts = [
    make_curve((rate,), (quality,), images=images, codecs=[{'identity': str(rate)}])
    for rate, quality in ((0.8, 34.0), (0.2, 28.0))
  ]
  joined = join('both', parts)
  assert joined.name == 'both' and joined.results['bpp'] == [0.2, 0.8]
  assert [codec['identity'] for codec in joined.meta['codecs']] == ['0.2', '0.8']
  with pytest.raises(CurveError, match='not of the same images: a.png'):
    join('both', [*parts, make_curve(images={'a.png': '00'})])


@pytest.mark.parametrize(
  'a, b, same',
  [
    ({'x': '1', 'y': '2'}, {'y': '1', 'z': '2'}, True),
    ({'x': '1', 'y': '2'}, {'x': '2', 'y': '2'}, False),
    ({'x': '1'}, {'x': '1', 'y': '1'}, False),
    ({'x': '1'}, {}, True),
    (24, {'x': '1'}, True),
  ],
)
def test_images_are_compared_by_their_hashes_where_both_say(a, b, same):
  curves = make_curve(images=a), make_curve(images=b)
  if same:
    check_same_images(*curves)
  else:
    with pytest.raises(CurveError, match='not of the same images: x'):
      check_same_images(*curves)
