"""What the paper says in Sec. 4.2 to 4.4, but for summaries, with the figures that bear on it.

The paper says "large", "negligible", "rapidly"; the thresholds that stand for such words are ours.
"""

from pathlib import Path

from tfusq.analysis import mismatch_statements, risk_statements
from tfusq.analysis.figures import Figures

STATEMENTS = (*mismatch_statements.STATEMENTS, *risk_statements.STATEMENTS)


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
    rows.append({
        'section': statement.section, 'statement': statement.text,
        'measured': '; '.join(f'{name} {value:.3g}' for name, value in measured.items()),
        'holds': 'yes' if holds else 'NO'})
  return rows
