"""The whole way on embedded photographs: train, export, compress, decompress, compare with JPEG."""

import io
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tfusq import config, files, image_files, runs
from tfusq.evaluation import evaluate, metrics, operating_points
from tfusq.export import client

_IMAGES = Path(__file__).resolve().parent / 'images'


def train_and_compare(out: str) -> str:
  """Trains a small codec, writes it and its pictures, and compares it with JPEG.

  Args:
    out: Folder for the run, the codec, the file, the decoded PNG and a side-by-side picture. A
      second call resumes the run there.

  Returns:
    A table with a line for tfusq and one for JPEG, and the names of what was written.
  """
  folder = Path(out)
  start = time.perf_counter()
  recipe = Path(config.search_path()[0]) / 'quickstart.gin'
  config.parse([str(recipe)], [f'TRAIN_IMAGES = {str(_IMAGES / "train")!r}'], [])
  config.build('train')(model_dir=str(folder / 'run'), recipe=config.recipe)
  trained = time.perf_counter()
  runs.export_codec(
    config.build_parameter('train.codec'), folder / 'run', folder / 'codec', force=True
  )

  codec = client.ExportedCodec(folder / 'codec')
  (path,) = image_files.list_images(_IMAGES / 'heldout')
  image = image_files.read_image(path)
  row = operating_points.measure(codec, image)
  compressed = codec.compress(image)
  decoded = codec.decompress(compressed)
  files.write(folder / f'{path.stem}.usq', compressed)
  files.write(folder / f'{path.stem}.png', image_files.encode(decoded, 'png'))

  jpeg = nearest_jpeg(image, row['bytes'])
  other = np.asarray(Image.open(io.BytesIO(jpeg)))
  files.write(
    folder / 'side_by_side.png',
    image_files.encode(
      side_by_side(
        {
          'original': image,
          f'tfusq, {row["bytes"]:.0f} bytes, {row["psnr-rgb"]:.2f} dB': decoded,
          f'JPEG, {len(jpeg)} bytes, {metrics.psnr(image, other):.2f} dB': other,
        }
      ),
      'png',
    ),
  )

  height, width = image.shape[:2]
  table = evaluate.format_rows(
    [('tfusq', row), ('JPEG', operating_points.compare(image, other, len(jpeg)))]
  )
  return (
    f'\n{path.name}, {width}x{height}, not trained on; {trained - start:.0f} s of training\n'
    f'{table}\n\n{folder}: codec/ {path.stem}.usq {path.stem}.png side_by_side.png'
  )


def nearest_jpeg(image: np.ndarray, size: float) -> bytes:
  """Returns the JPEG file of an image, 4:2:0 with optimized tables, nearest to a size in bytes."""
  candidates = (
    image_files.encode(image, 'jpeg', quality=quality, optimize=True) for quality in range(1, 96)
  )
  return min(candidates, key=lambda candidate: abs(len(candidate) - size))


def side_by_side(images: dict[str, np.ndarray]) -> np.ndarray:
  """Puts images of one size next to each other, their titles above."""
  title = 16
  height, width = next(iter(images.values())).shape[:2]
  sheet = Image.new('RGB', (width * len(images), height + title), 'white')
  draw = ImageDraw.Draw(sheet)
  for column, (text, image) in enumerate(images.items()):
    draw.text((column * width + 4, 2), text, 'black')
    sheet.paste(Image.fromarray(image), (column * width, title))
  return np.asarray(sheet)
