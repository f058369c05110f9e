"""All steps on embedded photographs: train, export, compress, compare with JPEG and WebP."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tfusq import config, files, image_files, runs
from tfusq.coding import range_coder
from tfusq.evaluation import metrics, operating_points, table
from tfusq.export import client

_IMAGES = Path(__file__).resolve().parent / 'images'
_TITLE_HEIGHT = 16  # of Pillow's built-in font, with a margin

# What it is compared with: qualities, and options of Pillow. It advises against JPEG's above 95.
_RIVALS: dict[str, tuple[str, range, dict[str, Any]]] = {
  'JPEG': ('jpeg', range(1, 96), {'optimize': True}),
  'WebP': ('webp', range(101), {'method': 6}),
}


def train_and_compare(out: str, bindings: Sequence[str] = ()) -> str:
  """Trains a light codec, writes it and its pictures, and compares it with JPEG and WebP.

  Args:
    out: Folder for the run, the codec, the compressed file, the decoded PNG and a side-by-side
      picture. A second call resumes the run there.
    bindings: Gin bindings that change the recipe.

  Returns:
    A table with a line for tfusq, JPEG and WebP each, and the names of the files.

  Raises:
    RangeCoderError: if there is no range coder.
  """
  folder = Path(out)
  range_coder.operations()  # refused before the training instead of after it
  seconds = _train(folder, bindings)
  codec = client.ExportedCodec(folder / 'codec')

  (path,) = image_files.list_images(_IMAGES / 'heldout')
  image = image_files.read_image(path)
  measurements = operating_points.measure(codec, image)
  compressed = codec.compress(image)
  decoded = codec.decompress(compressed)

  rows = [('tfusq', measurements)]
  psnr = metrics.psnr(image, decoded)
  shown = {'original': image, f'tfusq, {len(compressed)} bytes, {psnr:.2f} dB': decoded}
  for rival in _RIVALS:
    data = nearest(rival, image, len(compressed))
    pixels = image_files.decode(data)
    rows.append((rival, operating_points.compare(image, pixels, len(data))))
    shown[f'{rival}, {len(data)} bytes, {metrics.psnr(image, pixels):.2f} dB'] = pixels

  sheet = side_by_side(shown)
  files.write(folder / f'{path.stem}.usq', compressed)
  files.write(folder / f'{path.stem}.png', image_files.encode(decoded, 'png'))
  files.write(folder / 'side_by_side.png', image_files.encode(sheet, 'png'))

  height, width = image.shape[:2]
  return (
    f'\n{path.name}, {width}x{height}, not trained on; {seconds:.0f} s of training\n'
    f'{table.format_rows(rows)}\n\n'
    f'{folder}: codec/ {path.stem}.usq {path.stem}.png side_by_side.png'
  )


def _train(folder: Path, bindings: Sequence[str]) -> float:
  """Trains and exports the codec; returns the seconds of training."""
  start = time.perf_counter()
  recipe = Path(config.search_path()[0]) / 'quickstart.gin'
  images = str(_IMAGES / 'train')
  config.parse([str(recipe)], [f'TRAIN_IMAGES = {images!r}', *bindings], [])
  config.build('train')(model_dir=str(folder / 'run'), recipe=config.recipe)
  seconds = time.perf_counter() - start

  runs.export_run(folder / 'run', folder / 'codec', [], force=True)
  return seconds


def nearest(rival: str, image: np.ndarray, size: float) -> bytes:
  """Returns the file of an image by another codec, of the quality that is nearest to a size.

  Args:
    rival: Name of the codec: `JPEG`, which is 4:2:0 with optimized tables, or `WebP`.
    image: `uint8[height, width, 3]`, RGB.
    size: Length in bytes.
  """
  form, qualities, options = _RIVALS[rival]
  candidates = [
    image_files.encode(image, form, quality=quality, **options) for quality in qualities
  ]
  return min(candidates, key=lambda candidate: abs(len(candidate) - size))


def side_by_side(images: dict[str, np.ndarray]) -> np.ndarray:
  """Puts images of one size next to each other, their titles above.

  Args:
    images: Images by title, `uint8[height, width, 3]`.

  Returns:
    The picture, `uint8[height + 16, width * len(images), 3]`.
  """
  height, width = next(iter(images.values())).shape[:2]
  sheet = Image.new('RGB', (width * len(images), height + _TITLE_HEIGHT), 'white')
  draw = ImageDraw.Draw(sheet)

  for index, (title, image) in enumerate(images.items()):
    left = index * width
    draw.text((left + 4, 2), title, 'black')
    sheet.paste(Image.fromarray(image), (left, _TITLE_HEIGHT))

  return np.asarray(sheet)
