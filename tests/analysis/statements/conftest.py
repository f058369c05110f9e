import csv

import pytest

from tfusq.analysis.statements.recorded import RecordedStudies


@pytest.fixture
def record(tmp_path):
  """Writes a study's rows as a CSV file and returns the folder's studies."""

  def write(study, rows):
    with (tmp_path / f'{study}.csv').open('w', newline='') as file:
      writer = csv.DictWriter(file, rows[0])
      writer.writeheader()
      writer.writerows(rows)
    return RecordedStudies(tmp_path)

  return write
