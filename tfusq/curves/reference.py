"""The curve that others are compared with: a pinned anchor, given by name, or any curve's file."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tfusq.curves.anchors import AnchorError, pinned
from tfusq.curves.curve import Curve, check_same_images, from_dict, read_curve


def read_anchor(name: str, curves: Sequence[Curve]) -> tuple[Curve, str]:
  """Returns an anchor and the SHA-256 of its file.

  Args:
    name: Name of a pinned anchor, or path of a curve's file.
    curves: Curves to be compared with it.

  Raises:
    AnchorError: if a pinned anchor is of other images, or a curve does not say of which it is.
    CurveError: if the file holds no curve, or is of other images as far as both files say.
  """
  if name not in pinned.names():
    anchor = read_curve(name)
    for curve in curves:
      check_same_images(anchor, curve)
    return anchor, hashlib.sha256(Path(name).read_bytes()).hexdigest()

  for curve in curves:
    if not curve.hashes:
      raise AnchorError(
        f'{curve.name} has no hashes of its images, so that it can not be checked against the '
        f'images of the pinned anchor {name}; give the anchor as a file'
      )
  contents = [pinned.read_pinned(name, curve.hashes) for curve in curves]
  return from_dict(contents[0], name), contents[0]['meta']['hash']
