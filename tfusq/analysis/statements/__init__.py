"""What the paper says in Sec. 4.2 to 4.4, but for summaries, with the figures that bear on it.

The paper says "large", "negligible", "rapidly"; the thresholds that stand for such words are ours.
"""

from pathlib import Path

from tfusq.analysis.statements import mismatch, risk
from tfusq.analysis.statements.recorded import Figures

STATEMENTS = (*mismatch.STATEMENTS, *risk.STATEMENTS)


def check(folder: Path) -> list[dict]:
  """Returns a row for each statement: section, text, figures, and whether it holds.

  Args:
    folder: With the studies' CSV files.

  Raises:
    AnalysisError: if a study is not there, or lacks a surrogate.
  """
  figures = Figures(folder)
  rows = []
  for statement in STATEMENTS:
    measured, holds = statement.measure(figures)
    rows.append(
      {
        'section': statement.section,
        'statement': statement.text,
        'measured': '; '.join(f'{name} {value:.3g}' for name, value in measured.items()),
        'holds': 'yes' if holds else 'NO',
      }
    )
  return rows
