"""Range coding: integer symbols to strings and back, over tables that both ends read."""

from tfusq.coding.tables import (
  LONG_BITS,
  MAX_WINDOW,
  PRECISION,
  SHORT_BITS,
  TAIL_MASS,
  Coder,
  Tables,
  bits_outside,
  entries,
  trim,
  wrap,
)

__all__ = [
  'Coder',
  'LONG_BITS',
  'MAX_WINDOW',
  'PRECISION',
  'SHORT_BITS',
  'TAIL_MASS',
  'Tables',
  'bits_outside',
  'entries',
  'trim',
  'wrap',
]
