"""Published curves of BPG 4:4:4, each pinned by a hash and valid for one image set alone.

BD-rates against different published curves of BPG differ by more than a percent, so that the name
of a codec alone does not say what was compared with. A curve means nothing for other images.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from tfusq.curves.anchors import AnchorError, image_sets

# SHA-256 of each file.
_HASHES = {
  'kodak-bpg444-compressai': '20317d24b4f0021ad45eaf813cd3e91d1e043f9a9f4752ee71bb82bf9fc33c50',
  'kodak-bpg444-tfc': '74d3f4b602f08c836ccb39f9b02a24d2bf895e253692650a65fb87479350eadb',
  'tecnick-bpg444-tfc': '9c68aa16212818cf760ebdc506e22f0a8bdd6ec6d6ccce38e758ea620e061269',
}


def names() -> list[str]:
  """Returns the names of the pinned anchors."""
  return list(_HASHES)


def read_pinned(name: str, images: Mapping[str, str]) -> dict:
  """Returns a published curve, to be compared with results on the same images.

  Args:
    name: One of `names()`.
    images: `tfusq.image_files.image_hash` of each image of the results, by file name.

  Returns:
    `name`, `description`, `meta` (`dataset`, source, licence, `hash`) and `results`, as CompressAI
    writes them: lists `bpp` (ascending), `psnr-rgb` (dB) and `ms-ssim-rgb` (0 to 1), each a mean
    over images.

  Raises:
    AnchorError: if there is no such anchor, its file is not the pinned one, or the images are not
      its set, as far as `image_sets.differences` can tell.
  """
  if name not in _HASHES:
    raise AnchorError(f'no pinned anchor {name}; there are {", ".join(_HASHES)}')

  data = Path(__file__).with_name(f'{name}.json').read_bytes()
  digest = hashlib.sha256(data).hexdigest()
  if digest != _HASHES[name]:
    raise AnchorError(
      f'the file of {name} is not the pinned one: its hash is {digest}, not {_HASHES[name]}'
    )

  anchor = json.loads(data)
  dataset = anchor['meta']['dataset']
  differences = image_sets.differences(dataset, images)
  if differences:
    raise AnchorError(
      f'{name} is a curve of {image_sets.NAMES[dataset]} and valid for these alone; of the '
      f'{len(images)} given, {"; ".join(differences)}. Use a live anchor, such as x265, which '
      'codes any images'
    )
  anchor['meta']['hash'] = digest
  return anchor
