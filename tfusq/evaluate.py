"""Evaluation on real bytes: bits per pixel of whole files, PSNR and MS-SSIM on 8-bit RGB, times."""

import math
import time
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfusq import container
from tfusq.data import ImageError, list_images, read_image
from tfusq.exported import ExportedCodec

MS_SSIM_MIN_SIDE = 161  # five scales of an 11-pixel window


class Row(NamedTuple):
  """Figures of one image, or their means.

  Attributes:
    image: Name.
    bytes: Of the file.
    header_bytes: Of these, what is not range-coded.
    bpp: Bits per pixel of the whole file.
    coded_bpp: Of the range coder's strings alone.
    estimated_bpp: What the entropy models say for the same symbols.
    psnr: dB, 8-bit RGB.
    ms_ssim: 0 to 1; NaN for an image too small for five scales.
    encode_seconds: Wall time from pixels to bytes.
    decode_seconds: Wall time from bytes to pixels.
  """
  image: str
  bytes: float
  header_bytes: float
  bpp: float
  coded_bpp: float
  estimated_bpp: float
  psnr: float
  ms_ssim: float
  encode_seconds: float
  decode_seconds: float


class Mismatch(RuntimeError):
  """A decoded image that differs from the encoder's own reconstruction."""


def evaluate_folder(codec: ExportedCodec, folder: str) -> tuple[list[Row], list[ImageError]]:
  """Evaluates every image of a folder, with a progress bar.

  Args:
    codec: What to evaluate.
    folder: Searched for PNG, JPEG and WebP files.

  Returns:
    A row for each image that can be read, and the errors of the others.

  Raises:
    ImageError: if there are no images.
    Mismatch: if the decoder does not give the encoder's reconstruction.
  """
  codec.decompress(codec.compress(np.zeros([16, 16, 3], np.uint8)))  # the first call is slower
  rows, errors = [], []
  for path in tqdm(list_images(folder), unit='image'):
    try:
      image = read_image(path)
    except ImageError as error:
      errors.append(error)
    else:
      rows.append(evaluate_image(codec, image, str(path.relative_to(folder))))
  return rows, errors


def evaluate_image(codec: ExportedCodec, image: np.ndarray, name: str) -> Row:
  """Compresses, decompresses and compares one image, `uint8[height, width, 3]`.

  Raises:
    Mismatch: if the decoder does not give the encoder's reconstruction.
  """
  start = time.perf_counter()
  data = codec.compress(image)
  encoded = time.perf_counter()
  decoded = codec.decompress(data)
  end = time.perf_counter()
  again, bits, reconstruction = codec.evaluate(image)
  if again != data or not np.array_equal(decoded, reconstruction):
    raise Mismatch(f'{name}: the decoder does not give what the encoder reconstructs')
  pixels = image.shape[0] * image.shape[1]
  header = container.read_header(data)
  return Row(
      name, len(data), header.bytes, 8 * len(data) / pixels, 8 * sum(header.sections) / pixels,
      float(bits.sum()) / pixels, psnr(image, decoded), ms_ssim(image, decoded),
      encoded - start, end - encoded)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
  """Peak signal-to-noise ratio of two uint8 images in dB; infinite where they are equal."""
  return float(tf.image.psnr(a, b, 255))


def ms_ssim(a: np.ndarray, b: np.ndarray) -> float:
  """MS-SSIM of two uint8 images, 0 to 1; NaN where a side is shorter than 161 pixels."""
  if min(a.shape[:2]) < MS_SSIM_MIN_SIDE:
    return float('nan')
  return float(tf.image.ssim_multiscale(tf.constant(a), tf.constant(b), 255))


def mean(rows: Iterable[Row]) -> Row:
  """Returns the mean of each figure over images, as the field reports it.

  MS-SSIM is averaged over the images that are large enough for it.
  """
  columns = np.array([row[1:] for row in rows]).T
  return Row('mean', *(float(np.mean(column[~np.isnan(column)])) if not np.isnan(column).all()
                       else math.nan for column in columns))


def table(rows: list[Row]) -> str:
  """Returns the rows as text, with what the strings take beyond the estimate."""
  heads = ('bytes', 9), ('header', 8), ('bpp', 9), ('coded', 9), ('estimate', 10), ('gap %', 8), (
      'PSNR', 8), ('MS-SSIM', 9), ('enc s', 8), ('dec s', 8)
  lines = [f'{"image":<24}' + ''.join(f'{head:>{width}}' for head, width in heads)]
  for row in rows:
    gap = 100 * (row.coded_bpp / row.estimated_bpp - 1) if row.estimated_bpp else math.nan
    lines.append(
        f'{row.image:<24}{row.bytes:>9.0f}{row.header_bytes:>8.0f}{row.bpp:>9.4f}'
        f'{row.coded_bpp:>9.4f}{row.estimated_bpp:>10.4f}{gap:>8.3f}{row.psnr:>8.2f}'
        f'{row.ms_ssim:>9.4f}{row.encode_seconds:>8.3f}{row.decode_seconds:>8.3f}')
  return '\n'.join(lines)


def report(rows: list[Row], codec: ExportedCodec) -> dict:
  """Returns what is written as JSON: the rows, their mean, and the codec's description.

  What is not finite, such as the MS-SSIM of a tiny image, becomes null.
  """
  def finite(row):
    return {key: value if isinstance(value, str) or math.isfinite(value) else None
            for key, value in row._asdict().items()}

  return {'codec': codec.description, 'images': [finite(row) for row in rows],
          'mean': finite(mean(rows))}
