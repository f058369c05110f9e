"""`runs.csv`: all results in a folder as one file, which a spreadsheet or a program can read.

There is a line for each image of each result, and one for the means over images:

    cell, lmbda, seed    the run; `cell` is the name of the cell's folder
    stage, images        `joint` or `post`, and the name of the folder of images
    fork                 number of the fork, in files that have branches; empty of other runs
    label                label of the codec
    image                path of the image in its folder; `mean` in the line of means
    sha256               hash of the image's pixels, or `null` if the result does not say; empty if
                         all results have the same one, after the first line of the image
    bytes, bpp, ...      measurements, as in the curve file of the result; `null` if one has no
                         value, empty if it was not made

Numbers are written in full, so that a result is the same read from here or from its curve file, but
for what only the curve file has, such as the codec's recipe.
"""

import csv
import io
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tfusq.curves.curve import Curve
from tfusq.sweeps.sweep import STAGES, Run, SweepError

_MEAN = 'mean'
_NO_VALUE = 'null'


class ResultKey(NamedTuple):
  """What a result is of.

  Attributes:
    cell: Name of the cell, `cell_name` of its labels.
    lmbda: Weight of the distortion, as it is written in the run's name.
    seed: Seed, as it is written in the run's name.
    stage: `joint` or `post`.
    images: Name of the folder of images.
    fork: Number of the fork, as it is written in the run's name; empty for a run that is no branch.
  """

  cell: str
  lmbda: str
  seed: str
  stage: str
  images: str
  fork: str = ''

  @classmethod
  def of(cls, run: Run, stage: str, images: str) -> 'ResultKey':
    """Returns the key of a run's result.

    Args:
      run: The run.
      stage: `joint` or `post`.
      images: Name of the folder of images.
    """
    cell, _ = run.name.split('/')
    fork = '' if run.fork is None else str(run.fork)
    return cls(cell, str(run.lmbda), str(run.seed), stage, images, fork)

  @property
  def path(self) -> str:
    """Path of its curve file in a folder of results."""
    return f'{self._run}-{self.stage}-{self.images}.json'

  @property
  def codec(self) -> str:
    """Name of its codec, which no other codec in the folder has."""
    return f'{self._run}/{self.stage}'

  @property
  def _run(self) -> str:
    name = f'{self.cell}/lambda_{self.lmbda}-seed_{self.seed}'
    return f'{name}-fork_{self.fork}' if self.fork else name

  @property
  def order(self) -> tuple:
    """Key by which results are sorted."""
    fork = int(self.fork) if self.fork else -1
    return self.cell, float(self.lmbda), int(self.seed), fork, self.stage, self.images


_KEYS = tuple(name for name in ResultKey._fields if name != 'fork')
_OTHERS = ('label', 'image', 'sha256')
# Without branches, a file has no column for forks.
_COLUMNS = (*_KEYS, *_OTHERS)
_COLUMNS_WITH_FORKS = (*_KEYS, 'fork', *_OTHERS)


class _Line(NamedTuple):
  """A line of the file."""

  key: ResultKey
  label: str
  image: str
  sha256: str
  values: dict[str, float | None]
  number: int = 0


def to_csv(curves: Mapping[ResultKey, Curve]) -> bytes:
  """Returns the file of some results.

  Args:
    curves: Results, each a curve of a single point.

  Raises:
    SweepError: if a curve has more than one point.
  """
  lines = []
  for key in sorted(curves, key=lambda key: key.order):
    lines += _lines(key, curves[key])
  hashes = _hashes(lines)

  measurements = {}  # used as an ordered set
  for line in lines:
    measurements.update(line.values)
  buffer = io.StringIO()
  writer = csv.writer(buffer, lineterminator='\n')
  columns = _COLUMNS_WITH_FORKS if any(key.fork for key in curves) else _COLUMNS
  writer.writerow([*columns, *measurements])
  written = set()
  for line in lines:
    image = line.key.images, line.image
    # A hash is a quarter of a line; where it is always the same, once is enough.
    sha256 = '' if image in written and len(hashes[image]) == 1 else line.sha256
    written.add(image)
    values = [_format(line.values, name) for name in measurements]
    key = line.key[: len(columns) - len(_OTHERS)]
    writer.writerow([*key, line.label, line.image, sha256, *values])
  # A file name that is not UTF-8 has escapes, as it has in JSON.
  return buffer.getvalue().encode(errors='backslashreplace')


def _lines(key, curve):
  """Returns the lines of a result: its images, and the means."""
  means = {}
  for name, values in curve.results.items():
    if len(values) != 1:
      raise SweepError(f'{key.path} holds {len(values)} points; a result is a single one')
    means[name] = values[0]
  codecs = curve.meta.get('codecs') or [{}]
  label = str(codecs[0].get('label', ''))

  lines = []
  for row in curve.images:
    image = row.get('image', '')
    values = {name: value for name, value in row.items() if name not in ('image', 'point')}
    lines.append(_Line(key, label, image, curve.hashes.get(image, _NO_VALUE), values))
  measured = {line.image for line in lines}
  for image, sha256 in curve.hashes.items():
    if image not in measured:
      lines.append(_Line(key, label, image, sha256, {}))
  return [*lines, _Line(key, label, _MEAN, '', means)]


def _hashes(lines):
  """Returns all hashes that are written of each image, by its folder's name and its own."""
  hashes = {}
  for line in lines:
    known = hashes.setdefault((line.key.images, line.image), set())
    if line.sha256:
      known.add(line.sha256)
  return hashes


def _format(values, name):
  if name not in values:
    return ''
  return _NO_VALUE if values[name] is None else repr(values[name])


def read(path: Path) -> dict[ResultKey, Curve]:
  """Reads the file.

  Args:
    path: `runs.csv`.

  Returns:
    Results, each a curve of a single point.

  Raises:
    SweepError: if it is not such a file; names the file and the line.
  """
  data = path.read_bytes()
  try:
    text = data.decode()
  except UnicodeDecodeError as error:
    number = data.count(b'\n', 0, error.start) + 1
    raise SweepError(f'{path}, line {number}: {error}') from error

  reader = csv.reader(io.StringIO(text, newline=''), strict=True)
  lines = []
  try:
    header = next(reader, [])
    columns = _COLUMNS_WITH_FORKS if 'fork' in header else _COLUMNS
    if tuple(header[: len(columns)]) != columns or len(set(header)) < len(header):
      raise ValueError(f'it must name each column once, first {", ".join(_COLUMNS)}')
    for fields in reader:
      lines.append(_parse(header, len(columns), fields, reader.line_num))
  except (csv.Error, ValueError) as error:
    raise SweepError(f'{path}, line {max(reader.line_num, 1)}: {error}') from error

  curves: dict[ResultKey, Curve] = {}
  hashes = _hashes(lines)
  for line in lines:
    curve = curves.setdefault(line.key, _empty_curve(line))
    try:
      _add(curve, line, hashes[line.key.images, line.image])
    except ValueError as error:
      raise SweepError(f'{path}, line {line.number}: {error}') from error
  for line in lines:
    if not curves[line.key].results:
      raise SweepError(f'{path}, line {line.number}: the result has no line whose image is {_MEAN}')
  return curves


def _parse(header, columns, fields, number):
  if len(fields) != len(header):
    raise ValueError(f'{len(fields)} fields, where the first line has {len(header)}')
  key = ResultKey(*fields[: columns - len(_OTHERS)])
  label, image, sha256 = fields[columns - len(_OTHERS) : columns]
  if not all(key[: len(_KEYS)]):
    raise ValueError(f'one of {", ".join(_KEYS)} is empty')
  if key.fork and not key.fork.isdecimal():
    raise ValueError(f'fork must be an integer, not {key.fork}')
  if not key.seed.isdecimal():
    raise ValueError(f'seed must be an integer, not {key.seed}')
  _number('lmbda', key.lmbda)
  if key.stage not in STAGES:
    raise ValueError(f'stage must be joint or post, not {key.stage}')

  values = {}
  for name, field in zip(header[columns:], fields[columns:]):
    if field:
      values[name] = None if field == _NO_VALUE else _number(name, field)
  return _Line(key, label, image, sha256, values, number)


def _number(name, field):
  if re.fullmatch(r'-?\d+', field):
    return int(field)
  try:
    number = float(field)
  except ValueError:
    number = math.nan
  if not math.isfinite(number):
    raise ValueError(f'{name} must be a finite number, not {field}')
  return number


def _empty_curve(line):
  codec = {
    'point': line.key.codec,
    'label': line.label,
    'lmbda': float(line.key.lmbda),
  }
  return Curve(line.key.codec, '', {'images': {}, 'codecs': [codec]}, {})


def _add(curve, line, hashes):
  """Adds a line to its result, given all hashes that are written of its image."""
  if line.image == _MEAN:
    if curve.results:
      raise ValueError('the result has its means twice')
    if line.values.get('bpp') is None:
      raise ValueError('the means have no bpp')
    curve.results.update({name: [value] for name, value in line.values.items()})
    return

  if line.image in curve.meta['images'] or any(row['image'] == line.image for row in curve.images):
    raise ValueError(f'the result has {line.image} twice')
  sha256 = line.sha256
  if not sha256:
    if len(hashes) != 1:
      raise ValueError(
        f'sha256 is empty, and the other lines of {line.image} have not one in common'
      )
    (sha256,) = hashes
  if sha256 != _NO_VALUE:
    curve.meta['images'][line.image] = sha256
  if line.values:
    curve.images.append({'image': line.image, 'point': line.key.codec, **line.values})
