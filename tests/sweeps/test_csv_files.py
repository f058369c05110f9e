import pytest

from tfusq.sweeps import csv_files
from tfusq.sweeps.sweep import SweepError

COLUMNS = ('cell', 'steps')


def test_a_table_is_read_as_it_was_written(tmp_path):
  path = tmp_path / 'table.csv'
  assert csv_files.read_rows(path, COLUMNS) == []
  csv_files.write_rows(path, COLUMNS, [('a, "b"', 3), ('c', 12)])
  assert csv_files.read_rows(path, COLUMNS) == [['a, "b"', '3'], ['c', '12']]


def test_a_table_that_stays_the_same_is_not_written(tmp_path):
  path = tmp_path / 'table.csv'
  csv_files.write_rows(path, COLUMNS, [('a', 3)])
  before = path.stat()
  csv_files.write_rows(path, COLUMNS, [('a', 3)])
  assert path.stat().st_ino == before.st_ino and path.stat().st_mtime_ns == before.st_mtime_ns
  csv_files.write_rows(path, COLUMNS, [('a', 4)])
  assert path.read_text() == 'cell,steps\na,4\n'


@pytest.mark.parametrize(
  'text, reason',
  [
    ('cell\n', 'line 1: its columns must be cell, steps'),
    ('', 'line 1: its columns must be cell, steps'),
    ('cell,steps\na,1\nb\n', 'line 3: 1 of 2 fields'),
  ],
)
def test_another_table_is_refused_by_its_line(text, reason, tmp_path):
  path = tmp_path / 'table.csv'
  path.write_text(text)
  with pytest.raises(SweepError, match=f'table.csv, {reason}'):
    csv_files.read_rows(path, COLUMNS)
