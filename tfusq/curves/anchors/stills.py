"""The still-image formats that Pillow writes."""

import contextlib
import importlib.metadata

import PIL
from PIL import Image, features

with contextlib.suppress(ImportError):
  import pillow_jxl  # noqa: F401 (registers JPEG XL, which Pillow itself has not)

# The feature of Pillow that a format stands on.
_FEATURES = {'JPEG': 'jpg', 'WEBP': 'webp', 'AVIF': 'avif', 'JPEG2000': 'jpg_2000'}
_LIBRARIES = {
  'libjpeg-turbo': 'libjpeg_turbo',
  'libwebp': 'webp',
  'libavif': 'avif',
  'OpenJPEG': 'jpg_2000',
}


def is_available(kind: str) -> bool:
  """Returns whether Pillow writes a format here."""
  Image.init()
  return kind in Image.SAVE and _FEATURES.get(kind) in (None, *features.get_supported())


def versions() -> dict[str, str]:
  """Returns the versions of Pillow and of the libraries that it has here."""
  found = {'Pillow': PIL.__version__}
  for name, feature in _LIBRARIES.items():
    if feature in features.get_supported():
      found[name] = features.version(feature)
  if is_available('AVIF'):
    from PIL import AvifImagePlugin

    found['libaom'] = AvifImagePlugin.get_codec_version('aom')
  if is_available('JXL'):
    found['pillow-jxl-plugin'] = importlib.metadata.version('pillow-jxl-plugin')
  return found
