"""The curves that others are compared with: pinned anchors, given by name, or any curves' files."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from tfusq.curves.anchors import AnchorError, pinned
from tfusq.curves.curve import Curve, from_dict, parse_curve, read_bytes
from tfusq.curves.several import check_same_images, over_common_images


class Comparison(NamedTuple):
  """Curves and their anchors, of the same images as far as the files say.

  Attributes:
    anchors: The anchors.
    digests: SHA-256 of the anchors' files.
    curves: Curves to be compared with them.
    remarks: Lines on curves that were restricted to the common images.
  """

  anchors: list[Curve]
  digests: list[str]
  curves: list[Curve]
  remarks: list[str]


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
    anchor, digest = _read(name)
    for curve in curves:
      check_same_images(anchor, curve)
    return anchor, digest

  for curve in curves:
    if not curve.hashes:
      raise AnchorError(
        f'{curve.name} has no hashes of its images, so that it can not be checked against the '
        f'images of the pinned anchor {name}; give the anchor as a file'
      )
  contents = [pinned.read_pinned(name, curve.hashes) for curve in curves]
  return from_dict(contents[0], name), contents[0]['meta']['hash']


def read_anchors(names: Sequence[str], curves: Sequence[Curve]) -> Comparison:
  """Returns anchors and curves, restricted to the images that no evaluation left out.

  A pinned anchor is of its whole image set, and can't be restricted.

  Args:
    names: Names of pinned anchors, or paths of curves' files.
    curves: Curves to be compared with them.

  Raises:
    AnchorError: if a pinned anchor is of other images, or a curve does not say of which it is.
    CurveError: if a file holds no curve, or is of other images as far as both files say.
  """
  read = {name: _read(name) for name in names if name not in pinned.names()}
  files = [curve for curve, _ in read.values()]
  common, remarks = over_common_images([*curves, *files])
  curves, files = common[: len(curves)], common[len(curves) :]
  restricted = dict(zip(read, files))

  anchors = []
  digests = []
  for name in names:
    if name in read:
      anchor, digest = restricted[name], read[name][1]
      for curve in curves:
        check_same_images(anchor, curve)
    else:
      anchor, digest = read_anchor(name, curves)
    anchors.append(anchor)
    digests.append(digest)
  return Comparison(anchors, digests, curves, remarks)


def _read(path: str) -> tuple[Curve, str]:
  """Returns a curve and the SHA-256 of its file, which is read once: it may be a pipe."""
  data = read_bytes(path)
  return parse_curve(data, path), hashlib.sha256(data).hexdigest()
