"""The still-image formats that Pillow writes here, and the libraries that write them."""

import contextlib
import importlib.metadata

import PIL
from PIL import Image, features

with contextlib.suppress(ImportError):
  import pillow_jxl  # noqa: F401 (registers JPEG XL, which Pillow itself lacks)

# The feature of Pillow that a format needs.
_FEATURES = {'JPEG': 'jpg', 'WEBP': 'webp', 'AVIF': 'avif', 'JPEG2000': 'jpg_2000'}
_LIBRARIES = {
  'libjpeg-turbo': 'libjpeg_turbo',
  'libwebp': 'webp',
  'libavif': 'avif',
  'OpenJPEG': 'jpg_2000',
}


def is_available(name: str) -> bool:
  """Returns whether Pillow writes a format here, given its name in Pillow, such as `JPEG2000`."""
  Image.init()
  return name in Image.SAVE and _FEATURES.get(name) in (None, *features.get_supported())


def versions() -> dict[str, str]:
  """Returns the versions of Pillow and of the libraries that it has here, by name."""
  by_library = {'Pillow': PIL.__version__}
  for name, feature in _LIBRARIES.items():
    if feature in features.get_supported():
      by_library[name] = str(features.version(feature))
  if is_available('AVIF'):
    from PIL import AvifImagePlugin

    by_library['libaom'] = str(AvifImagePlugin.get_codec_version('aom'))
  if is_available('JXL'):
    by_library['pillow-jxl-plugin'] = importlib.metadata.version('pillow-jxl-plugin')
  return by_library
