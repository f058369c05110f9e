import pytest

from making import make_curve
from tfusq.curves.curve import Curve, CurveError
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


def curve_of(name, qualities, left_out=None):
  """Makes a curve of two points over images whose hashes are their names."""
  images = {f'{image}.png': image for image in qualities}
  meta = {'images': images, 'codecs': [{'point': 'low'}, {'point': 'high'}]}
  if left_out:
    meta['left_out'] = {f'{left_out}.png': {'sha256': left_out, 'reason': 'too large'}}
  rows = []
  means = []
  for point, better in (('low', 0), ('high', 5)):
    for image, quality in qualities.items():
      row = {'image': f'{image}.png', 'point': point, 'bpp': 0.1 * (1 + better)}
      rows.append({**row, 'psnr-rgb': quality + better})
    means.append(sum(qualities.values()) / len(qualities) + better)
  return Curve(name, '', meta, {'bpp': [0.1, 0.6], 'psnr-rgb': means}, rows)


def test_an_image_that_one_evaluation_left_out_is_left_out_of_the_others():
  whole = curve_of('ours', {'a': 30.0, 'b': 40.0, 'c': 36.0})
  partial = curve_of('webp', {'a': 28.0, 'b': 36.0}, left_out='c')
  (ours, webp), (remark,) = over_common_images([whole, partial])
  assert ours.results['psnr-rgb'] == pytest.approx([35, 40]) and webp is partial
  assert list(ours.hashes) == ['a.png', 'b.png'] and len(ours.images) == 4
  assert remark == 'ours: means over 2 of 3 images; webp left out c.png'
  check_same_images(ours, webp)


def test_without_anything_left_out_curves_stay():
  curves = [curve_of('ours', {'a': 30.0}), make_curve()]
  assert over_common_images(curves) == (curves, [])
  odd = [make_curve(left_out=left_out) for left_out in (5, {'a.png': 5}, {'a.png': {'sha256': 3}})]
  assert over_common_images([*curves, *odd]) == ([*curves, *odd], [])


def test_a_curve_without_the_values_of_its_images_cannot_be_restricted():
  partial = curve_of('webp', {'a': 28.0}, left_out='c')
  whole = make_curve(images={'a.png': 'a', 'c.png': 'c'})
  with pytest.raises(CurveError, match='ours has not the values of each image.*c.png'):
    over_common_images([whole, partial])
  with pytest.raises(CurveError, match='ours has no image that the other curves'):
    over_common_images([curve_of('ours', {'c': 30.0}), partial])
