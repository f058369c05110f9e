"""Colours to sRGB by the ICC profile that is embedded in an image."""

import functools
import io

import numpy as np
from PIL import Image, ImageCms

from tfusq.image_files.opening import warn_once

# Levels of 255 by which a profile may move colours and still count as sRGB. Profiles of sRGB, the
# smallest included, sample its curve and move colours by one level at most; those of the nearest
# other space, the primaries of sRGB with the exponent 2.2, by nine.
_TOLERANCE = 1

_GREYS = ('L', 'I;16')
# Modes of the pixels to which a profile applies, by the name of its colour space.
_MODES = {'RGB': ('RGB',), 'GRAY': _GREYS, 'CMYK': ('CMYK',), 'Lab': ('LAB',)}


def to_srgb(image: Image.Image, name: str) -> Image.Image:
  """Returns an image in sRGB, converted by its profile.

  Pixels stay as they are where there is no profile, where it is one of sRGB, and where it can't be
  used, of which a warning tells.

  Args:
    image: Image without transparency, of mode `L`, `I;16`, `RGB`, `CMYK` or `LAB`.
    name: Name of the file, for the warning.

  Returns:
    Image of mode `RGB`.
  """
  profile = image.info.get('icc_profile')
  if profile:
    try:
      return _converted(image, profile)
    except (OSError, ValueError, ImageCms.PyCMSError) as error:
      warn_once(f'{name}: the colour profile is ignored, colours are read as sRGB: {error}')
  if image.mode == 'LAB':
    return _converted(image, _lab_profile())
  return _plain(image)


def counts_as_srgb(image: Image.Image) -> bool:
  """Returns whether `to_srgb` leaves the colours as they are, without a warning.

  Args:
    image: Image of mode `L` or `RGB`, whose pixels need not be decoded.
  """
  profile = image.info.get('icc_profile')
  if not profile:
    return True
  if image.mode != 'RGB':
    return False
  try:
    return _space(profile) == 'RGB' and _transform(profile, 'RGB') is None
  except (OSError, ValueError, ImageCms.PyCMSError):
    return False


def _space(profile: bytes) -> str:
  """Returns the name of a profile's colour space."""
  return ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()


def _converted(image, profile):
  """Returns an image in sRGB, converted by a profile."""
  space = _space(profile)
  if space == 'RGB' and image.mode in _GREYS:
    image = _plain(image)  # grey values of a colour space
  if image.mode not in _MODES.get(space, ()):
    raise ValueError(f'it is one of {space or "nothing"} and the pixels are {image.mode}')

  if image.mode in _GREYS:
    levels = _grey_levels(profile, image.mode)
    return Image.fromarray(levels[np.asarray(image)]).convert('RGB')
  transform = _transform(profile, image.mode)
  return _plain(image) if transform is None else ImageCms.applyTransform(image, transform)


# Photographs share few profiles, and a transform takes milliseconds to build.
@functools.lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
  """Returns the transform of colours to sRGB, or None if it changes nothing."""
  transform = _build(profile, mode, ImageCms.Flags.NONE)
  if mode != 'RGB':
    return transform

  levels = np.arange(0, 256, 5, dtype=np.uint8)
  probe = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(len(levels), -1, 3)
  converted = np.asarray(ImageCms.applyTransform(Image.fromarray(probe), transform))
  return None if _is_close(converted, probe) else transform


@functools.lru_cache(maxsize=16)
def _grey_levels(profile: bytes, mode: str) -> np.ndarray:
  """Returns the level in sRGB of each level of grey, `uint8[256]` or `uint8[65536]`."""
  count, dtype = (256, np.uint8) if mode == 'L' else (65536, np.uint16)
  ramp = Image.fromarray(np.arange(count, dtype=dtype)[None])
  plain = np.asarray(_plain(ramp))[0, :, 0]
  # What Little CMS does for speed puts dark greys ten levels off.
  transform = _build(profile, mode, ImageCms.Flags.NOOPTIMIZE)
  converted = np.asarray(ImageCms.applyTransform(ramp, transform))[0, :, 0]
  return plain if _is_close(converted, plain) else converted


def _build(profile: bytes, mode: str, flags: ImageCms.Flags) -> ImageCms.ImageCmsTransform:
  """Builds a transform to sRGB."""
  return ImageCms.buildTransform(
    ImageCms.ImageCmsProfile(io.BytesIO(profile)),
    ImageCms.createProfile('sRGB'),
    mode,
    'RGB',
    # The perceptual intent of some profiles of sRGB, those of ICC version 4, moves all colours.
    ImageCms.Intent.RELATIVE_COLORIMETRIC,
    flags,
  )


def _is_close(converted: np.ndarray, plain: np.ndarray) -> bool:
  """Returns whether levels are moved so little that their profile counts as sRGB."""
  return bool(np.abs(converted.astype(int) - plain).max() <= _TOLERANCE)


@functools.cache
def _lab_profile() -> bytes:
  """Returns the profile of CIELAB for D50, which TIFF has without saying so."""
  return ImageCms.ImageCmsProfile(ImageCms.createProfile('LAB')).tobytes()


def _plain(image: Image.Image) -> Image.Image:
  """Returns an image in RGB whatever its profile; 16-bit grey is rounded to 8 bits."""
  if image.mode == 'I;16':
    # 65535 / 257 = 255. Pillow's own conversion clips at 255 instead.
    image = Image.fromarray(np.round(np.asarray(image) / 257).astype(np.uint8))
  return image.convert('RGB')
