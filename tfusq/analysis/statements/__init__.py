"""Checks the paper's statements in Sec. 4.2 to 4.4, except summaries, against recorded studies.

The paper says "large", "negligible", "rapidly". The thresholds that stand for such words are not
the paper's.
"""

from pathlib import Path

from tfusq.analysis.statements import mismatch, risk
from tfusq.analysis.statements.recorded import RecordedStudies

STATEMENTS = (*mismatch.STATEMENTS, *risk.STATEMENTS)


def check(folder: Path) -> list[dict]:
  """Tests all statements.

  Args:
    folder: Folder with the CSV files of the studies.

  Returns:
    A row for each statement: section, statement, measured numbers, and whether it holds.

  Raises:
    AnalysisError: if a study is not in the folder, or lacks a surrogate.
  """
  recorded = RecordedStudies(folder)
  rows = []
  for statement in STATEMENTS:
    measured, holds = statement.measure(recorded)
    numbers = [f'{name} {value:.3g}' for name, value in measured.items()]
    rows.append(
      {
        'section': statement.section,
        'statement': statement.text,
        'measured': '; '.join(numbers),
        'holds': 'yes' if holds else 'NO',
      }
    )
  return rows
