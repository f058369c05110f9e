"""Several curves: points joined to one, and curves made comparable by their images."""

from collections import Counter
from collections.abc import Iterable, Sequence

from tfusq.curves.curve import Curve, CurveError, from_dict
from tfusq.curves.means import mean


def join(name: str, curves: Iterable[Curve]) -> Curve:
  """Returns one curve of the points of several, such as of codecs evaluated one by one.

  Args:
    name: Name of the curve.
    curves: Curves to join. The curve has the results that all have, and the first one's `meta`.

  Raises:
    CurveError: if they are not of the same images.
  """
  curves = list(curves)
  first = curves[0]
  for curve in curves:
    check_same_images(first, curve)

  codecs = []
  images = []
  for curve in curves:
    codecs += curve.meta.get('codecs', [])
    images += curve.images
  results: dict[str, list[float | None]] = {}
  for key in first.results:
    if all(key in curve.results for curve in curves):
      results[key] = []
      for curve in curves:
        results[key] += curve.results[key]

  content = {
    'name': name,
    'description': first.description,
    'meta': {**first.meta, 'codecs': codecs},
    'results': results,
    'images': images,
  }
  return from_dict(content, name)


def check_same_images(a: Curve, b: Curve) -> None:
  """Refuses curves of different images; curves that do not say of which they are pass.

  Args:
    a: One curve.
    b: The other curve to compare.

  Raises:
    CurveError: naming an image that is not in both.
  """
  counts_a = Counter(a.hashes.values())
  counts_b = Counter(b.hashes.values())
  if not (counts_a and counts_b):
    return
  for name, value in [*a.hashes.items(), *b.hashes.items()]:
    if counts_a[value] != counts_b[value]:
      raise CurveError(f'{a.name} and {b.name} are not of the same images: {name} is not in both')


def over_common_images(curves: Sequence[Curve]) -> tuple[list[Curve], list[str]]:
  """Restricts curves to the images that none of them left out.

  An evaluation leaves out an image that fails. Another one of the same folder may have it.

  Args:
    curves: Curves of one folder of images. Those that do not say of which images they are stay.

  Returns:
    The curves, their results means over the common images; and a line for each that was changed.

  Raises:
    CurveError: if a curve that has to be changed lacks the values of each image, or keeps none.
  """
  left_out: dict[str, str] = {}
  for curve in curves:
    for digest in _left_out(curve):
      left_out.setdefault(digest, curve.name)
  if not left_out:
    return list(curves), []

  restricted = []
  remarks = []
  for curve in curves:
    names = [image for image, digest in curve.hashes.items() if digest in left_out]
    restricted.append(_without(curve, names) if names else curve)
    if names:
      other = left_out[curve.hashes[names[0]]]
      kept = f'{len(curve.hashes) - len(names)} of {len(curve.hashes)}'
      remarks.append(f'{curve.name}: means over {kept} images; {other} left out {", ".join(names)}')
  return restricted, remarks


def _left_out(curve: Curve) -> list[str]:
  """Returns the hashes of the images that a curve left out."""
  entries = curve.meta.get('left_out')
  if not isinstance(entries, dict):
    return []

  digests = []
  for entry in entries.values():
    digest = entry.get('sha256') if isinstance(entry, dict) else None
    if isinstance(digest, str):
      digests.append(digest)
  return digests


def _without(curve: Curve, names: Sequence[str]) -> Curve:
  """Returns a curve without some of its images."""
  by_point = curve.rows_by_point()
  if not by_point:
    raise CurveError(
      f'{curve.name} has not the values of each image, so that it cannot be compared without '
      f'{", ".join(names)}'
    )
  if len(names) == len(curve.hashes):
    raise CurveError(f'{curve.name} has no image that the other curves have not left out')

  kept_rows = []
  results: dict[str, list[float | None]] = {key: [] for key in curve.results}
  for rows in by_point:
    kept = [row for row in rows if row.get('image') not in names]
    kept_rows += kept
    means = mean(kept, curve.results)
    for key, values in results.items():
      values.append(means.get(key))

  images = {image: digest for image, digest in curve.hashes.items() if image not in names}
  content = {
    'name': curve.name,
    'description': curve.description,
    'meta': {**curve.meta, 'images': images},
    'results': results,
    'images': kept_rows,
  }
  return from_dict(content, curve.name)
