"""Measurements of images as a table of text and as CSV."""

import csv
import io
import math
from collections.abc import Sequence
from typing import NamedTuple

from tfusq.curves.curve import Curve
from tfusq.curves.means import PSNR, PSNR_OF_MEAN
from tfusq.evaluation.journal import Row


class Column(NamedTuple):
  """How a measurement is printed.

  Attributes:
    heading: Heading of the column.
    width: Number of characters.
    format: Format specification of the numbers.
  """

  heading: str
  width: int
  format: str


# Measurements of one image. Where CompressAI has the measurement, the key is CompressAI's.
COLUMNS = {
  'bytes': Column('bytes', 9, '.0f'),  # of the whole file
  'bpp': Column('bpp', 9, '.4f'),  # of the whole file, bits per pixel
  'coded-bpp': Column('coded', 9, '.4f'),  # of the range coder's strings alone
  'estimated-bpp': Column('estimate', 10, '.4f'),  # by the entropy models, same symbols
  'psnr-rgb': Column('PSNR', 8, '.2f'),  # dB, 8-bit RGB
  'ms-ssim-rgb': Column('MS-SSIM', 9, '.4f'),  # 0 to 1, 8-bit RGB
  'distortion': Column('D', 10, '.5f'),  # what the run is trained for, other than squared error
  'encoding_time': Column('enc s', 8, '.3f'),  # wall time from pixels to bytes
  'decoding_time': Column('dec s', 8, '.3f'),  # wall time from bytes to pixels
  'surrogate-bpp': Column('R~', 9, '.4f'),  # rate of the training-time forward, bpp
  'surrogate-psnr-rgb': Column('D~, dB', 8, '.2f'),  # its distortion as a PSNR of floats
  'surrogate-distortion': Column('D~', 10, '.5f'),  # of the training-time forward, as `distortion`
  'rate-mismatch': Column('dR', 9, '.4f'),  # its rate minus that of rounding, bpp
  'distortion-mismatch': Column('dD', 10, '.3f'),  # its squared error minus rounding's, 8 bits
}


def format_curve(curve: Curve) -> str:
  """Returns a curve as text: each image if there is a single point, and the means of every point.

  Args:
    curve: Curve from `evaluate`.
  """
  rows = []
  if len(curve.results['bpp']) == 1:
    # A name may have line breaks.
    rows += [(' '.join(row['image'].splitlines()), row) for row in curve.images]
  rows += [(f'mean {row["label"]}', row) for row in _means(curve)]
  return format_rows(rows)


def remarks(curve: Curve) -> list[str]:
  """Returns lines that say which means are not of all images, and which are infinite.

  Args:
    curve: Curve from `evaluate`.
  """
  lines = []
  count = len(curve.hashes)
  partial: dict[str, set[int]] = {}
  for codec in curve.meta['codecs']:
    for key, number in codec.get('means_over', {}).items():
      partial.setdefault(key, set()).add(number)

  for key, numbers in partial.items():
    why = '; the others have a side under 161 pixels' if key == 'ms-ssim-rgb' else ''
    fewest = ' to '.join(map(str, sorted({min(numbers), max(numbers)})))
    lines.append(f'{COLUMNS[key].heading}: mean of {fewest} of {count} images{why}')

  infinite = [row for row in _means(curve) if row.get(PSNR) == math.inf]
  if infinite:
    lines.append(
      'PSNR: infinite where an image is decoded without error; the PSNR of the mean squared error '
      f'over images ({PSNR_OF_MEAN}) is'
    )
  for row in infinite:
    perfect = sum(
      image['point'] == row['point'] and image[PSNR] == math.inf for image in curve.images
    )
    lines.append(
      f'  {row["label"]}: {row[PSNR_OF_MEAN]:.2f} dB, {perfect} of {count} images without error'
    )
  return lines


def format_rows(rows: Sequence[tuple[str, Row]]) -> str:
  """Returns named rows as text.

  The column `gap %` is added: by how much the strings are longer than the estimate.

  Args:
    rows: Names and measurements.
  """
  columns = _present_columns(rows)
  name_width = max(24, *(len(name) + 1 for name, _ in rows))
  headings = [f'{column.heading:>{column.width}}' for column in columns.values()]
  lines = [' ' * name_width + ''.join(headings)]

  for name, row in rows:
    values = {**row, 'gap': _gap(row)}
    cells = [_cell(values.get(key), column) for key, column in columns.items()]
    lines.append(f'{name:<{name_width}}' + ''.join(cells))

  return '\n'.join(lines)


def _present_columns(rows: Sequence[tuple[str, Row]]) -> dict[str, Column]:
  """Returns the columns of which a row has a value, and the gap behind the estimate."""
  columns = {}
  for key, column in COLUMNS.items():
    if any(key in row for _, row in rows):
      columns[key] = column
      if key == 'estimated-bpp':
        columns['gap'] = Column('gap %', 8, '.3f')
  return columns


def _gap(row: Row) -> float | None:
  """Returns by how many percent the strings are longer than the estimate."""
  if not row.get('estimated-bpp'):
    return None
  return 100 * (row['coded-bpp'] / row['estimated-bpp'] - 1)


def _cell(value: float | None, column: Column) -> str:
  """Returns a padded number; nothing but spaces where it is missing or NaN."""
  missing = value is None or math.isnan(value)
  number = '' if missing else format(value, column.format)
  return f'{number:>{column.width}}'


def to_csv(curve: Curve) -> bytes:
  """Returns a curve as CSV: a line for each image and point, then the means.

  Images that are left out of the means follow, with the reason in a column of its own.

  Args:
    curve: Curve from `evaluate`.
  """
  labels = {codec['point']: codec['label'] for codec in curve.meta['codecs']}
  left_out = curve.meta.get('left_out', {})
  columns = ['label', 'image', *curve.results]
  if left_out:
    columns.append('left_out')

  buffer = io.StringIO()
  writer = csv.DictWriter(buffer, columns, extrasaction='ignore', lineterminator='\n')
  writer.writeheader()
  for row in curve.images:
    writer.writerow({'label': labels[row['point']], **row})
  for row in _means(curve):
    writer.writerow({'image': 'mean', **row})
  for image, entry in left_out.items():
    writer.writerow({'image': image, 'left_out': entry['reason']})

  # A file name that is not UTF-8 has escapes, as it has in JSON.
  return buffer.getvalue().encode(errors='backslashreplace')


def _means(curve: Curve) -> list[Row]:
  """Returns the means over images of each point, with its label and key."""
  rows = []
  for index, codec in enumerate(curve.meta['codecs']):
    means = {key: values[index] for key, values in curve.results.items()}
    rows.append({'label': codec['label'], 'point': codec['point'], **means})
  return rows
