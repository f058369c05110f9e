"""The curve that others are compared with: a pinned anchor by its name, or any curve's file."""

import hashlib
from pathlib import Path

from tfusq.curves import curve
from tfusq.curves.anchors import AnchorError, pinned


def read_anchor(name: str, curves: list[curve.Curve]) -> tuple[curve.Curve, str]:
  """Returns an anchor and the SHA-256 of its file.

  Args:
    name: A pinned anchor, or a file.
    curves: What is compared with it.

  Raises:
    AnchorError: if a pinned anchor is of other images, or a curve does not say of which it is.
    CurveError: if the file holds no curve, or is of other images as far as both files say.
  """
  if name not in pinned.pinned():
    anchor = curve.read_curve(name)
    for other in curves:
      curve.check_same_images(anchor, other)
    return anchor, hashlib.sha256(Path(name).read_bytes()).hexdigest()
  for other in curves:
    if not other.hashes:
      raise AnchorError(
        f'{other.name} has no hashes of its images, and {name} is only beside its '
        'own; give the anchor as a file'
      )
  digests = [pinned.read_pinned(name, other.hashes) for other in curves]
  return curve.from_dict(digests[0], name), digests[0]['meta']['hash']
