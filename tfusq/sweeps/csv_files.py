"""Small tables as CSV files, whose columns are known and whose fields are text."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from tfusq import files
from tfusq.sweeps.sweep import SweepError


def read_rows(path: Path, columns: Sequence[str]) -> list[list[str]]:
  """Reads a table; one that does not exist has no rows.

  Args:
    path: The file.
    columns: Names of the columns, which its first line must have.

  Returns:
    Fields of each row.

  Raises:
    SweepError: if the file is another table; names the line.
  """
  if not path.exists():
    return []
  reader = csv.reader(io.StringIO(path.read_text(encoding='utf-8')))
  if next(reader, []) != list(columns):
    raise SweepError(f'{path}, line 1: its columns must be {", ".join(columns)}')

  rows = []
  for fields in reader:
    if len(fields) != len(columns):
      raise SweepError(f'{path}, line {reader.line_num}: {len(fields)} of {len(columns)} fields')
    rows.append(fields)
  return rows


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
  """Writes a table in one step, unless the file holds it already.

  Args:
    path: The file.
    columns: Names of the columns.
    rows: Fields of each row.
  """
  buffer = io.StringIO()
  writer = csv.writer(buffer, lineterminator='\n')
  writer.writerow(columns)
  writer.writerows(rows)
  data = buffer.getvalue().encode()
  if not path.exists() or path.read_bytes() != data:
    files.write(path, data)
