"""The image sets that published curves are of, by `image_files.image_hash` of their images."""

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath

# The Kodak Lossless True Color Image Suite (PhotoCD PCD0992), r0k.us/graphics/kodak: 18 images of
# 768x512 and 6 of 512x768.
KODAK = {
  'kodim01': 'f21adae5573a723c3b736d6d0cfebc3aeea165b60fa958729929f37db561703d',
  'kodim02': '26be8827b9e70e577284551af4e753a8d9f2e8f2cd07011b595019ea50f55354',
  'kodim03': 'eeb402808f83f3b349f9600592bd2b9bcf120382da2d92d17e35a7e6bedc8ed7',
  'kodim04': '6c8a08f5a9f4c7ab347cf43a22e2b2538b877f4ac5beca2c9d37d666554fc6de',
  'kodim05': '19df479903b2f38beea433cb39799c1c0bbd09e1a43232ff1529f2b6fedd8b21',
  'kodim06': '854c19721bb1a838d90173249b69717019c8b82f1a517f412bc2d6f13ac7487b',
  'kodim07': '7b800dc0a4f868e9bc4f9f4740b7bf22196e0749de3671a24e13b88adb269826',
  'kodim08': '0c96b4c1ea33f2e6eab7772ba857e90243d43e2ba613baaffedf0a382234b167',
  'kodim09': '336137ac99097a3006756cfe63219225ed3ea38469b1cae2b075bea38a39909c',
  'kodim10': 'a50b17c68a8a83577844b260bae09031fc89e71fa473177fbbb8969461960d74',
  'kodim11': '749a6e296d4c639f0cb36a99d357bafe61417d9db6f96b1c4dda643212e09ecc',
  'kodim12': '7b562cd8e9effd00c19610fa20dfa975a682c9fc0a669a25fefd56fc6d882733',
  'kodim13': 'd32a9bbd4826430d7a2cec37b72f68810c5c38e1dfddb461674e62ebc2b59d26',
  'kodim14': '74bedb44fe1dbbab083e293820234177e1282e83473d8df40e8c0664e9cc547c',
  'kodim15': '17ed30fdfbc4396c3b382c6746d2614272b10097e83fb6ecc3b1ed586c0a3ac3',
  'kodim16': '70939dae46eb55ed70f99a425d66f49d81645b09f1bd8103762e6c190f303512',
  'kodim17': '92162a1cc49eb6b34512fc9020c87ecb988fd22b648a38247fe03eaefa181f92',
  'kodim18': 'a2f3bebb5f0f761d821db85f7492fd5932dee5f759e9a03c9662423cb082e95e',
  'kodim19': 'fa84d9e28192549968329b23b67c7f6f9f1fc4b0ab8de3167cd853576f0c9c65',
  'kodim20': 'd34d10f66b605366b21dbd2eb47000a8d3d02b40aef8bab9afe8945277b01df2',
  'kodim21': '0ce5866b1755848d673407e6a79a4a6a638c574072e1cde48e52c2827fc794a5',
  'kodim22': '71d5796148b5f0dbed135a4ce183652df7f8881f8231ec9edf2fdb86b5bce80b',
  'kodim23': '9fac5bac80eabc426a07029e93dffc32ea2bc3ed41c12eb67332d595fba0bbea',
  'kodim24': 'feee5c541035699297c0f3a7c0d83f4fb5b2532a962e31274a5f68ff6aa06c89',
}

# TESTIMAGES (N. Asuni and A. Giachetti), RGB/RGB_OR_1200x1200 of OLD/OLD_SAMPLING/testimages.zip at
# sourceforge.net/projects/testimages: 100 images of 1200x1200. Only one of them
# was available to be hashed.
TECNICK = tuple(f'RGB_OR_1200x1200_{number:03d}' for number in range(1, 101))
TECNICK_FIRST = '52c01f450b896e1d16cf52f2bf06b6f99f2b09a303d43fe9f9426dfe172d3008'

NAMES = {'kodak': "Kodak's 24 images", 'tecnick': "Tecnick's 100 images (RGB_OR_1200x1200)"}


def differences(dataset: str, images: Mapping[str, str]) -> list[str]:
  """Returns how images differ from a set; empty if they are the set.

  `kodak`: the images are those 24, each once, whatever the files are called.

  `tecnick`: there are 100 images, no two the same, whose files are called as in the archive
  (`RGB_OR_1200x1200_001` to `_100`, with any suffix, in any folder), and the first one is the
  archive's. That the other 99 are the archive's, and of 1200x1200, is taken from their names: no
  checksums of them were found.

  Args:
    dataset: `kodak` or `tecnick`.
    images: `image_hash` of each image by file name.
  """
  counts = Counter(images.values())
  repeated = [name for name, value in images.items() if counts[value] > 1]
  if dataset == 'kodak':
    missing = [name for name, value in KODAK.items() if value not in counts]
    foreign = [name for name, value in images.items() if value not in KODAK.values()]
  else:
    missing, foreign = _tecnick_differences(images)

  remarks = []
  if repeated:
    remarks.append(f'{len(repeated)} repeated: {_shorten(repeated)}')
  if missing:
    remarks.append(f'{len(missing)} missing: {_shorten(missing)}')
  if foreign:
    remarks.append(f'{len(foreign)} not of the set: {_shorten(foreign)}')
  return remarks


def _tecnick_differences(images):
  """Returns the names of the set that are missing, and those of files that are not of it."""
  stems = [PurePath(name).stem for name in images]
  missing = [name for name in TECNICK if name not in stems]
  foreign = []
  for name, stem in zip(images, stems):
    other_first = stem == TECNICK[0] and images[name] != TECNICK_FIRST
    if stem not in TECNICK or stems.count(stem) > 1 or other_first:
      foreign.append(name)
  return missing, foreign


def _shorten(names):
  return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')
