import hashlib

import pytest

from making import make_curve
from tfusq.curves.anchors import AnchorError, image_sets
from tfusq.curves.curve import CurveError
from tfusq.curves.reference import read_anchor


def test_a_pinned_anchor_is_read_by_its_name():
  curve = make_curve(images=image_sets.KODAK)
  anchor, digest = read_anchor('kodak-bpg444-tfc', [curve, curve])
  assert anchor.name == 'kodak-bpg444-tfc' and len(anchor.results['bpp']) == 52
  assert digest == '74d3f4b602f08c836ccb39f9b02a24d2bf895e253692650a65fb87479350eadb'


def test_a_pinned_anchor_is_refused_for_other_or_unknown_images():
  with pytest.raises(AnchorError, match='ours has no hashes of its images, .* as a file'):
    read_anchor('kodak-bpg444-tfc', [make_curve(images=image_sets.KODAK), make_curve()])
  with pytest.raises(AnchorError, match='24 missing'):
    read_anchor('kodak-bpg444-tfc', [make_curve(images={'a.png': 'ff'})])


def test_any_other_name_is_a_file(tmp_path):
  path = tmp_path / 'anchor.json'
  path.write_bytes(make_curve(name='BPG', images={'a.png': 'ff'}).to_json())
  anchor, digest = read_anchor(str(path), [make_curve(images={'b.png': 'ff'}), make_curve()])
  assert anchor.name == 'BPG' and digest == hashlib.sha256(path.read_bytes()).hexdigest()
  with pytest.raises(CurveError, match='not of the same images'):
    read_anchor(str(path), [make_curve(images={'a.png': '00'})])
  with pytest.raises(FileNotFoundError):
    read_anchor('kodak-bpg', [])
